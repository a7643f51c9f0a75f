package packages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lucigo/internal/project"
)

// module is a module like that of cells.
func module(t *testing.T) (dir string, x *Index) {
	t.Helper()
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "mod", "edit", "-module=notebook", "-require=lucigo@v0.0.0-00010101000000-000000000000", "-replace=lucigo="+root)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	x, err = Load(context.Background(), "go", dir, os.Environ(), "lucigo")
	if err != nil {
		t.Fatal(err)
	}
	return dir, x
}

func TestFind(t *testing.T) {
	begin := time.Now()
	_, x := module(t)
	for _, c := range []struct {
		name, selected, want string
	}{
		{"fmt", "Println", "fmt"},
		{"rand", "IntN New NewPCG", "math/rand/v2"},
		{"rand", "Intn", "math/rand"},
		{"rand", "Text", "crypto/rand"},
		{"template", "HTML", "html/template"},
		{"template", "New", "html/template"},
		{"show", "Grid", "lucigo/notebooks/show"},
		{"show", "Gird", "lucigo/notebooks/show"},
		{"saliency", "", "lucigo/interp/saliency"},
		{"must", "M", "github.com/janpfeifer/must"},
		{"gonbui", "DisplayHtml", "github.com/janpfeifer/gonb/gonbui"},
		{"layers", "Dense", "github.com/gomlx/gomlx/ml/layers"},
		{"nothing", "", ""},
	} {
		if got := x.Find(c.name, strings.Fields(c.selected)); got != c.want {
			t.Errorf("%s with %q is %q, want %q", c.name, c.selected, got, c.want)
		}
	}
	if got := x.Exports("lucigo/notebooks/show"); !slices.Contains(got, "Grid") || slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "Test") }) {
		t.Errorf("show exports %q", got)
	}
	for path, want := range map[string]string{"math/rand/v2": "rand", "no/such": "", "lucigo/kernel": "", "lucigo/interp/internal/key": "", "cmd/go": ""} {
		if got := x.Name(path); got != want {
			t.Errorf("the name of %s is %q, want %q", path, got, want)
		}
	}
	t.Logf("%.0f ms", time.Since(begin).Seconds()*1e3)
}

// Cells that import any package of GoMLX compile.
func TestCellsImportGoMLX(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles all of GoMLX")
	}
	dir, x := module(t)
	x.Find("nothing", nil) // It reads all trees.
	text, number := "package main\n", 0
	for path, p := range x.by {
		if strings.HasPrefix(path, "github.com/gomlx/gomlx/") && p.name != "main" {
			text += "import _ \"" + path + "\"\n"
			number++
		}
	}
	if number < 40 {
		t.Fatalf("%d packages", number)
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(text+"func main() {}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "vet", ".") // It type-checks, and links nothing.
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
