package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lucigo/models/weights"
)

// content is what a test's file consists of: two parts, served as /0 and /1.
var content = func() [2][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	var c [2][]byte
	for i, n := range []int{150_000, 70_001} {
		c[i] = make([]byte, n)
		for j := range c[i] {
			c[i][j] = byte(r.Uint32())
		}
	}
	return c
}()

func whole() []byte { return append(bytes.Clone(content[0]), content[1]...) }

// file is the test's file, served at url, with a cache of its own.
func file(t *testing.T, url string) weights.File {
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	t.Setenv("LUCIGO_MODELS", "")
	sum := sha256.Sum256(whole())
	return weights.File{
		Model: "test", Name: "test.weights", Size: int64(len(whole())), SHA256: hex.EncodeToString(sum[:]),
		Parts: []weights.Part{{URL: url + "/0", Size: int64(len(content[0]))}, {URL: url + "/1", Size: int64(len(content[1]))}},
	}
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func part(r *http.Request) []byte {
	i, _ := strconv.Atoi(r.URL.Path[1:])
	return content[i]
}

// good serves the parts, with ranges.
func good(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(part(r)))
}

var quick = Client{Pause: time.Millisecond}

func check(t *testing.T, f weights.File, path string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, whole()) {
		t.Fatalf("%s has %d bytes (%v), not the %d served", path, len(got), err, len(whole()))
	}
	want, _ := f.Cached()
	if path != want {
		t.Errorf("it is at %s, want %s", path, want)
	}
	if _, err := os.Stat(path + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the parts are left behind: %v", err)
	}
}

func TestDownloadsOnceAndTellsProgress(t *testing.T) {
	var requests atomic.Int32
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" { // else sizes and ranges are of something else
			t.Errorf("the server may encode the file as %q", got)
		}
		requests.Add(1)
		good(w, r)
	}))
	var last, of int64
	c := Client{Progress: func(have, total int64) {
		if have < last {
			t.Errorf("progress falls from %d to %d", last, have)
		}
		last, of = have, total
	}}
	path, err := c.File(t.Context(), f)
	check(t, f, path, err)
	if last != f.Size || of != f.Size {
		t.Errorf("progress ends at %d of %d, want %d", last, of, f.Size)
	}
	path, err = c.File(t.Context(), f)
	check(t, f, path, err)
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two parts", n)
	}
}

func TestJoins(t *testing.T) {
	f := file(t, serve(t, good))
	backwards := func(b []byte) []byte { b = bytes.Clone(b); slices.Reverse(b); return b }
	want := backwards(whole())
	sum := sha256.Sum256(want)
	f.SHA256 = hex.EncodeToString(sum[:])
	f.Join = func(parts []byte) ([]byte, error) {
		if !bytes.Equal(parts, whole()) {
			t.Error("Join is given other bytes than were served")
		}
		return backwards(parts), nil
	}
	path, err := quick.File(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file is not what Join made: %v", err)
	}
	f.Join = func([]byte) ([]byte, error) { return nil, errors.New("no such thing") }
	f.Name = "other.weights"
	if _, err := quick.File(t.Context(), f); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("Join fails, and the error is %v", err)
	}
}

// A connection that breaks again and again, always after some bytes: only what is missing is asked for.
func TestResumesAfterBreaks(t *testing.T) {
	var sent atomic.Int64
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		good(&breaking{ResponseWriter: w, left: 20_000, sent: &sent}, r)
	}))
	path, err := quick.File(t.Context(), f)
	check(t, f, path, err)
	if sent.Load() != f.Size {
		t.Errorf("%d bytes were sent for %d", sent.Load(), f.Size)
	}
}

// breaking ends the connection after left bytes.
type breaking struct {
	http.ResponseWriter
	left int
	sent *atomic.Int64
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, _ := b.ResponseWriter.Write(p)
	b.sent.Add(int64(n))
	if b.left -= n; b.left == 0 {
		b.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// What an earlier process got is not asked for again, within the first part or the second.
func TestResumesAnEarlierDownload(t *testing.T) {
	for _, have := range []int{1, 100_000, 150_000, 200_000, 220_001} {
		var sent atomic.Int64
		f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			good(&breaking{ResponseWriter: w, left: 1 << 30, sent: &sent}, r)
		}))
		leave(t, f, whole()[:have])
		path, err := quick.File(t.Context(), f)
		check(t, f, path, err)
		if want := f.Size - int64(have); sent.Load() != want {
			t.Errorf("%d bytes were there, and %d were sent, want %d", have, sent.Load(), want)
		}
	}
}

