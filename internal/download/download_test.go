package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lucigo/internal/download/downloadtest"
)

// published is a test's file, which a server publishes.
type published struct {
	path, sha256 string // where it goes, and its hash
	size         int64
	parts        []Part
}

// file is the test's file, served at url, with a directory of its own.
func file(t *testing.T, url string) published {
	return published{
		filepath.Join(t.TempDir(), "file.part"), fmt.Sprintf("%x", sha256.Sum256(downloadtest.Whole())), int64(len(downloadtest.Whole())),
		[]Part{{url + "/0", int64(len(downloadtest.Content[0]))}, {url + "/1", int64(len(downloadtest.Content[1]))}},
	}
}

func (f published) get(ctx context.Context, c Client) error {
	return c.Get(ctx, f.path, f.sha256, f.parts...)
}

func serve(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

var quick = Client{pause: time.Millisecond}

func check(t *testing.T, f published, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(f.path); err != nil || !bytes.Equal(got, downloadtest.Whole()) {
		t.Fatalf("%s has %d bytes (%v), not the %d served", f.path, len(got), err, len(downloadtest.Whole()))
	}
}

func TestDownloadsOnceAndTellsProgress(t *testing.T) {
	var requests atomic.Int32
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" { // else sizes and ranges are of something else
			t.Errorf("the server may encode the file as %q", got)
		}
		requests.Add(1)
		downloadtest.Serve(w, r)
	}))
	var last, of int64
	c := Client{Progress: func(have, total int64) {
		if have < last {
			t.Errorf("progress falls from %d to %d", last, have)
		}
		last, of = have, total
	}}
	check(t, f, f.get(t.Context(), c))
	if last != f.size || of != f.size {
		t.Errorf("progress ends at %d of %d, want %d", last, of, f.size)
	}
	check(t, f, f.get(t.Context(), c))
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two parts", n)
	}
}

// A connection that breaks again and again, always after some bytes: only what is missing is asked for.
func TestResumesAfterBreaks(t *testing.T) {
	var sent atomic.Int64
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		downloadtest.Serve(&breaking{ResponseWriter: w, left: 20_000, sent: &sent}, r)
	}))
	check(t, f, f.get(t.Context(), quick))
	if sent.Load() != f.size {
		t.Errorf("%d bytes were sent for %d", sent.Load(), f.size)
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
			downloadtest.Serve(&breaking{ResponseWriter: w, left: 1 << 30, sent: &sent}, r)
		}))
		leave(t, f, downloadtest.Whole()[:have])
		check(t, f, f.get(t.Context(), quick))
		if want := f.size - int64(have); sent.Load() != want {
			t.Errorf("%d bytes were there, and %d were sent, want %d", have, sent.Load(), want)
		}
	}
}

// leave puts what an earlier process got in the place of f.
func leave(t *testing.T, f published, parts []byte) {
	t.Helper()
	if err := os.WriteFile(f.path, parts, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServerWithoutRanges(t *testing.T) {
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write(downloadtest.Part(r)) }))
	leave(t, f, downloadtest.Whole()[:170_000])
	var last int64
	c := Client{Progress: func(have, _ int64) { last = have }}
	check(t, f, f.get(t.Context(), c))
	if last != f.size {
		t.Errorf("progress ends at %d of %d", last, f.size)
	}
}

// More than the file could be: it is started anew.
func TestTooLongAPart(t *testing.T) {
	f := file(t, serve(t, downloadtest.Serve))
	leave(t, f, make([]byte, f.size+1))
	check(t, f, f.get(t.Context(), quick))
}

