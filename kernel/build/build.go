// Package build makes the programs of the notebook kernel from the project's pinned modules: GoNB (patched), goimports,
// and the launcher. They are in a directory named by a digest of what they are made of, so one of another version is
// never taken for them, and what is built already is found.
package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"lucigo/internal/project"
)

// Kernel is a directory of built programs: launcher, gonb, bin/goimports, bin/go (the launcher again), and bin/gopls
// where completion was asked for.
type Kernel struct {
	Dir  string // absolute
	Root string // the project it was built from, absolute
}

// Launcher is the program that Jupyter starts, with a connection file as its argument.
func (k Kernel) Launcher() string { return k.program("launcher") }

// Completion is gopls, which GoNB asks for completions and hover texts; it need not be there.
func (k Kernel) Completion() string { return k.program("bin/gopls") }

func (k Kernel) program(name string) string { return filepath.Join(k.Dir, name) }

// Built says whether all programs that a notebook needs are there.
func (k Kernel) Built() bool {
	for _, name := range []string{"gonb", "bin/goimports", "launcher", "bin/go"} {
		if _, err := os.Stat(k.program(name)); err != nil {
			return false
		}
	}
	return true
}

// Find names the kernel that belongs to the project in which the directory dir is, as it is now, built or not.
func Find(dir string) (Kernel, error) {
	root, err := project.Root(dir)
	if err != nil {
		return Kernel{}, err
	}
	sum, err := digest(root, patches)
	if err != nil {
		return Kernel{}, err
	}
	home, err := project.Cache("kernel", sum)
	return Kernel{Dir: home, Root: root}, err
}

// digest is over all that decides what the programs are: the toolchain, the module versions, the patches, the launcher.
func digest(root string, patches fs.FS) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, "kernel 3", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	project := os.DirFS(root)
	for _, source := range []struct {
		files   fs.FS
		pattern string
	}{{patches, "patches/*"}, {project, "go.mod"}, {project, "go.sum"}, {project, "kernel/launcher/*.go"}, {project, "internal/project/*.go"}} {
		names, err := fs.Glob(source.files, source.pattern)
		if err != nil {
			return "", err
		}
		for _, name := range names {
			b, err := fs.ReadFile(source.files, name)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

const gonbModule = "github.com/janpfeifer/gonb"

// Build builds what is missing, and says so line by line on progress. Two processes may build at once: each works in a
// directory of its own, and the first to be ready wins.
func (k Kernel) Build(ctx context.Context, progress io.Writer) error {
	if k.Built() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(k.Dir), 0o777); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(k.Dir), "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	mod, err := k.sources(ctx, filepath.Join(tmp, "sources"), progress)
	if err != nil {
		return err
	}
	// One build compiles on all processors, and with the flags that everything else is built with, so that the go
	// command's cache holds each package once.
	if err := k.run(ctx, progress, "GoNB, goimports and the launcher", nil, "build", "-buildvcs=false", "-ldflags=-s -w", "-modfile="+mod,
		"-o", tmp+string(filepath.Separator), "./kernel/launcher", "golang.org/x/tools/cmd/goimports", gonbModule); err != nil {
		return err
	}
	half := Kernel{Dir: tmp, Root: k.Root}
	if err := errors.Join(os.Mkdir(filepath.Join(tmp, "bin"), 0o777), os.Rename(half.program("goimports"), half.program("bin/goimports")),
		os.Symlink("../launcher", half.program("bin/go")), os.RemoveAll(filepath.Dir(mod))); err != nil {
		return err
	}
	if k.Built() { // By another process meanwhile: cells may be using it.
		return nil
	}
	if err := os.RemoveAll(k.Dir); err != nil { // An incomplete one.
		return err
	}
	if err := os.Rename(tmp, k.Dir); err != nil && !k.Built() {
		return err
	}
	return nil
}

// sources makes dir, with GoNB patched in it, and the project's go.mod and go.sum, in which GoNB is taken from there.
// It returns the file for go build -modfile. (The go command overlays no file of the module cache.)
func (k Kernel) sources(ctx context.Context, dir string, progress io.Writer) (mod string, err error) {
	original, err := k.gonb(ctx)
	if err != nil {
		return "", err
	}
	gonb := filepath.Join(dir, "gonb")
	if err := patched(original, gonb, patches); err != nil {
		return "", err
	}
	for _, ext := range []string{".mod", ".sum"} {
		b, err := os.ReadFile(filepath.Join(k.Root, "go"+ext))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, "patched"+ext), b, 0o666); err != nil {
			return "", err
		}
	}
	mod = filepath.Join(dir, "patched.mod")
	return mod, k.run(ctx, progress, "GoNB's module", nil, "mod", "edit", "-replace="+gonbModule+"="+gonb, mod)
}

