// Package build makes the programs of the notebook kernel from the project's pinned modules: GoNB (mended), goimports,
// and the launcher. They live in a directory named by a digest of what they are made of, so an outdated kernel is one
// that is not there, several versions live side by side, and building twice is finding it.
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

func (k Kernel) program(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(k.Dir, filepath.FromSlash(name))
}

// Built says whether all programs that a notebook needs are there.
func (k Kernel) Built() bool {
	for _, name := range []string{"gonb", "bin/goimports", "launcher", "bin/go"} {
		if _, err := os.Stat(k.program(name)); err != nil {
			return false
		}
	}
	return true
}

// Find names the kernel that belongs to the project at root as it is now, built or not.
func Find(root string) (Kernel, error) {
	sum, err := digest(root)
	if err != nil {
		return Kernel{}, err
	}
	dir, err := project.Cache("kernel", sum)
	return Kernel{Dir: dir, Root: root}, err
}

// digest is over all that decides what the programs are: the toolchain, the module versions, the mends, the launcher.
func digest(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, "kernel 2", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, m := range mends {
		fmt.Fprintf(h, "%q\n", m)
	}
	files := []string{filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum")}
	for _, dir := range []string{"kernel/launcher", "internal/project"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
		if err != nil {
			return "", err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", filepath.Base(file), len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

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
	original, err := k.moduleDir(ctx, gonbModule)
	if err != nil {
		return err
	}
	sources := filepath.Join(tmp, "source")
	if err := mended(original, sources, mends); err != nil {
		return err
	}
	mod, err := goMod(k.Root, sources, tmp)
	if err != nil {
		return err
	}
	// One build compiles on all processors, and with the flags that everything else is built with, so that the go
	// command's cache holds each package once.
	if err := run(ctx, progress, "GoNB, goimports and the launcher", k.Root, nil, "build", "-buildvcs=false", "-ldflags=-s -w", "-modfile="+mod,
		"-o", tmp+string(filepath.Separator), "./kernel/launcher", "golang.org/x/tools/cmd/goimports", gonbModule); err != nil {
		return err
	}
	half := Kernel{Dir: tmp, Root: k.Root}
	if err := errors.Join(os.Mkdir(filepath.Join(tmp, "bin"), 0o777), os.Rename(half.program("goimports"), half.program("bin/goimports"))); err != nil {
		return err
	}
	if err := os.Symlink("../launcher", half.program("bin/go")); err != nil {
		// Where links need a privilege, a copy does.
		if err := copyFile(half.program("bin/go"), half.Launcher()); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(sources), os.Remove(mod), os.Remove(strings.TrimSuffix(mod, ".mod")+".sum")); err != nil {
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

// pureGo is the file whose presence tells the launcher that graphs run on the pure Go backend, whose matrix products
// need Go's SIMD experiment to be usable.
func (k Kernel) pureGo() string { return filepath.Join(k.Dir, "pure-go") }

// SetPureGo tells kernels that start from now on whether the pure Go backend is all there is.
func (k Kernel) SetPureGo(yes bool) error {
	if yes {
		return os.WriteFile(k.pureGo(), nil, 0o666)
	}
	if err := os.Remove(k.pureGo()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SIMD is the environment env, and in it Go's SIMD experiment where the processor has a use for it.
func SIMD(env []string) []string {
	if runtime.GOARCH != "amd64" {
		return env
	}
	experiments := strings.Split(os.Getenv("GOEXPERIMENT"), ",")
	if !slices.Contains(experiments, "simd") {
		experiments = append(experiments, "simd")
	}
	return append(env[:len(env):len(env)], "GOEXPERIMENT="+strings.TrimPrefix(strings.Join(experiments, ","), ","))
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
	if err := run(ctx, progress, "gopls", tmp, []string{"GOBIN=" + tmp}, "install", version); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tmp, filepath.Base(k.Completion())), k.Completion())
}

// Warm compiles, and throws away, the packages that cells may import, so that the first cell does not wait for them;
// env is what the kernel will run in. What fails to compile is left for the cell that imports it to report.
func (k Kernel) Warm(ctx context.Context, env []string, progress io.Writer) error {
	args := []string{"build", "-buildmode=archive"} // It leaves main packages out.
	for _, dir := range []string{"interp", "models", "notebooks"} {
		if found, err := hasGo(filepath.Join(k.Root, dir)); err != nil {
			return err
		} else if found {
			args = append(args, "./"+dir+"/...")
		}
	}
	if len(args) == 2 {
		return nil
	}
	err := run(ctx, progress, "the packages that cells import", k.Root, env, args...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintln(progress, "  not everything compiles; a cell that needs it will say what")
	}
	return nil
}

// hasGo says whether dir or a directory below it holds a Go file.
func hasGo(dir string) (bool, error) {
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if strings.HasSuffix(path, ".go") {
			return found
		}
		return nil
	})
	if err == found {
		return true, nil
	}
	return false, err
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
func (k Kernel) beside(name string) string {
	return Kernel{Dir: filepath.Dir(k.Dir)}.program(filepath.Base(k.Dir) + "-" + name)
}

// Program builds the command kernel/NAME, one of those that are programs of their own, and returns its file. It is kept
// beside the kernel, and linked again only when it has changed.
func (k Kernel) Program(ctx context.Context, name string, progress io.Writer) (file string, err error) {
	if err := os.MkdirAll(filepath.Dir(k.Dir), 0o777); err != nil {
		return "", err
	}
	file = k.beside(name)
	return file, run(ctx, progress, "the command "+name, k.Root, nil, "build", "-buildvcs=false", "-ldflags=-w", "-o", file, "./kernel/"+name)
}

// OpenEngine has the engine opened by the Program of that name, which is built; XLA's plugin is downloaded first if it is
// missing and install says so. What the program has to say goes to progress.
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

// moduleDir downloads the module, at the version that the project's go.mod selects, and says where it is.
func (k Kernel) moduleDir(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", path)
	cmd.Dir = k.Root
	out, err := cmd.Output()
	var m struct{ Dir, Error string }
	if json.Unmarshal(out, &m) == nil && m.Error != "" {
		return "", fmt.Errorf("%s: %s: without a network, GOPROXY can name a directory that holds it", path, m.Error)
	}
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w%s", path, err, stderrOf(err))
	}
	return m.Dir, nil
}

func stderrOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return ": " + strings.TrimSpace(string(exit.Stderr))
	}
	return ""
}

// run runs the go command in dir; what takes longer than a moment is announced and timed on progress.
func run(ctx context.Context, progress io.Writer, what, dir string, env []string, args ...string) error {
	begin := time.Now()
	announce := time.AfterFunc(time.Second, func() { fmt.Fprintf(progress, "  building %s …\n", what) })
	defer announce.Stop()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...) // The last of equal names counts.
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("building %s: go %s: %w\n%s", what, strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	if !announce.Stop() {
		fmt.Fprintf(progress, "  built %s in %.1f s\n", what, time.Since(begin).Seconds())
	}
	return nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o777)
}
