package build

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

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

func TestPatched(t *testing.T) {
	from := t.TempDir()
	write(t, filepath.Join(from, "a", "a.go"), "one\ntwo\nthree\n")
	write(t, filepath.Join(from, "b.txt"), "b")
	const head = "diff --git a/a/a.go b/a/a.go\n--- a/a/a.go\n+++ b/a/a.go\n"
	one := "Why it is so.\n\n" + head + "@@ -1,3 +1,3 @@\n-one\n+1\n two\n three\n"
	two := head + "@@ -1,3 +1,3 @@\n 1\n-two\n+2\n three\n"
	made := "diff --git a/a/new.go b/a/new.go\nnew file mode 100644\n--- /dev/null\n+++ b/a/new.go\n@@ -0,0 +1,1 @@\n+new\n"
	to := filepath.Join(t.TempDir(), "to")
	dir := func(patches ...string) fs.FS {
		all := fstest.MapFS{}
		for i, p := range patches {
			all[fmt.Sprintf("patches/%d.patch", i)] = &fstest.MapFile{Data: []byte(p)}
		}
		return all
	}
	if err := patched(from, to, dir(one, two, made)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a/a.go": "1\n2\nthree\n", "a/new.go": "new\n", "b.txt": "b"} {
		if b, err := os.ReadFile(filepath.Join(to, name)); string(b) != want {
			t.Errorf("%s is %q, %v", name, b, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(from, "a", "a.go")); string(b) != "one\ntwo\nthree\n" {
		t.Error("the original is changed")
	}
	for name, bad := range map[string]string{
		"another text":     strings.Replace(one, "-one", "-zero", 1),
		"another context":  strings.Replace(one, " three", " four", 1),
		"another line":     strings.Replace(one, "@@ -1,3 +1,3 @@", "@@ -2,3 +2,3 @@", 1),
		"no such file":     strings.ReplaceAll(one, "a/a.go", "none.go"),
		"no hunk":          "Why it is so.\n",
		"a damaged header": strings.Replace(one, "@@ -1,3", "@@ -1,x", 1),
	} {
		if err := patched(from, filepath.Join(t.TempDir(), "to"), dir(made, bad)); err == nil || !strings.Contains(err.Error(), "patches/1.patch does not apply") {
			t.Errorf("%s: %v, want a refusal that names the patch", name, err)
		}
	}
}

// TestPatchesFit: the patches apply to the GoNB that go.mod selects, and each says why it is there.
func TestPatchesFit(t *testing.T) {
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := Kernel{Root: root}.gonb(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := patched(dir, filepath.Join(t.TempDir(), "gonb"), patches); err != nil {
		t.Error(err)
	}
	names, err := fs.Glob(patches, "patches/*.patch")
	if err != nil || len(names) == 0 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(patches, name)
		if reason, _, ok := strings.Cut(string(b), "\ndiff --git"); err != nil || !ok || len(strings.Fields(reason)) < 10 {
			t.Errorf("%s, %v, begins with %q, want the reason", name, err, reason)
		}
	}
}

func TestDigestFollowsWhatItIsMadeOf(t *testing.T) {
	root := t.TempDir()
	files := []string{"go.mod", "go.sum", "kernel/launcher/main.go", "internal/project/project.go"}
	for _, f := range files {
		write(t, filepath.Join(root, f), "module lucigo\n")
	}
	first, err := digest(root, patches)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := digest(root, patches); again != first {
		t.Error("the same project has another digest")
	}
	for _, f := range files {
		write(t, filepath.Join(root, f), "module lucigo\n// changed\n")
		if changed, _ := digest(root, patches); changed == first {
			t.Errorf("%s may change unnoticed", f)
		}
		write(t, filepath.Join(root, f), "module lucigo\n")
	}
	if changed, _ := digest(root, fstest.MapFS{}); changed == first {
		t.Error("the patches may change unnoticed")
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
