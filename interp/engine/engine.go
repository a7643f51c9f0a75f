// Package engine chooses and opens the backend that runs every graph: XLA on a GPU, XLA on the processor, or GoMLX's
// pure Go backend where there is no XLA.
//
// XLA is a plugin, a shared library that is found or installed once (package install) and loaded while the program
// runs. What it compiles is kept in a directory, so that the next process loads a network in a fraction of a second
// instead of compiling it for many.
//
// The environment decides, unless a Config does:
//
//	LUCIGO_BACKEND        xla, xla:cpu, xla:/absolute/plugin.so, cuda or go; default: the fastest that is there
//	LUCIGO_CACHE          directory of everything kept between runs; default: lucigo in the user's cache directory
//	LUCIGO_COMPILE_CACHE  off, or the directory of compiled programs; default: compile in LUCIGO_CACHE, off on macOS
//	GOMLX_NO_AUTO_INSTALL set to anything: never download a plugin
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"lucigo/internal/project"
	"lucigo/interp/engine/internal/diskcache"
	"lucigo/interp/engine/internal/plugin"
)

// A Kind is what runs the graphs.
type Kind int

// The kinds of engine.
const (
	Go      Kind = iota // GoMLX's backend in pure Go
	XLACPU              // XLA on the processor
	XLACUDA             // XLA on an NVIDIA GPU
)

var kindNames = [...]string{Go: "go", XLACPU: "xla:cpu", XLACUDA: "xla:cuda"}

// String returns "go", "xla:cpu" or "xla:cuda".
func (k Kind) String() string { return kindNames[k] }

// compileCacheBytes is how large the compile cache may grow: about two thousand networks' gradients.
const compileCacheBytes = 2 << 30

// An Engine is an open backend. It is safe for concurrent use.
type Engine struct {
	// Backend is what GoMLX's functions take. It is a field, and an Engine is no backend itself, because GoMLX
	// compares backends: a tensor that came out of this one can only be fed to this very one.
	Backend compute.Backend

	kind     Kind
	path     string // the plugin's file
	version  string // the plugin's account of itself
	notice   string
	passed   error          // why other plugins were not taken, which would have come first
	store    *diskcache.Dir // nil: programs are not kept
	cacheOff string         // why
	client   *plugin.Client // nil for Go
}

// A Config says what Open opens. Its zero value is the environment's choice.
type Config struct {
	// Backend is a value as LUCIGO_BACKEND takes; "" means that variable's.
	Backend string
	// CompileCache is "off", or the directory of compiled programs; "" means LUCIGO_COMPILE_CACHE's.
	CompileCache string
	// CompileCacheBytes bounds that directory; 0 means 2 GB.
	CompileCacheBytes int64
	// NoInstall forbids downloading a plugin, which only programs that link package install can do anyway.
	NoInstall bool
	// Log receives the lines meant for the user; nil prints them on standard output.
	Log func(line string)

	cacheDir string // of everything kept between runs; "" if there is none
	noCache  error  // then why
}

// CacheStats says what the compile cache did for an engine since it was opened.
type CacheStats struct {
	// Dir is the directory, "" where nothing is kept; Off then says why.
	Dir, Off string
	// Hits counts programs that were loaded; Misses those compiled because no usable entry was there; Refused those
	// compiled because the plugin would not load an intact entry; Stored those written.
	Hits, Misses, Refused, Stored int
	// Bytes is the size of the directory's entries now.
	Bytes int64
	// Problem is the last thing that went wrong, "" if nothing did. It costs time, never a result.
	Problem string
}

var defaultEngine = sync.OnceValues(func() (*Engine, error) { return Open(Config{}) })

// Default returns the process's engine, opened at the first call as the environment says.
func Default() (*Engine, error) { return defaultEngine() }

