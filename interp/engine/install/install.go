// Package install fetches the XLA plugin for the processor, once for a user: the package that the OpenXLA project
// publishes for PyPI, pinned by its hash.
//
// Linking it lets engine.Open download what is missing. Commands and tests link it; notebook cells never do, since it
// brings a terminal and an HTTP client along.
package install

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/gofrs/flock"
	"github.com/gomlx/go-xla/installer"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"lucigo/internal/atomicfile"
	"lucigo/internal/project"
	"lucigo/interp/engine"
)

func init() {
	engine.RegisterInstaller(func(ctx context.Context, cacheDir string, log func(string)) (string, error) {
		return Plugin(ctx, Options{CacheDir: cacheDir, Log: log})
	})
}

// Options are Plugin's choices.
type Options struct {
	// CacheDir is the directory of everything kept between runs; "" means LUCIGO_CACHE's.
	CacheDir string
	// Log receives one line before a download; nil drops it.
	Log func(line string)
}

// A release is one published archive, and the plugin inside.
type release struct {
	file       string // name of the archive
	size       int64  // bytes
	sha256     string // of the archive, in hexadecimal
	member     string // the plugin's name inside
	memberSize int64  // bytes
}

// releases has the archives of engine.PluginName, engine.PluginVersion by system and processor.
var releases = map[string]release{
	"linux/amd64": {
		"xla_cpu_pjrt-0.0.1-py3-none-manylinux_2_27_x86_64.whl", 63461052,
		"55837b6b7b47daa717f2d9a5a03563ea0ceaa338d06a81a1e2d3f060d960decc",
		"xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so", 259284552,
	},
	"linux/arm64": {
		"xla_cpu_pjrt-0.0.1-py3-none-manylinux_2_27_aarch64.whl", 49514947,
		"8f613be6e891858f40d64f9799319502fff42689661944fc18a6ffd8210b30c9",
		"xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so", 200328224,
	},
}

// silence is how long a server may send nothing.
const silence = time.Minute

// Plugin returns the plugin's file, after installing it if it is not there. Processes that install at the same time
// wait for one another; a download that broke off goes on where it stopped. Without a network, the error says which
// file to put where. When ctx ends, Plugin returns at once, and what it leaves behind is at most the part of the
// archive that had arrived.
func Plugin(ctx context.Context, opts Options) (path string, err error) {
	rel, ok := releases[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("%s %s is not published for %s/%s: put a PJRT plugin for the processor where go-xla looks for one, "+
			"or name its file with LUCIGO_BACKEND=xla:/absolute/path", engine.PluginName, engine.PluginVersion, runtime.GOOS, runtime.GOARCH)
	}
	if opts.CacheDir == "" {
		if opts.CacheDir, err = project.Cache(); err != nil {
			return "", err
		}
	}
	if opts.Log == nil {
		opts.Log = func(string) {}
	}
	return rel.install(ctx, engine.PluginFile(opts.CacheDir), opts.Log, rel.address)
}

// address asks the package index where the archive is.
func (rel release) address() (string, error) {
	info, err := installer.GetPipInfo(engine.PluginName)
	if err != nil {
		return "", err
	}
	exactly := regexp.MustCompile("^" + regexp.QuoteMeta(rel.file) + "$")
	found, err := installer.PipSelectRelease(info.Releases[engine.PluginVersion], exactly, false)
	if err != nil {
		return "", err
	}
	return found.URL, nil
}

