package build

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
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
	first, err := digest(root)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := digest(root); again != first {
		t.Error("the same project has another digest")
	}
	for _, f := range files {
		write(t, filepath.Join(root, f), "module lucigo\n// changed\n")
		if changed, _ := digest(root); changed == first {
			t.Errorf("%s may change unnoticed", f)
		}
		write(t, filepath.Join(root, f), "module lucigo\n")
	}
	write(t, filepath.Join(root, "kernel/gokernel/main_test.go"), "package main")
	if changed, _ := digest(root); changed != first {
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
	if !k.Built() {
		t.Error("complete, it does not count as built")
	}
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