var allEngines = sync.OnceValues(func() ([]*Engine, error) {
	first, err := Default()
	if err != nil {
		return nil, err
	}
	all := []*Engine{first}
	for kind := first.kind - 1; kind >= Go && os.Getenv(envBackend) == ""; kind-- {
		e, err := Open(Config{Backend: kind.String()})
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
})

// All returns an engine of every kind that this machine has, each opened once per process, Default first: what a test
// runs over, with Kind().String() as the name of the subtest. Where LUCIGO_BACKEND is set, it is that one alone.
// XLA is installed first if it is missing and the program links package install; a machine without it has Go alone,
// whose Notice says why.
func All() ([]*Engine, error) { return allEngines() }

// Kind says what runs the graphs.
func (e *Engine) Kind() Kind { return e.kind }

// PluginFile returns the XLA plugin's file, "" for Go.
func (e *Engine) PluginFile() string { return e.path }

// Notice returns one line for the user where the engine is not the fastest that the machine could have: what that
// costs and what to do. It is "" otherwise.
func (e *Engine) Notice() string { return e.notice }

// String names backend, platform and plugin file, on one line. Where plugins that would have come first were passed over,
// it says which and why.
func (e *Engine) String() string {
	if e.kind == Go {
		return "go (pure Go backend of GoMLX)"
	}
	s := fmt.Sprintf("%s (%s, %s)", e.kind, e.version, e.path)
	if e.passed != nil {
		s += "; passed over: " + oneLine(e.passed)
	}
	return s
}

// CacheStats returns what the compile cache did so far.
func (e *Engine) CacheStats() CacheStats {
	if e.store == nil {
		return CacheStats{Off: e.cacheOff}
	}
	s := e.client.Stats()
	out := CacheStats{Dir: e.store.Path(), Hits: s.Hits, Misses: s.Misses, Refused: s.Refused, Stored: s.Stored, Problem: s.Problem}
	var err error
	if out.Bytes, err = e.store.Bytes(); err != nil {
		out.Problem = err.Error()
	}
	return out
}

// An Installer fetches the XLA plugin for the processor into the cache directory and returns its file.
type Installer func(ctx context.Context, cacheDir string, log func(string)) (string, error)

var installer Installer

// RegisterInstaller is called once, by the initialisation of package install: a program that does not link that
// package carries nothing that downloads.
func RegisterInstaller(f Installer) { installer = f }

const (
	envBackend      = "LUCIGO_BACKEND"
	envCompileCache = "LUCIGO_COMPILE_CACHE"
	envNoInstall    = "GOMLX_NO_AUTO_INSTALL"
)

// Open opens an engine. Without a choice it tries XLA on a GPU, XLA on the processor and the Go backend, in this
// order, and Log gets the engine's Notice. A backend that was asked for and cannot be opened is an error.
func Open(cfg Config) (*Engine, error) {
	e, err := open(cfg)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return e, nil
}

func open(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		cfg.Log = func(line string) { fmt.Println(line) }
	}
	cfg.Backend = cmp.Or(cfg.Backend, os.Getenv(envBackend))
	cfg.cacheDir, cfg.noCache = project.Cache() // without one, nothing is found there and nothing kept
	cfg.NoInstall = cfg.NoInstall || os.Getenv(envNoInstall) != "" || cfg.noCache != nil
	path, isXLA := strings.CutPrefix(cfg.Backend, "xla:")
	switch cfg.Backend {
	case "":
		return openBest(cfg)
	case "go":
		return openGo("")
	case "xla":
		e, gpuErr := openCUDA(cfg)
		if gpuErr == nil {
			return e, nil
		}
		e, err := openCPU(cfg)
		if err == nil && !errors.Is(gpuErr, errNoGPU) {
			e.passed = errors.Join(gpuErr, e.passed)
		}
		return e, err
	case "xla:cpu":
		return openCPU(cfg)
	case "cuda", "xla:cuda":
		return openCUDA(cfg)
	}
	if isXLA && filepath.IsAbs(path) {
		e, err := openPlugin(cfg, path, guessKind(path))
		if err != nil {
			err = fmt.Errorf("%w; get another with go run ./kernel install, and unset %s", err, envBackend)
		}
		return e, err
	}
	return nil, fmt.Errorf("there is no backend %q: %s takes xla, xla:cpu, xla:/absolute/path/of/a/plugin.so, cuda or go; "+
		"unset it for the fastest that is there", cfg.Backend, envBackend)
}

// openBest opens the fastest engine that the machine has and says so where that is not what it could have.
func openBest(cfg Config) (*Engine, error) {
	e, gpuErr := openCUDA(cfg)
	if gpuErr == nil {
		return e, nil
	}
	e, err := openCPU(cfg)
	switch {
	case err != nil:
		e, err = openGo("LuciGo runs on the pure Go backend, on which real networks take 4 to 40 times as long: " + oneLine(err) + ".")
		if err != nil {
			return nil, err
		}
	case !errors.Is(gpuErr, errNoGPU):
		e.notice = "LuciGo runs on the processor although there is a GPU: " + oneLine(gpuErr) + "."
	}
	if e.notice != "" {
		cfg.Log(e.notice)
	}
	return e, nil
}