// leave puts parts beside the place of f.
func leave(t *testing.T, f weights.File, parts []byte) {
	t.Helper()
	path, err := f.Cached()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(path[:strings.LastIndexByte(path, os.PathSeparator)], 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".part", parts, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerWithoutRanges(t *testing.T) {
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(part(r)) }))
	leave(t, f, whole()[:170_000])
	var last int64
	c := Client{Progress: func(have, _ int64) { last = have }}
	path, err := c.File(t.Context(), f)
	check(t, f, path, err)
	if last != f.Size {
		t.Errorf("progress ends at %d of %d", last, f.Size)
	}
}

// More than the file could be: it is started anew.
func TestTooLongAPart(t *testing.T) {
	f := file(t, serve(t, good))
	leave(t, f, make([]byte, f.Size+1))
	path, err := quick.File(t.Context(), f)
	check(t, f, path, err)
}

func TestBadServers(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		have         int
		handler      http.HandlerFunc
	}{
		{"absent", "404", 0, http.NotFound},
		{"broken", "500", 0, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }},
		{"shorter", "another file", 0, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(part(r))-1))
			w.Write(part(r)[1:])
		}},
		{"longer", "another file", 0, func(w http.ResponseWriter, r *http.Request) { w.Write(append(bytes.Clone(part(r)), 0)) }},
		{"without end", "more than 150000", 0, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<16))
				w.(http.Flusher).Flush()
			}
		}},
		{"other content", "SHA-256", 0, func(w http.ResponseWriter, r *http.Request) {
			other := bytes.Clone(part(r))
			other[77]++
			w.Write(other)
		}},
		{"other range", `want "bytes 100-149999/150000"`, 100, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 99-149999/150000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(part(r)[99:])
		}},
		{"stopping at once", "stopped", 0, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}},
		{"silent", "sends nothing for 50ms", 0, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := file(t, serve(t, c.handler))
			leave(t, f, whole()[:c.have])
			client := quick
			if c.name == "silent" {
				client.Patience = 50 * time.Millisecond
			}
			_, err := client.File(t.Context(), f)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want one with %q", err, c.reason)
			}
			path, _ := f.Cached()
			if _, err := os.Stat(path); err == nil {
				t.Error("there is a file at its place")
			}
			if info, err := os.Stat(path + ".part"); err == nil && info.Size() > int64(len(content[0])) {
				t.Errorf("the parts have grown to %d bytes", info.Size())
			}
			if c.reason == "SHA-256" {
				if _, err := os.Stat(path + ".part"); err == nil {
					t.Error("wrong parts are kept: the next download could not mend them")
				}
			}
		})
	}
}

func TestNoNetwork(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	f := file(t, s.URL)
	if _, err := quick.File(t.Context(), f); err == nil || !strings.Contains(err.Error(), s.URL+"/0") {
		t.Errorf("error %v, want one with the address", err)
	}
}

func TestCancel(t *testing.T) {
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(part(r))))
		w.Write(part(r)[:70_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun time.Time
	c := Client{Progress: func(have, _ int64) {
		if have == 70_000 {
			begun = time.Now()
			cancel()
		}
	}}
	_, err := c.File(ctx, f)
	// Long before patience with the server ends, however slow the machine.
	if !errors.Is(err, context.Canceled) || time.Since(begun) > 15*time.Second {
		t.Errorf("it ends after %v: %v", time.Since(begun), err)
	}
	path, _ := f.Cached()
	if info, err := os.Stat(path + ".part"); err != nil || info.Size() != 70_000 {
		t.Errorf("what had arrived is not kept: %v, %v", info, err)
	}
}

// Two at once: one downloads, the other waits for it.
func TestTwoAtOnce(t *testing.T) {
	var requests atomic.Int32
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		time.Sleep(20 * time.Millisecond)
		good(w, r)
	}))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			path, err := quick.File(t.Context(), f)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, whole()) {
				t.Errorf("another file: %v", err)
			}
		})
	}
	wait.Wait()
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two parts", n)
	}
}

// A damaged file in the cache is replaced.
func TestDamagedCache(t *testing.T) {
	f := file(t, serve(t, good))
	path, err := quick.File(t.Context(), f)
	check(t, f, path, err)
	damaged := whole()
	damaged[5]++
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err = quick.File(t.Context(), f)
	check(t, f, path, err)
}
