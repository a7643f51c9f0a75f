package build

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestDigestFollowsWhatItIsMadeOf(t *testing.T) {
	root := t.TempDir()
	files := []string{"go.mod", "go.sum", "kernel/gokernel/main.go", "kernel/serve/a/b.go", "internal/project/project.go"}
	for _, f := range files {
		write(t, filepath.Join(root, f), "module lucigo\n")
	}
	first, err := sourceDigest(root)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := sourceDigest(root); again != first {
		t.Error("the same project has another digest")
	}
	for _, f := range files {
		write(t, filepath.Join(root, f), "module lucigo\n// changed\n")
		if changed, _ := sourceDigest(root); changed == first {
			t.Errorf("%s may change unnoticed", f)
		}
		write(t, filepath.Join(root, f), "module lucigo\n")
	}
	write(t, filepath.Join(root, "kernel/gokernel/main_test.go"), "package main")
	if changed, _ := sourceDigest(root); changed != first {
		t.Error("a test changes the digest")
	}
}

func TestFind(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("LUCIGO_CACHE", cache)
	k, err := Find(".")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(k.Dir, cache) || k.Built() {
		t.Errorf("in an empty cache: %+v, built %v", k, k.Built())
	}
	write(t, k.Command(), "")
	if k.Built() {
		t.Error("what nobody has built counts as built")
	}
	write(t, filepath.Join(cache, "built"), "program")
	if err := keep(filepath.Join(cache, "built"), k.Command()); err != nil || !k.Built() {
		t.Errorf("%v: complete, it does not count as built", err)
	}
	for _, damaged := range []string{"", "progra", "progrbm", "programs"} {
		write(t, k.Command(), damaged)
		if k.Built() {
			t.Errorf("as %q, it counts as built", damaged)
		}
	}
	write(t, k.Command(), "program")
	if err := k.Build(t.Context(), io.Discard); err != nil {
		t.Errorf("building what is built: %v", err)
	}
}

func TestExperiments(t *testing.T) {
	for before, want := range map[string]string{"": "simd", "simd": "simd", "x": "x,simd"} {
		t.Setenv("GOEXPERIMENT", before)
		if runtime.GOARCH != "amd64" {
			want = before
		}
		if got := Experiments(); got != want {
			t.Errorf("with %q: %q, want %q", before, got, want)
		}
	}
}

func TestBuildStops(t *testing.T) {
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	k, err := Find(".")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Build(ctx, io.Discard); err == nil || k.Built() {
		t.Errorf("a cancelled build: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(k.Dir))
	if err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// TestADamagedProgramIsBuiltAgain: whatever a full disk or a crash has left of it, and the go command would take for it.
func TestADamagedProgramIsBuiltAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it links programs")
	}
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	k, err := Find(".")
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	var built os.FileInfo
	for i, damage := range []func(file string) error{
		func(string) error { return nil },
		func(string) error { return nil },
		func(file string) error { return os.Truncate(file, int64(len(first)/2)) },
		func(file string) error {
			b := slices.Clone(first)
			b[len(b)/2] ^= 1
			return os.WriteFile(file, b, 0o777)
		},
		func(file string) error { return os.Remove(file + ".sha256") },
	} {
		if err := damage(k.beside("gokernel")); err != nil {
			t.Fatal(err)
		}
		file, err := k.Program(t.Context(), "gokernel", io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if i == 0 {
			first = b
		}
		if err != nil || !bytes.Equal(b, first) || !Whole(file) {
			t.Errorf("damage %d stays: %v", i, err)
		}
		info, err := os.Stat(file)
		if err != nil || i == 1 && !os.SameFile(info, built) {
			t.Errorf("whole, it is built again: %v", err)
		}
		built = info
	}
	// The kernel itself, which is built beside its place.
	if err := k.Build(t.Context(), io.Discard); err != nil || !k.Built() {
		t.Fatalf("%v, built %v", err, k.Built())
	}
	write(t, k.Command(), "garbage")
	if err := k.Build(t.Context(), io.Discard); err != nil || !k.Built() {
		t.Errorf("garbage in its place stays: %v, built %v", err, k.Built())
	}
}

// TestLock: one holds it, and whoever waits heeds its context.
func TestLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holds it: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = lock(t.Context(), file); err != nil {
		t.Errorf("free, it is not given: %v", err)
	}
	unlock()
}
