package install

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// small makes an archive with a plugin of random bytes, and its release.
func small(t *testing.T) (rel release, archive, plugin []byte) {
	t.Helper()
	plugin = make([]byte, 300_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range plugin {
		plugin[i] = byte(r.Uint32())
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range map[string][]byte{"x/plugin.so": plugin, "x/readme": []byte("no")} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	archive = b.Bytes()
	return release{"small.whl", int64(len(archive)), fmt.Sprintf("%x", sha256.Sum256(archive)), "x/plugin.so", int64(len(plugin))}, archive, plugin
}

// A mirror serves an archive and remembers what it was asked.
type mirror struct {
	*httptest.Server
	requests atomic.Int32
	ranges   sync.Map // of the requests, by number
}

func serve(t *testing.T, handle func(n int, w http.ResponseWriter, r *http.Request)) *mirror {
	t.Helper()
	m := &mirror{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(m.requests.Add(1))
		m.ranges.Store(n, r.Header.Get("Range"))
		handle(n, w, r)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *mirror) address() (string, error) { return m.URL + "/small.whl", nil }

func offline() (string, error) { return "", errors.New("no route to host") }

func file(data []byte) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// wantPlugin fails unless path holds exactly the plugin and nothing but the lock lies beside it.
func wantPlugin(t *testing.T, path string, plugin []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, plugin) {
		t.Errorf("the plugin is not as published: %d bytes, %v", len(got), err)
	}
	wantFiles(t, path, filepath.Base(path))
}

// wantFiles fails unless exactly these files, the lock and the record lie in the directory of path.
func wantFiles(t *testing.T, path string, want ...string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".lock") && !strings.HasSuffix(f.Name(), ".installed") {
			got = append(got, f.Name())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("files %q, want %q", got, want)
	}
}

func nolog(string) {}

func place(t *testing.T) string { return filepath.Join(t.TempDir(), "pjrt", "small", "plugin.so") }

func TestInstallOnce(t *testing.T) {
	rel, archive, plugin := small(t)
	m := serve(t, file(archive))
	path := place(t)
	for range 2 {
		got, err := rel.install(t.Context(), path, nolog, m.address)
		if err != nil || got != path {
			t.Fatal(got, err)
		}
		wantPlugin(t, path, plugin)
	}
	if n := m.requests.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

// A plugin that is cut, bent or lacks its record is installed again, from what is left of its archive or the network.
func TestDamagedPluginIsRepaired(t *testing.T) {
	rel, archive, plugin := small(t)
	m := serve(t, file(archive))
	path := place(t)
	if _, err := rel.install(t.Context(), path, nolog, m.address); err != nil {
		t.Fatal(err)
	}
	bent := bytes.Clone(plugin)
	bent[len(bent)/2] ^= 1
	for name, damage := range map[string]func() error{
		"cut":             func() error { return os.Truncate(path, 1000) },
		"bent":            func() error { return os.WriteFile(path, bent, 0o600) },
		"record is gone":  func() error { return os.Remove(path + ".installed") },
		"record is empty": func() error { return os.Truncate(path+".installed", 0) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		before := m.requests.Load()
		if _, err := rel.install(t.Context(), path, nolog, m.address); err != nil {
			t.Fatal(name, err)
		}
		wantPlugin(t, path, plugin)
		if m.requests.Load() != before+1 {
			t.Errorf("%s: it was taken for whole", name)
		}
	}
}

func TestBrokenDownloadGoesOn(t *testing.T) {
	for _, ranges := range []bool{true, false} {
		t.Run(fmt.Sprintf("ranges=%v", ranges), func(t *testing.T) {
			rel, archive, plugin := small(t)
			m := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
				switch {
				case n == 1:
					w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
					w.Write(archive[:100_000])
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				case ranges:
					http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
				default:
					w.Write(archive)
				}
			})
			path := place(t)
			if _, err := rel.install(t.Context(), path, nolog, m.address); err != nil {
				t.Fatal(err)
			}
			wantPlugin(t, path, plugin)
			if got, _ := m.ranges.Load(2); got != "bytes=100000-" {
				t.Errorf("the second request asked for %q", got)
			}
		})
	}
}

// A wrong hash removes the archive. Whatever else goes wrong keeps it, and it is not downloaded again.
func TestOnlyAWrongHashRemovesTheArchive(t *testing.T) {
	rel, archive, plugin := small(t)
	bent := bytes.Clone(archive)
	bent[1000] ^= 1
	lacking := rel
	lacking.member = "x/other.so"
	longer := rel
	longer.memberSize--
	shorter := rel
	shorter.memberSize++
	part := rel.file + ".part"
	for name, c := range map[string]struct {
		rel  release
		data []byte
		want string
		left []string
	}{
		"bit":       {rel, bent, rel.sha256, nil},
		"long file": {rel, append(bytes.Clone(bent), 0, 0, 0), "another file", []string{part}},
		"half":      {rel, archive[:len(archive)/2], "another file", []string{part}},
		"lacking":   {lacking, archive, "x/other.so", []string{part}},
		"longer":    {longer, archive, "bytes instead of", []string{part}},
		"shorter":   {shorter, archive, "bytes instead of", []string{part}},
	} {
		t.Run(name, func(t *testing.T) {
			path := place(t)
			_, err := c.rel.install(t.Context(), path, nolog, serve(t, file(c.data)).address)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
			wantFiles(t, path, c.left...)
			if bytes.Equal(c.data, archive) { // as after a full disk
				if _, err := rel.install(t.Context(), path, nolog, offline); err != nil {
					t.Fatal(err)
				}
				wantPlugin(t, path, plugin)
			}
		})
	}
}

func TestServerErrors(t *testing.T) {
	rel, _, _ := small(t)
	path := place(t)
	m := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if _, err := rel.install(t.Context(), path, nolog, m.address); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v, want 404", err)
	}
	_, err := rel.install(t.Context(), path, nolog, offline)
	for _, part := range []string{"no route to host", rel.file, rel.sha256, filepath.Dir(path)} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("offline: %v, want it to name %s", err, part)
		}
	}
}

