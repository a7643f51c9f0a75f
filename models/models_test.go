package models

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/interptest/shared"
	"lucigo/models/scenes"
)

// Every row is complete: a name of its own, a way to open it, and pictures that are there or said to be files.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range All() {
		if n.Name == "" || seen[n.Name] || strings.ContainsAny(n.Name, `.:/\`) || n.Open == nil || n.Pictures.Name == "" {
			t.Errorf("%q: the row is not complete, or its name is another's or like a file's", n.Name)
		}
		seen[n.Name] = true
		if found, err := Find(n.Name); err != nil || found.Name != n.Name {
			t.Errorf("%s: finds %q, %v", n.Name, found.Name, err)
		}
		if n.Weights != nil && n.Weights().Model != n.Name {
			t.Errorf("%s: its weights are fetched as %s", n.Name, n.Weights().Model)
		}
	}
}

// Every network has the stages of its row, in their order, and takes the images that are drawn for it.
func TestStages(t *testing.T) {
	files := map[string]func(t *testing.T) string{
		"googlenet": func(t *testing.T) string {
			return shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors")
		},
		"inception5h": func(*testing.T) string { return filepath.Join("tensorflow", "testdata", "inception_v1.pb") },
	}
	for _, row := range All() {
		t.Run(row.Name, func(t *testing.T) {
			n := row
			if row.Weights != nil {
				var err error
				if n, err = Find(files[row.Name](t)); err != nil || n.Name != row.Name || !slices.Equal(n.Stages, row.Stages) {
					t.Fatalf("the file is one of %q, with stages %v: %v", n.Name, n.Stages, err)
				}
			}
			m, err := n.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			layers, err := m.Layers()
			if err != nil {
				t.Fatal(err)
			}
			at := -1
			for _, stage := range n.Stages {
				i := slices.IndexFunc(layers, func(l interp.Layer) bool { return l.Name == stage })
				if i <= at {
					t.Errorf("stage %s is layer %d, after %d", stage, i, at)
				}
				at = i
			}
			if n.Pictures.Draw == nil {
				return
			}
			x, err := n.Pictures.Draw(3).Image(t.Context(), 2)
			if h, w, c := m.Input(); err != nil || x.H != h || x.W != w || x.C != c {
				t.Errorf("an image drawn for it is %d×%d×%d, and it takes %d×%d×%d: %v", x.H, x.W, x.C, h, w, c, err)
			}
		})
	}
}

// A file is the network's that takes files of its ending; of several, one must be named.
func TestFindFiles(t *testing.T) {
	opened := ""
	takes := func(name, ending string) Network {
		return Network{Name: name, Files: map[string]func(string) (*interp.Model, error){ending: func(path string) (*interp.Model, error) {
			opened = name + " " + path
			return scenes.Dense()
		}}}
	}
	all := []Network{takes("a", ".w"), takes("b", ".w"), takes("c", ".v")}
	for name, want := range map[string]string{"x/y.v": "c x/y.v", "x/Y.V": "c x/Y.V", "b:x/y.w": "b x/y.w", "c:y.v": "c y.v"} {
		n, err := find(all, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := n.Open(context.Background()); err != nil || opened != want {
			t.Errorf("%s: opened %s, want %s; %v", name, opened, want, err)
		}
	}
	for name, says := range map[string]string{
		"y.w": "as in a:y.w", "y.onnx": "end in .v, .w", "d:y.w": "a or b", "bb": "near it: b", "": `no network ""`,
	} {
		if n, err := find(all, name); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v; want an error that says %q", name, n.Name, err, says)
		}
	}
}