// Experiments is the value of GOEXPERIMENT with which the pure Go backend's matrix products are usable: the user's own
// experiments, and SIMD where the processor has a use for it.
func Experiments() string {
	experiments := strings.FieldsFunc(os.Getenv("GOEXPERIMENT"), func(r rune) bool { return r == ',' })
	if runtime.GOARCH == "amd64" && !slices.Contains(experiments, "simd") {
		experiments = append(experiments, "simd")
	}
	return strings.Join(experiments, ",")
}

// BuildCompletion adds gopls, at a version of its own outside the project's go.mod; the network is needed once.
func (k Kernel) BuildCompletion(ctx context.Context, progress io.Writer) error {
	if _, err := os.Stat(k.Completion()); err == nil {
		return nil
	}
	const version = "golang.org/x/tools/gopls@v0.21.1"
	tmp, err := os.MkdirTemp(k.Dir, "gopls-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := k.run(ctx, progress, "gopls", []string{"GOBIN=" + tmp}, "install", version); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tmp, filepath.Base(k.Completion())), k.Completion())
}

// Warm compiles, and throws away, the packages that cells may import, so that the first cell does not wait for them;
// env is what the kernel will run in. What fails to compile is left for the cell that imports it to report. It is a
// build of its own: with Build's go.mod everything that imports GoNB would be compiled for a directory that cells never
// use.
func (k Kernel) Warm(ctx context.Context, env []string, progress io.Writer) error {
	err := k.run(ctx, progress, "the packages that cells import", env, "build", "-buildmode=archive", // it leaves main packages out
		"./interp/...", "./models/...", "./notebooks/...")
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(progress, "  not everything compiles; a cell that needs it will say what")
	}
	return ctx.Err()
}

// Engine is what runs the graphs of cells, as the command kernel/engine describes it.
type Engine struct {
	Kind   string // go, xla:cpu or xla:cuda
	Name   string // in words
	Notice string // what could be better, and how
	Cache  struct {
		Dir, Off, Problem            string
		Hits, Misses, Refused, Bytes int
	}
}

// beside is a program that Program builds.
func (k Kernel) beside(name string) string { return k.Dir + "-" + name }

// Program builds the command kernel/NAME, one of those that are programs of their own, and returns its file. It is kept
// beside the kernel, and linked again only when it has changed.
func (k Kernel) Program(ctx context.Context, name string, progress io.Writer) (file string, err error) {
	if err := os.MkdirAll(filepath.Dir(k.Dir), 0o777); err != nil {
		return "", err
	}
	file = k.beside(name)
	return file, k.run(ctx, progress, "the command "+name, nil, "build", "-buildvcs=false", "-ldflags=-w", "-o", file, "./kernel/"+name)
}

// OpenEngine has the engine opened by the Program of that name, which is built; XLA's plugin is downloaded first if it
// is missing and install says so. What the program has to say goes to progress.
func (k Kernel) OpenEngine(ctx context.Context, install bool, progress io.Writer) (Engine, error) {
	cmd := exec.CommandContext(ctx, k.beside("engine"), fmt.Sprintf("-no-install=%v", !install))
	cmd.Dir, cmd.Stderr, cmd.WaitDelay = k.Root, progress, time.Second
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return Engine{}, errors.New("the engine does not open, for the reason above")
	}
	if err != nil {
		return Engine{}, fmt.Errorf("opening the engine: %w", err)
	}
	var e Engine
	if err := json.Unmarshal(out, &e); err != nil {
		return Engine{}, fmt.Errorf("opening the engine: %w: %q", err, out)
	}
	return e, nil
}

// gonb downloads GoNB, at the version that the project's go.mod selects, and says where it is.
func (k Kernel) gonb(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", gonbModule)
	cmd.Dir = k.Root
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if json.Unmarshal(out, &m) == nil && m.Error != "" {
		return "", fmt.Errorf("build: %s: %s: without a network, GOPROXY can name a directory that holds it", gonbModule, m.Error)
	}
	if err != nil {
		return "", fmt.Errorf("build: go mod download %s: %w: %s", gonbModule, err, problem.String())
	}
	return m.Dir, nil
}

// run runs the go command in the project; what takes longer than a moment is announced and timed on progress.
func (k Kernel) run(ctx context.Context, progress io.Writer, what string, env []string, args ...string) error {
	begin := time.Now()
	announce := time.AfterFunc(time.Second, func() { fmt.Fprintf(progress, "  building %s …\n", what) })
	defer announce.Stop()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = k.Root, append(os.Environ(), env...), time.Second // the last of equal names counts
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("building %s: go %s: %w\n%s", what, strings.Join(args, " "), err, bytes.TrimSpace(out))
	case !announce.Stop():
		fmt.Fprintf(progress, "  built %s in %.1f s\n", what, time.Since(begin).Seconds())
	}
	return nil
}