func TestArchivePutByHand(t *testing.T) {
	rel, archive, plugin := small(t)
	path := place(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	byHand := filepath.Join(filepath.Dir(path), rel.file)
	bent := bytes.Clone(archive)
	bent[1000] ^= 1
	if err := os.WriteFile(byHand, bent, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rel.install(t.Context(), path, nolog, offline); err == nil || !strings.Contains(err.Error(), byHand) {
		t.Errorf("a damaged archive put there by hand gave %v", err)
	}
	if err := os.WriteFile(byHand, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rel.install(t.Context(), path, nolog, offline); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, plugin) {
		t.Error("the plugin is not as published", err)
	}
	wantFiles(t, path, filepath.Base(path), rel.file)
}

func TestLeftoversOfAKilledInstallation(t *testing.T) {
	rel, archive, plugin := small(t)
	path := place(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		".plugin.so.1.part": plugin[:1000],
		"plugin.so":         plugin[:1000], // an interrupted copy by hand
		rel.file + ".part":  append(bytes.Clone(archive), 1),
		"lck":               nil,
	} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rel.install(t.Context(), path, nolog, serve(t, file(archive)).address); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, plugin) {
		t.Error("the plugin is not as published", err)
	}
	wantFiles(t, path, "lck", "plugin.so")
}

func TestCancelStopsAtOnce(t *testing.T) {
	rel, archive, _ := small(t)
	ctx, cancel := context.WithCancel(t.Context())
	stop := make(chan struct{})
	m := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
		w.Write(archive[:50_000])
		w.(http.Flusher).Flush()
		cancel()
		select {
		case <-r.Context().Done():
		case <-stop:
		}
	})
	t.Cleanup(func() { close(stop) })
	start := time.Now()
	path := place(t)
	if _, err := rel.install(ctx, path, nolog, m.address); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if d := time.Since(start); d > silence/2 { // The server would keep it waiting for ever.
		t.Errorf("it took %v", d)
	}
	wantFiles(t, path, rel.file+".part")
}

func TestCancelWhileAnotherInstalls(t *testing.T) {
	rel, archive, plugin := small(t)
	path := place(t)
	inside, release := make(chan struct{}), make(chan struct{})
	m := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-release
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archive))
	})
	first := make(chan error)
	go func() {
		_, err := rel.install(t.Context(), path, nolog, m.address)
		first <- err
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := rel.install(ctx, path, nolog, m.address); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want context.DeadlineExceeded", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	wantPlugin(t, path, plugin)
}

func TestManyInstallTogether(t *testing.T) {
	rel, archive, plugin := small(t)
	m := serve(t, file(archive))
	path := place(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := rel.install(t.Context(), path, nolog, m.address); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantPlugin(t, path, plugin)
	if n := m.requests.Load(); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

func TestSilentIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		start := time.Now()
		_, err := waitFor(t.Context(), func() (string, error) { <-never; return "", nil })
		if err == nil || !strings.Contains(err.Error(), "silent") || time.Since(start) != silence {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(never)
	})
}
