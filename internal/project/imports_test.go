package project_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lucigo/internal/project"
)

// imports says what the packages of a folder, and of those below it, may import of the project. The longest
// folder that fits a package counts, and a package may always import those below it. ARCHITECTURE.md has the
// reasons.
var imports = map[string][]string{
	"internal":                {},
	"interp":                  {"internal", "interp/engine", "interp/internal", "interp/layer", "interp/near", "interp/random"},
	"interp/engine":           {"internal"},
	"interp/internal":         {},
	"interp/layer":            {"interp/near"},
	"interp/near":             {},
	"interp/random":           {},
	"interp/descent":          {},
	"interp/lbfgsb":           {},
	"interp/measure":          {"internal", "interp", "interp/random"},
	"interp/objective":        {"interp", "interp/layer"},
	"interp/render":           {"interp"},
	"interp/receptive":        {"interp", "interp/layer", "interp/random"},
	"interp/saliency":         {"internal", "interp", "interp/layer", "interp/measure", "interp/near", "interp/objective", "interp/random", "interp/superpixel"},
	"interp/superpixel":       {"internal"},
	"interp/channel":          {"internal", "interp", "interp/layer", "interp/random"},
	"interp/sanity":           {"internal", "interp", "interp/channel", "interp/measure", "interp/near", "interp/objective", "interp/random", "interp/saliency"},
	"interp/cause":            {"internal", "interp", "interp/internal", "interp/measure", "interp/objective", "interp/saliency"},
	"interp/attack":           {"internal", "interp", "interp/descent", "interp/layer", "interp/lbfgsb", "interp/objective", "interp/random"},
	"interp/attack/physical":  {"internal", "interp", "interp/objective", "interp/random", "interp/render"},
	"interp/attack/defence":   {"interp", "interp/attack", "interp/layer", "interp/train"},
	"interp/attack/api":       {"internal", "interp", "interp/attack", "interp/layer", "interp/objective", "interp/random", "interp/train"},
	"interp/attack/smoothing": {"internal", "interp", "interp/attack/card", "interp/layer", "interp/random"},
	"interp/concept":          {"internal", "interp", "interp/measure", "interp/objective", "interp/random"},
	"interp/train":            {"interp", "interp/descent", "interp/random"},
	"interp/exemplar":         {"internal", "interp", "interp/layer", "interp/near", "interp/random", "interp/receptive"},
	"interp/featvis":          {"internal", "interp", "interp/descent", "interp/layer", "interp/random"},
	"interp/dream":            {"interp", "interp/layer", "interp/random"},
	"interp/interptest":       {"internal", "interp", "interp/engine", "interp/internal", "interp/layer", "interp/random"},
	"models":                  {"internal", "interp", "interp/engine", "interp/layer", "interp/near", "interp/random", "interp/render"},
	"models/strangers":        {"interp", "interp/interptest/shared", "interp/layer", "models/dataset", "models/imagenet", "models/named"},
	"notebooks":               {"internal", "interp", "interp/attack", "interp/cause", "interp/channel", "interp/concept", "interp/dream", "interp/exemplar", "interp/featvis", "interp/measure", "interp/near", "interp/objective", "interp/receptive", "interp/sanity", "models"},
	"notebooks/claim":         {"notebooks/internal"},
	"kernel":                  {"internal", "interp/near", "notebooks/claim/record"},
	"kernel/engine":           {"interp/engine"},
	"kernel/models":           {"interp", "interp/attack/api", "interp/engine", "models", "notebooks/microscope", "notebooks/show", "notebooks/subject"},
	"models/digits/train":     {"interp", "interp/train", "models"},
	"models/scenes/train":     {"internal", "interp", "interp/attack/smoothing", "interp/featvis", "interp/layer", "interp/near", "interp/objective", "interp/train", "models"},
}

// Imports point one way: a package imports what it is listed to import.
func TestImportsPointOneWay(t *testing.T) {
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != root || d.Name() == "testdata" || d.Name() == "out"):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		from := filepath.ToSlash(relative)
		folder := from
		for folder != "." && imports[folder] == nil {
			folder = path.Dir(folder)
		}
		if folder == "." {
			t.Errorf("%s: no folder of the table fits", from)
			return nil
		}
		packages++
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to, ours := strings.CutPrefix(to, "lucigo/")
			if !ours || below(to, folder) && folder != "interp" {
				continue
			}
			allowed := func(name string) bool { return to == name || name != "interp" && below(to, name) }
			if !slices.ContainsFunc(imports[folder], allowed) {
				t.Errorf("%s imports %s, and may import %q", from, to, imports[folder])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages < 100 {
		t.Errorf("%d files were looked at", packages)
	}
}

func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }
