// Package packages knows the packages that a cell can import, by their names and by what they export.
package packages

import (
	"context"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Index knows the packages of the standard library and of a module's requirements. It reads directories when they are
// first asked about.
type Index struct {
	roots []*root // the likeliest first
	mu    sync.Mutex
	by    map[string]*pkg // by path, of what was read
}

// root is a tree of packages.
type root struct {
	path, dir string // the import path of dir; "" for the standard library
	packages  []*pkg // nil until it is read
	read      bool
}

type pkg struct {
	path, name, dir string
	exports         []string
	parsed          bool
}

// Load finds the trees for the module in dir, with a go command whose environment is env. The modules of prefer come
// right after the standard library. When ctx ends, so does the go command.
func Load(ctx context.Context, goCommand, dir string, env []string, prefer string) (*Index, error) {
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, goCommand, args...)
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, env, time.Second
		out, err := cmd.Output()
		if exit, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("packages: go %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
		}
		return string(out), err
	}
	goroot, err := run("env", "GOROOT")
	if err != nil {
		return nil, err
	}
	modules, err := run("list", "-m", "-f", "{{if .Dir}}{{.Indirect}}\t{{.Main}}\t{{.Path}}\t{{.Dir}}{{end}}", "all")
	if err != nil {
		return nil, err
	}
	x := &Index{by: map[string]*pkg{}, roots: []*root{{dir: filepath.Join(strings.TrimSpace(goroot), "src")}}}
	var direct, indirect []*root
	for line := range strings.Lines(modules) {
		field := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(field) != 4 || field[1] == "true" {
			continue
		}
		r := &root{path: field[2], dir: field[3]}
		switch {
		case r.path == prefer:
			x.roots = append(x.roots, r)
		case field[0] == "true":
			indirect = append(indirect, r)
		default:
			direct = append(direct, r)
		}
	}
	x.roots = slices.Concat(x.roots, direct, indirect)
	return x, nil
}

// walk reads which packages a tree has.
func (x *Index) walk(r *root) []*pkg {
	if r.read {
		return r.packages
	}
	r.read = true
	filepath.WalkDir(r.dir, func(dir string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		name := d.Name()
		if dir != r.dir {
			if name == "testdata" || name == "vendor" || name == "internal" || name[0] == '.' || name[0] == '_' {
				return filepath.SkipDir
			}
			if r.path == "" && name == "cmd" && filepath.Dir(dir) == r.dir {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil { // a module of its own
				return filepath.SkipDir
			}
		}
		rel, err := filepath.Rel(r.dir, dir)
		if err != nil {
			return nil
		}
		if p := (&pkg{path: path.Join(r.path, filepath.ToSlash(rel)), dir: dir}); p.clause() {
			r.packages = append(r.packages, p)
			x.by[p.path] = p
		}
		return nil
	})
	return r.packages
}

// files are the package's Go files for this system, without tests.
func (p *pkg) files() (names []string) {
	all, err := os.ReadDir(p.dir)
	if err != nil {
		return nil
	}
	for _, f := range all {
		name := f.Name()
		if f.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(p.dir, name); err == nil && ok {
			names = append(names, filepath.Join(p.dir, name))
		}
	}
	return names
}

// clause reads the package's name, and says whether cells can import it.
func (p *pkg) clause() bool {
	for _, file := range p.files() {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly)
		if err == nil && f.Name.Name != "documentation" {
			p.name = f.Name.Name
			return p.name != "main"
		}
	}
	return false
}

// Exports are the names that a package exports, in order; nil where there is no such package.
func (x *Index) Exports(path string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.find(path)
	if p == nil {
		return nil
	}
	return p.exported()
}

func (p *pkg) exported() []string {
	if p.parsed {
		return p.exports
	}
	p.parsed = true
	have := map[string]bool{}
	for _, file := range p.files() {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil && f == nil {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					have[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						have[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							have[n.Name] = true
						}
					}
				}
			}
		}
	}
	for name := range have {
		if token.IsExported(name) {
			p.exports = append(p.exports, name)
		}
	}
	slices.Sort(p.exports)
	return p.exports
}

// find is the package of that path, or nil.
func (x *Index) find(path string) *pkg {
	if p, ok := x.by[path]; ok {
		return p
	}
	for _, r := range x.roots {
		if r.read || r.path != "" && path != r.path && !strings.HasPrefix(path, r.path+"/") {
			continue
		}
		if r.path == "" && strings.Contains(strings.Split(path, "/")[0], ".") { // not of the standard library
			continue
		}
		x.walk(r)
		if p, ok := x.by[path]; ok {
			return p
		}
	}
	return nil
}

// Name is the package's name, or "" where there is no such package.
func (x *Index) Name(path string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.find(path); p != nil {
		return p.name
	}
	return ""
}

// Find is the path of a package of that name that exports all that is selected of it, the likeliest first: of the
// standard library, of the module that is preferred, of what is required. Where none has all, it is the one that has
// most. It is "" where there is none.
func (x *Index) Find(name string, selected []string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	best, most := "", -1
	for _, r := range x.roots {
		for _, p := range x.walk(r) {
			if p.name != name {
				continue
			}
			has := 0
			for _, s := range selected {
				if _, ok := slices.BinarySearch(p.exported(), s); ok {
					has++
				}
			}
			if has == len(selected) {
				return p.path
			}
			if has > most {
				best, most = p.path, has
			}
		}
	}
	return best
}

// Names are the names of the packages of the standard library and of the module that is preferred.
func (x *Index) Names() (all []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.roots[:min(2, len(x.roots))] {
		for _, p := range x.walk(r) {
			all = append(all, p.name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
