package weights

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const text = "the weights"

func file() File {
	sum := sha256.Sum256([]byte(text))
	return File{Model: "test", Name: "a.weights", Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), Origin: "made up"}
}

// clean gives the test a cache and a LUCIGO_MODELS of its own.
func clean(t *testing.T) (cache, models string) {
	cache, models = t.TempDir(), t.TempDir()
	t.Setenv("LUCIGO_CACHE", cache)
	t.Setenv("LUCIGO_MODELS", strings.Join([]string{filepath.Join(models, "absent"), models}, string(os.PathListSeparator)))
	return cache, models
}

func write(t *testing.T, content string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestFindsFiles(t *testing.T) {
	for _, where := range []string{"models", "models, a level down", "cache"} {
		cache, models := clean(t)
		dir := map[string]string{"models": models, "models, a level down": filepath.Join(models, "net"), "cache": filepath.Join(cache, "models")}[where]
		want := write(t, text, dir, "a.weights")
		for range 2 { // checked, then remembered
			if got, err := Find(t.Context(), file()); err != nil || got != want {
				t.Errorf("in %s: %q, %v; want %q", where, got, err, want)
			}
		}
	}
	_, models := clean(t)
	write(t, text, models, "net", "deeper", "a.weights")
	if got, err := file().Here(t.Context()); err != nil || got != "" {
		t.Errorf("two levels down: %q, %v", got, err)
	}
	t.Chdir(filepath.Dir(write(t, text, t.TempDir(), "a.weights")))
	t.Setenv("LUCIGO_MODELS", string(os.PathListSeparator)) // two directories without a name
	if got, err := file().Here(t.Context()); err != nil || got != "" {
		t.Errorf("in no directory: %q, %v", got, err)
	}
}

func TestWrongFiles(t *testing.T) {
	_, models := clean(t)
	path := write(t, "the w3ights", models, "a.weights")
	f := file()
	_, err := Find(t.Context(), f)
	wrong := fmt.Sprintf("%x", sha256.Sum256([]byte("the w3ights")))
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), f.SHA256) || !strings.Contains(err.Error(), wrong) {
		t.Errorf("a wrong hash: %v; want file and both hashes", err)
	}
	write(t, text+"!", models, "a.weights")
	if _, err := Find(t.Context(), f); err == nil || !strings.Contains(err.Error(), "12 bytes") || !strings.Contains(err.Error(), path) {
		t.Errorf("a wrong size: %v; want file and both sizes", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), f); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a directory: %v", err)
	}
}

// A file is checked again when it changes, and a wrong one in the cache goes.
func TestRemembersOnlyTheSameFile(t *testing.T) {
	cache, _ := clean(t)
	path := write(t, text, cache, "models", "a.weights")
	f := file()
	if got, err := f.Here(t.Context()); err != nil || got != path {
		t.Fatal(got, err)
	}
	notes, err := filepath.Glob(filepath.Join(cache, "models", "verified", "*"))
	if err != nil || len(notes) != 1 {
		t.Fatalf("notes %v, %v", notes, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// The same size and time, as nobody but this test makes them: the note is believed.
	write(t, "the w3ights", path)
	if err := os.Chtimes(path, time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Here(t.Context()); err != nil || got != path {
		t.Errorf("the file was read again: %q, %v", got, err)
	}
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Here(t.Context()); err != nil || got != "" {
		t.Errorf("a changed file was believed: %q, %v", got, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a wrong file stays in the cache")
	}
}

// standIn writes a stand-in for this module, whose command kernel/models is the given program.
func standIn(t *testing.T, program string) {
	dir := t.TempDir()
	write(t, "module lucigo\n\ngo 1.26\n", dir, "go.mod")
	write(t, program, dir, "kernel", "models", "main.go")
	t.Setenv("LUCIGO_ROOT", dir)
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "off")
}

func TestFetches(t *testing.T) {
	cache, _ := clean(t)
	standIn(t, `package main

import (
	"os"
	"path/filepath"
)

func main() {
	dir := filepath.Join(os.Getenv("LUCIGO_CACHE"), "models")
	if len(os.Args) != 3 || os.Args[1] != "fetch" || os.Args[2] != "test" || os.MkdirAll(dir, 0o700) != nil ||
		os.WriteFile(filepath.Join(dir, "a.weights"), []byte("`+text+`"), 0o600) != nil {
		os.Exit(1)
	}
}
`)
	want := filepath.Join(cache, "models", "a.weights")
	if got, err := Find(t.Context(), file()); err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// Without a network the error says why, and which file to put where.
func TestOffline(t *testing.T) {
	cache, _ := clean(t)
	standIn(t, "package main\n\nfunc main() { println(`no such host`); panic(1) }\n")
	f := file()
	_, err := Find(t.Context(), f)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"no such host", f.Name, f.SHA256, "11 bytes", filepath.Join(cache, "models"), "LUCIGO_MODELS", f.Origin} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
	t.Setenv("LUCIGO_ROOT", t.TempDir()) // no project: the command does not build
	if _, err := Find(t.Context(), f); err == nil || !strings.Contains(err.Error(), f.SHA256) {
		t.Errorf("without the command: %v", err)
	}
}

func TestFindCancels(t *testing.T) {
	clean(t)
	dir := t.TempDir()
	standIn(t, `package main

import (
	"os"
	"time"
)

func main() {
	os.WriteFile(os.Getenv("STARTED"), nil, 0o600)
	time.Sleep(time.Minute)
}
`)
	started := filepath.Join(dir, "started")
	t.Setenv("STARTED", started)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var at time.Time
	go func() {
		for {
			if _, err := os.Stat(started); err == nil {
				at = time.Now()
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, err := Find(ctx, file())
	// Long before the command would end by itself, however slow the machine.
	if !errors.Is(err, context.Canceled) || time.Since(at) > 20*time.Second {
		t.Errorf("it ends %v after ctx: %v", time.Since(at), err)
	}
}
