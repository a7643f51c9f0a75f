// Package build makes the program of the notebook kernel, and others that are used beside it, from the project's
// sources. They are in a directory named by a digest of what they are made of, so one of another version is never taken
// for them, and what is built already is found.
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

// Kernel is a directory of built programs.
type Kernel struct {
	Dir  string // absolute
	Root string // the project it was built from, absolute
}

// Command is the program that Jupyter starts, with a connection file as its argument.
func (k Kernel) Command() string { return filepath.Join(k.Dir, "gokernel") }

// goplsVersion is of golang.org/x/tools/gopls.
const goplsVersion = "v0.23.0"

// Completion is gopls, which the kernel asks for completions and hover texts; it need not be there. Kernels of several
// versions share it.
func (k Kernel) Completion() string {
	return filepath.Join(filepath.Dir(k.Dir), "gopls-"+goplsVersion+"-"+runtime.Version())
}

// Built says whether the program that a notebook needs is there, whole.
func (k Kernel) Built() bool { return Whole(k.Command()) }

// Find names the kernel that belongs to the project in which the directory dir is, as it is now, built or not.
func Find(dir string) (Kernel, error) {
	root, err := project.Root(dir)
	if err != nil {
		return Kernel{}, err
	}
	sum, err := sourceDigest(root)
	if err != nil {
		return Kernel{}, err
	}
	home, err := project.Cache("kernel", sum)
	return Kernel{Dir: home, Root: root}, err
}

// sources are the directories of the project whose Go files the kernel is made of.
var sources = []string{"kernel", "internal", "interp/near", "notebooks/claim/record", "notebooks/internal/number"}

// sourceDigest is over all that decides what the programs are: the toolchain, the module versions, the sources.
func sourceDigest(root string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, "kernel 4", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	add := func(name string) error {
		b, err := os.ReadFile(filepath.Join(root, name))
		fmt.Fprintf(h, "%s %d\n%s", name, len(b), b)
		return err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := add(name); err != nil {
			return "", err
		}
	}
	for _, dir := range sources {
		err := fs.WalkDir(os.DirFS(root), dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			return add(filepath.FromSlash(name))
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// Build builds the kernel if it is missing, and says so on progress. Two processes may build at once: the first to be
// ready wins.
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
	// The flags are those that everything else is built with, so that the go command's cache holds each package once.
	if err := k.run(ctx, progress, "the kernel", nil, "build", "-buildvcs=false", "-ldflags=-s -w",
		"-o", tmp+string(filepath.Separator), "./kernel/gokernel"); err != nil {
		return err
	}
	if err := os.MkdirAll(k.Dir, 0o777); err != nil {
		return err
	}
	return keep(filepath.Join(tmp, filepath.Base(k.Command())), k.Command())
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
	if Whole(k.Completion()) {
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
	env := []string{"GOBIN=" + tmp}
	if err := k.run(ctx, progress, "gopls", env, "install", "golang.org/x/tools/gopls@"+goplsVersion); err != nil {
		return err
	}
	return keep(filepath.Join(tmp, "gopls"), k.Completion())
}

// Warm compiles, and throws away, the packages that cells may import, so that the first cell does not wait for them;
// env is what the kernel will run in. What fails to compile is left for the cell that imports it to report.
func (k Kernel) Warm(ctx context.Context, env []string, progress io.Writer) error {
	err := k.run(ctx, progress, "the packages that cells import", env,
		"build", "-buildmode=archive", // it leaves main packages out
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
	unlock, err := lock(ctx, file+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if !Whole(file) { // The go command would see by its head that it is up to date.
		os.Remove(file)
	}
	err = k.run(ctx, progress, "the command "+name, nil, "build", "-buildvcs=false", "-ldflags=-w", "-o", file, "./kernel/"+name)
	if err != nil || Whole(file) {
		return file, err
	}
	return file, keep(file, file)
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

// run runs the go command in the project; what takes longer than a moment is announced and timed on progress.
func (k Kernel) run(ctx context.Context, progress io.Writer, what string, env []string, args ...string) error {
	begin := time.Now()
	announce := time.AfterFunc(300*time.Millisecond, func() { fmt.Fprintf(progress, "  building %s …\n", what) })
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