// install puts the plugin at path, where address tells where the archive is to be had.
func (rel release) install(ctx context.Context, path string, log func(string), address func() (string, error)) (string, error) {
	if rel.installed(path) {
		return path, nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("no place for the XLA plugin: %w; set LUCIGO_CACHE to a directory of your own", err)
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("waiting for another installation of the XLA plugin in %s: %w", dir, err)
	}
	defer lock.Unlock()
	if rel.installed(path) { // by the process that had the lock
		return path, nil
	}

	// Whoever holds the lock may clear what a killed process was unpacking.
	atomicfile.Sweep(path, 0)

	byHand := filepath.Join(dir, rel.file)
	if _, err := os.Stat(byHand); err == nil {
		if err := rel.unpack(ctx, byHand, path); err != nil {
			return "", err
		}
		return path, nil
	}
	part := byHand + ".part"
	log(fmt.Sprintf("Fetching XLA for the processor, %d MB, once, into %s", rel.size/1e6, dir))
	if err := rel.download(ctx, part, address); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("XLA cannot be downloaded: %w; without a network, put the file %s (sha256 %s) of the Python package %s %s into %s",
			err, rel.file, rel.sha256, engine.PluginName, engine.PluginVersion, dir)
	}
	err := rel.unpack(ctx, part, path)
	if ctx.Err() != nil && err != nil {
		return "", ctx.Err() // the archive has arrived: keep it
	}
	if removeErr := os.Remove(part); err != nil || removeErr != nil {
		return "", errors.Join(err, removeErr)
	}
	return path, nil
}

// unpack checks an archive against the pinned hash and puts the plugin inside at path.
func (rel release) unpack(ctx context.Context, archive, path string) error {
	if err := rel.check(ctx, archive); err != nil {
		return err
	}
	return rel.extract(ctx, archive, path)
}

// installed says whether the plugin lies at path in full. It got there by a rename, so its size is proof enough.
func (rel release) installed(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == rel.memberSize
}

// download completes the partial archive.
func (rel release) download(ctx context.Context, part string, address func() (string, error)) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil || have == rel.size {
		return err
	}
	if have > rel.size {
		have = 0
	}
	url, err := waitFor(ctx, address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alarm := time.AfterFunc(silence, func() { cancel(fmt.Errorf("the server has been silent for %v", silence)) })
	defer alarm.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return because(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusPartialContent:
	case http.StatusOK:
		have = 0
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(f.Truncate(0), fmt.Errorf("%s has a shorter file than expected", req.URL.Host))
	default:
		return fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	bar := progress(rel.size, have)
	body := io.LimitReader(resp.Body, rel.size-have)
	n, err := io.Copy(io.MultiWriter(f, bar, tick(func() { alarm.Reset(silence) })), body)
	_ = bar.Close() // it only draws
	if err != nil {
		return because(ctx, err)
	}
	if have+n != rel.size {
		return fmt.Errorf("%s closed the connection after %d of %d bytes; trying again goes on from there", req.URL.Host, have+n, rel.size)
	}
	return f.Close()
}

// waitFor calls f, which knows no context, and gives up on it when ctx ends or it has been silent for too long.
func waitFor(ctx context.Context, f func() (string, error)) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, silence, fmt.Errorf("the package index has been silent for %v", silence))
	defer cancel()
	type answer struct {
		url string
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		url, err := f()
		answers <- answer{url, err}
	}()
	select {
	case a := <-answers:
		return a.url, a.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// because returns why ctx ended if that is why err came about.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// check compares an archive with the pinned hash.
func (rel release) check(ctx context.Context, archive string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, f}); err != nil {
		return err
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != rel.sha256 {
		return fmt.Errorf("%s is damaged: its sha256 is %s and should be %s; fetch it again", archive, got, rel.sha256)
	}
	return nil
}

// extract writes the plugin of a checked archive aside and renames it into place.
func (rel release) extract(ctx context.Context, archive, path string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	defer z.Close()
	in, err := z.Open(rel.member)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	defer in.Close()
	return atomicfile.Write(path, 0o644, func(out *os.File) error {
		n, err := io.Copy(out, io.LimitReader(reader{ctx, in}, rel.memberSize+1))
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", archive, err)
		}
		if n != rel.memberSize {
			return fmt.Errorf("%s: %s has %d bytes instead of %d", archive, rel.member, n, rel.memberSize)
		}
		return out.Sync()
	})
}

// progress draws on a terminal and is silent elsewhere.
func progress(size, have int64) *progressbar.ProgressBar {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return progressbar.DefaultBytesSilent(size)
	}
	bar := progressbar.DefaultBytes(size, "XLA")
	_ = bar.Set64(have) // it only draws
	return bar
}

// A reader reads until its context ends.
type reader struct {
	ctx context.Context
	in  io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

// A tick is called for every piece written.
type tick func()

func (t tick) Write(p []byte) (int, error) {
	t()
	return len(p), nil
}
