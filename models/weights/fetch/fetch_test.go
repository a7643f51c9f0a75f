package fetch

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lucigo/internal/download/downloadtest"
	"lucigo/models/weights"
)

// file is the test's file, served at url, with a cache of its own. It is its two parts backwards.
func file(t *testing.T, url string) weights.File {
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	t.Setenv("LUCIGO_MODELS", "")
	return weights.File{
		Model: "test", Name: "test.weights", Size: int64(len(downloadtest.Whole())), SHA256: hash(backwards(downloadtest.Whole())), PartsSHA256: hash(downloadtest.Whole()),
		Parts: []weights.Part{{URL: url + "/0", Size: int64(len(downloadtest.Content[0]))}, {URL: url + "/1", Size: int64(len(downloadtest.Content[1]))}},
		Join:  func(parts []byte) ([]byte, error) { return backwards(parts), nil },
	}
}

func hash(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

func backwards(b []byte) []byte { b = bytes.Clone(b); slices.Reverse(b); return b }

// serve serves the parts, and counts requests.
func serve(t *testing.T) (url string, requests *atomic.Int32) {
	requests = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		time.Sleep(10 * time.Millisecond)
		downloadtest.Serve(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func check(t *testing.T, f weights.File, want []byte) {
	t.Helper()
	path, err := File(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes (%v), not the right ones", path, len(got), err)
	}
	if want, _ := f.Cached(); path != want {
		t.Errorf("it is at %s, want %s", path, want)
	}
	if _, err := os.Stat(path + ".part"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the parts are left over: %v", err)
	}
}

// A file is downloaded once, however many ask for it, and again when it is damaged.
func TestFile(t *testing.T) {
	url, requests := serve(t)
	f := file(t, url)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { check(t, f, backwards(downloadtest.Whole())) })
	}
	wait.Wait()
	check(t, f, backwards(downloadtest.Whole()))
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two parts", n)
	}
	path, err := f.Cached()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, downloadtest.Whole(), 0o600); err != nil {
		t.Fatal(err)
	}
	check(t, f, backwards(downloadtest.Whole()))
}

func TestFileOfItsParts(t *testing.T) {
	url, _ := serve(t)
	f := file(t, url)
	f.Join, f.SHA256, f.PartsSHA256 = nil, f.PartsSHA256, ""
	check(t, f, downloadtest.Whole())
}

// An error that is not of the parts' content leaves them for the next call, which asks for nothing again.
func TestFileKeepsItsParts(t *testing.T) {
	url, requests := serve(t)
	f := file(t, url)
	join := f.Join
	f.Join = func([]byte) ([]byte, error) { return nil, errors.New("no space left on device") }
	if _, err := File(t.Context(), f); err == nil || !strings.Contains(err.Error(), "test.weights: no space") {
		t.Errorf("Join fails, and the error is %v", err)
	}
	f.Join = join
	check(t, f, backwards(downloadtest.Whole()))
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for two parts", n)
	}
	f.Name, f.SHA256 = "other.weights", hash(downloadtest.Whole())
	if _, err := File(t.Context(), f); err == nil || !strings.Contains(err.Error(), "other.weights: what was downloaded makes another file") {
		t.Errorf("another file: %v", err)
	}
	f.Parts = nil
	if _, err := File(t.Context(), f); err == nil || !strings.Contains(err.Error(), "published nowhere") {
		t.Errorf("no parts: %v", err)
	}
	f.Name = filepath.Join("test.weights", "below")
	if _, err := File(t.Context(), f); err == nil || !strings.Contains(err.Error(), "LUCIGO_CACHE") {
		t.Errorf("no directory: %v", err)
	}
}