// What is not the file is an error, and nothing of it is kept: only a wrong hash removes what is there.
func TestBadServers(t *testing.T) {
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			w.Write(bytes.Repeat([]byte("<html>"), 1000))
		}
	}
	for _, c := range []struct {
		name, reason string
		have, left   int // bytes; -1: the file is removed
		handler      http.HandlerFunc
	}{
		{"absent", "404", 0, 0, http.NotFound},
		{"absent later", "404", 100, 100, http.NotFound},
		{"broken", "500", 0, 0, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }},
		{"shorter", "149999 bytes, must be 150000", 0, 0, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(downloadtest.Part(r))-1))
			w.Write(downloadtest.Part(r)[1:])
		}},
		{"shorter than what is there", "416", 100_000, 100_000, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(downloadtest.Part(r)[:50_000]))
		}},
		{"longer", "more than 150000", 0, 131_072, func(w http.ResponseWriter, r *http.Request) { w.Write(append(bytes.Clone(downloadtest.Part(r)), 0)) }},
		{"without end", "more than 150000", 0, 131_072, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<16))
				w.(http.Flusher).Flush()
			}
		}},
		{"a portal", "web page", 0, 0, answer(200, "Content-Type", "text/html; charset=utf-8")},
		{"a portal later", "web page", 100, 100, answer(200, "Content-Type", "text/html")},
		{"a portal that knows ranges", "web page", 100, 100, answer(206, "Content-Type", "text/html", "Content-Range", "bytes 100-149999/150000")},
		{"a portal of plain text", "6000 bytes, must be 150000", 100, 100, answer(200, "Content-Type", "text/plain", "Content-Length", "6000")},
		{"compressed", `encoded as "gzip"`, 100, 100, answer(200, "Content-Encoding", "gzip")},
		{"other content", "SHA-256", 0, -1, func(w http.ResponseWriter, r *http.Request) {
			other := bytes.Clone(downloadtest.Part(r))
			other[77]++
			w.Write(other)
		}},
		{"other range", `must be "bytes 100-149999/150000"`, 100, 100, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 99-149999/150000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(downloadtest.Part(r)[99:])
		}},
		{"other length", "50 bytes, must be 149900", 100, 100, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 100-149999/150000")
			w.Header().Set("Content-Length", "50")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(downloadtest.Part(r)[:50])
		}},
		{"a range unasked", "206", 0, 0, answer(206, "Content-Range", "bytes 0-149999/150000")},
		{"stopping at once", "stopped", 0, 0, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
		}},
		{"silent", "sends nothing for 50ms", 0, 0, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := file(t, serve(t, c.handler))
			leave(t, f, downloadtest.Whole()[:c.have])
			client := quick
			if c.name == "silent" {
				client.patience = 50 * time.Millisecond
			}
			err := f.get(t.Context(), client)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want one with %q", err, c.reason)
			}
			switch kept, err := os.ReadFile(f.path); {
			case c.left < 0 && !errors.Is(err, fs.ErrNotExist):
				t.Error("wrong parts are kept: the next download could not repair them")
			case c.left >= 0 && c.left <= c.have && !bytes.Equal(kept, downloadtest.Whole()[:c.left]):
				t.Errorf("%d bytes are left of %d: %v", len(kept), c.have, err)
			case c.left > c.have && len(kept) > len(downloadtest.Content[0]):
				t.Errorf("the file has grown to %d bytes", len(kept))
			}
		})
	}
}

func TestNoNetwork(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	f := file(t, s.URL)
	if err := f.get(t.Context(), quick); err == nil || !strings.Contains(err.Error(), s.URL+"/0") {
		t.Errorf("error %v, want one with the address", err)
	}
}

func TestCancel(t *testing.T) {
	f := file(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(downloadtest.Part(r))))
		w.Write(downloadtest.Part(r)[:70_000])
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
	err := f.get(ctx, c)
	// Long before patience with the server ends, however slow the machine.
	if !errors.Is(err, context.Canceled) || time.Since(begun) > 15*time.Second {
		t.Errorf("it ends after %v: %v", time.Since(begun), err)
	}
	if info, err := os.Stat(f.path); err != nil || info.Size() != 70_000 {
		t.Errorf("what had arrived is not kept: %v, %v", info, err)
	}
}

// A full disk (here a device that is always full) is an error and no reason to remove what is there.
func TestFullDisk(t *testing.T) {
	f := file(t, serve(t, downloadtest.Serve))
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("skipped: no /dev/full here")
	}
	if err := os.Symlink("/dev/full", f.path); err != nil {
		t.Fatal(err)
	}
	if err := f.get(t.Context(), quick); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(f.path); err != nil {
		t.Error(err)
	}
}

// One works alone, the others wait for it, and one whose ctx ends gives up.
func TestAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "file")
	var inside atomic.Int32
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			err := Alone(t.Context(), path, func() error {
				n := inside.Add(1)
				time.Sleep(5 * time.Millisecond)
				if inside.Load() != n {
					t.Error("two at once")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := inside.Load(); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	left := filepath.Join(filepath.Dir(path), ".file.1.part")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := Alone(t.Context(), path, func() error {
		if _, err := os.Stat(left); err == nil {
			t.Error("what a killed process left is still there")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := Alone(ctx, path, func() error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another works: %v", err)
		}
		return errors.New("its own")
	})
	if err == nil || err.Error() != "its own" {
		t.Errorf("%v, want the error of what it does", err)
	}
	if err := Alone(t.Context(), filepath.Join(path+".lock", "file"), nil); err == nil || !strings.Contains(err.Error(), "LUCIGO_CACHE") {
		t.Errorf("no directory: %v", err)
	}
}
