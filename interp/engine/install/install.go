// Package install fetches the XLA plugin for the processor, once for a user: the package that the OpenXLA project
// publishes for PyPI, pinned by its hash.
//
// Linking it lets engine.Open download what is missing. Commands and tests link it; notebook cells never do, since it
// brings a terminal and an HTTP client along.
package install

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/gomlx/go-xla/installer"

	"lucigo/internal/atomicfile"
	"lucigo/internal/digest"
	"lucigo/internal/download"
	"lucigo/interp/engine"
	pjrt "lucigo/interp/engine/internal/plugin"
)

func init() { engine.RegisterInstaller(plugin) }

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

// silence is how long the package index may take.
const silence = time.Minute

// plugin returns the plugin's file, after installing it if it is not there. Processes that install at the same time wait
// for one another; a download that broke off goes on where it stopped. Without a network, the error says which file to
// put where. When ctx ends it returns at once, and what it leaves is at most the part of the archive that had arrived.
func plugin(ctx context.Context, cacheDir string, log func(string)) (string, error) {
	rel, ok := releases[runtime.GOOS+"/"+runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("%s %s is not published for %s/%s: put a PJRT plugin for the processor where go-xla looks for one, "+
			"or name its file with LUCIGO_BACKEND=xla:/absolute/path", engine.PluginName, engine.PluginVersion, runtime.GOOS, runtime.GOARCH)
	}
	return rel.install(ctx, engine.PluginFile(cacheDir), log, rel.address)
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

// install puts the plugin at path. Where address tells, the archive is published.
func (rel release) install(ctx context.Context, path string, log func(string), address func() (string, error)) (string, error) {
	if rel.installed(ctx, path) { // which needs no right to write there
		return path, nil
	}
	err := download.Alone(ctx, path, func() error {
		if rel.installed(ctx, path) { // by the process that was alone before
			return nil
		}
		archive := filepath.Join(filepath.Dir(path), rel.file)
		switch got, err := digest.SHA256(ctx, archive); {
		case errors.Is(err, fs.ErrNotExist): // nobody has put it there by hand
		case err != nil:
			return err
		case got != rel.sha256:
			return fmt.Errorf("%s is damaged: its sha256 is %s, must be %s; fetch it again", archive, got, rel.sha256)
		default:
			return rel.extract(ctx, archive, path)
		}
		archive += ".part"
		if err := rel.download(ctx, archive, log, address); err != nil {
			return err
		}
		if err := rel.extract(ctx, archive, path); err != nil {
			return err
		}
		return os.Remove(archive)
	})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return path, err
}

// installed says whether the plugin lies at path, byte for byte as it was installed.
func (rel release) installed(ctx context.Context, path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == rel.memberSize && pjrt.Recorded(ctx, path) == nil
}

// download completes the partial archive.
func (rel release) download(ctx context.Context, part string, log func(string), address func() (string, error)) error {
	var url string
	info, err := os.Stat(part)
	if err != nil || info.Size() != rel.size {
		log(fmt.Sprintf("Fetching XLA for the processor, %d MB, once, into %s", rel.size/1e6, filepath.Dir(part)))
		url, err = waitFor(ctx, address)
	}
	if err == nil {
		c := download.Client{Progress: download.Bar("XLA")}
		err = c.Get(ctx, part, rel.sha256, download.Part{URL: url, Size: rel.size})
	}
	if err != nil {
		return fmt.Errorf("XLA cannot be downloaded: %w; without a network, put the file %s (sha256 %s) of the Python package %s %s into %s",
			err, rel.file, rel.sha256, engine.PluginName, engine.PluginVersion, filepath.Dir(part))
	}
	return nil
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

// extract writes the plugin of a checked archive aside, renames it into place and records what it is.
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
	err = atomicfile.Write(path, 0o644, func(out *os.File) error {
		n, err := io.Copy(out, io.LimitReader(reader{ctx, in}, rel.memberSize+1))
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", archive, err)
		}
		if n != rel.memberSize {
			return fmt.Errorf("%s: %s has %d bytes instead of %d", archive, rel.member, n, rel.memberSize)
		}
		return out.Sync()
	})
	if err != nil {
		return err
	}
	return pjrt.Record(ctx, path)
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
