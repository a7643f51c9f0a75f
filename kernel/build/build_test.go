package build

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/internal/project"
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

func TestMended(t *testing.T) {
	from := t.TempDir()
	write(t, filepath.Join(from, "a", "a.go"), "one\ntwo\nthree\n")
	write(t, filepath.Join(from, "b.txt"), "b")
	write(t, filepath.Join(from, "docs", "large"), "x")
	to := filepath.Join(t.TempDir(), "to")
	err := mended(from, to, []mend{{"a/a.go", "one\n", "1\n"}, {"a/a.go", "two\n", "2\n"}, {"a/new.go", "", "new"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a/a.go": "1\n2\nthree\n", "a/new.go": "new", "b.txt": "b"} {
		if b, err := os.ReadFile(filepath.Join(to, name)); string(b) != want {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
	if _, err := os.Stat(filepath.Join(to, "docs")); err == nil {
		t.Error("the documentation is copied")
	}
	if b, _ := os.ReadFile(filepath.Join(from, "a", "a.go")); string(b) != "one\ntwo\nthree\n" {
		t.Error("the original is changed")
	}
	for _, m := range []mend{{"a/a.go", "four", "4"}, {"a/a.go", "e\n", "E\n"}, {"none.go", "x", "y"}} {
		if err := mended(from, filepath.Join(t.TempDir(), "to"), []mend{m}); err == nil || !strings.Contains(err.Error(), filepath.Base(m.file)) {
			t.Errorf("%+v: %v, want a refusal that names the file", m, err)
		}
	}
}

// TestMendsFit: the mends apply to the GoNB that go.mod selects.
func TestMendsFit(t *testing.T) {
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := Kernel{Root: root}.moduleDir(t.Context(), gonbModule)
	if err != nil {
		t.Fatal(err)
	}
	if err := mended(dir, filepath.Join(t.TempDir(), "gonb"), mends); err != nil {
		t.Error(err)
	}
}

func TestDigestFollowsWhatItIsMadeOf(t *testing.T) {
	root := t.TempDir()
	files := []string{"go.mod", "go.sum", "kernel/launcher/main.go", "internal/project/project.go"}
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
	old := mends
	defer func() { mends = old }()
	mends = mends[1:]
	if changed, _ := digest(root); changed == first {
		t.Error("the mends may change unnoticed")
	}
}

func TestFind(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("LUCIGO_CACHE", cache)
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	k, err := Find(root)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(k.Dir, cache) || k.Built() {
		t.Errorf("in an empty cache: %+v, built %v", k, k.Built())
	}
	for _, name := range []string{"gonb", "bin/goimports", "launcher"} {
		write(t, k.program(name), "")
		if k.Built() {
			t.Errorf("with %s alone it counts as built", name)
		}
	}
	write(t, k.program("bin/go"), "")
	if !k.Built() {
		t.Error("complete, it does not count as built")
	}
	if err := k.Build(t.Context(), io.Discard); err != nil {
		t.Errorf("building what is built: %v", err)
	}
	for _, pure := range []bool{true, true, false, false} {
		if err := k.SetPureGo(pure); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(k.pureGo()); (err == nil) != pure {
			t.Errorf("SetPureGo(%v) leaves %v", pure, err)
		}
	}
}

func TestSIMD(t *testing.T) {
	for before, want := range map[string]string{"": "simd", "simd": "simd", "x": "x,simd"} {
		t.Setenv("GOEXPERIMENT", before)
		env := []string{"A=1"}
		got := SIMD(env)
		if len(got) == 1 { // Not on this processor.
			continue
		}
		if got[1] != "GOEXPERIMENT="+want || len(env) != 1 {
			t.Errorf("with %q: %q", before, got)
		}
	}
}

func TestBuildStops(t *testing.T) {
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	k, err := Find(root)
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