func openGo(notice string) (*Engine, error) {
	// In its default mode this backend can wait for itself for ever when operations run side by side.
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("the Go backend does not start: %w", err)
	}
	return &Engine{Backend: backend, kind: Go, notice: notice, cacheOff: "the Go backend compiles nothing worth keeping"}, nil
}

func openCPU(cfg Config) (*Engine, error) {
	if !plugin.Supported {
		return nil, errors.New(plugin.Unsupported())
	}
	e, problems := openFirst(cfg, cpuPlugins(cfg.cacheDir), XLACPU)
	if e != nil {
		return e, nil
	}
	if installer != nil && !cfg.NoInstall {
		path, err := installer(context.Background(), cfg.cacheDir, cfg.Log)
		if err != nil {
			return nil, errors.Join(append(problems, err)...)
		}
		paths := cpuPlugins(cfg.cacheDir)
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
		e, problems = openFirst(cfg, paths, XLACPU) // One of them may have been repaired.
		return e, errors.Join(problems...)
	}
	if cfg.noCache != nil {
		problems = append(problems, fmt.Errorf("there is no place for one: %w", cfg.noCache))
	}
	if len(problems) == 0 {
		problems = append(problems, errors.New("no XLA plugin is installed"))
	}
	return nil, errors.Join(append(problems, errors.New("get one with go run ./kernel install (63 MB)"))...)
}

func openCUDA(cfg Config) (*Engine, error) {
	if !hasGPU() {
		return nil, errNoGPU
	}
	paths := cudaPlugins()
	if len(paths) == 0 {
		return nil, errors.New(`no CUDA plugin of XLA is installed; get it with python3 -m pip install "jax-cuda13-plugin[with-cuda]", ` +
			"or name its file with " + envBackend + "=xla:/absolute/path/of/xla_cuda_plugin.so")
	}
	e, problems := openFirst(cfg, paths, XLACUDA)
	return e, errors.Join(problems...)
}

// openFirst opens the first of the plugin files that can be opened, or returns why none can.
func openFirst(cfg Config, paths []string, kind Kind) (*Engine, []error) {
	var problems []error
	for _, path := range paths {
		e, err := openPlugin(cfg, path, kind)
		if err == nil {
			e.passed = errors.Join(problems...)
			return e, nil
		}
		problems = append(problems, err)
	}
	return nil, problems
}

// openPlugin opens a plugin file, with the compile cache if there can be one.
func openPlugin(cfg Config, path string, kind Kind) (*Engine, error) {
	if !plugin.Supported {
		return nil, errors.New(plugin.Unsupported())
	}
	if err := plugin.Check(context.Background(), path); err != nil {
		return nil, fmt.Errorf("the XLA plugin %s is not loaded: %w", path, err)
	}
	if kind == XLACUDA {
		prepareCUDA(path)
	} else {
		prepareCPU()
	}
	e := &Engine{path: path}
	e.store, e.cacheOff = openCache(cfg)
	client, err := plugin.Open(path, strings.TrimPrefix(kind.String(), "xla:"), e.store)
	if err != nil {
		return nil, err
	}
	e.Backend, e.client, e.version = client.Backend, client, client.Version
	if e.kind = Kind(slices.Index(kindNames[:], "xla:"+client.Platform)); e.kind < 0 {
		client.Backend.Finalize()
		return nil, fmt.Errorf("the XLA plugin %s runs on %q, and this program knows cpu and cuda", path, client.Platform)
	}
	return e, nil
}

// openCache returns the directory of compiled programs, or why there is none.
func openCache(cfg Config) (store *diskcache.Dir, off string) {
	dir := cmp.Or(cfg.CompileCache, os.Getenv(envCompileCache))
	switch {
	case dir == "off":
		return nil, "turned off"
	case dir == "" && runtime.GOOS == "darwin":
		return nil, "off on macOS unless " + envCompileCache + " names a directory"
	case dir == "" && cfg.cacheDir == "":
		return nil, cfg.noCache.Error()
	case dir == "":
		dir = filepath.Join(cfg.cacheDir, "compile")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		store, err = diskcache.Open(dir, cmp.Or(cfg.CompileCacheBytes, compileCacheBytes))
	}
	if err != nil {
		return nil, err.Error()
	}
	return store, ""
}

// oneLine puts joined errors on one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
