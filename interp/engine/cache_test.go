package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/engine"
	"lucigo/interp/engine/internal/diskcache"
)

// power compiles and runs x ↦ xⁿ at 2, a program of its own for every n.
func power(e *engine.Engine, n int) (float32, error) {
	exec, err := graph.NewExec(e.Backend, func(x *graph.Node) *graph.Node {
		y := x
		for range n - 1 {
			y = graph.Mul(y, x)
		}
		return y
	})
	if err != nil {
		return 0, err
	}
	out, err := exec.Call([]float32{2})
	if err != nil {
		return 0, err
	}
	flat, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return 0, err
	}
	return flat[0], nil
}

// entries lists the files of a cache directory.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// entry returns the only file of a cache directory.
func entry(t *testing.T, dir string) string {
	t.Helper()
	files := entries(t, dir)
	if len(files) != 1 {
		t.Fatalf("%d entries, want 1: %q", len(files), files)
	}
	return files[0]
}

// cached returns the environment of a child with XLA and a compile cache in dir.
func cached(t testing.TB, dir string) []string {
	return []string{"LUCIGO_BACKEND=xla:" + xlaPlugin(t), "LUCIGO_COMPILE_CACHE=" + dir}
}

func TestMissThenHit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "engine")
	env := cached(t, dir)
	run(t, env...).counts(t, 0, 1, 0, 1)
	info, err := os.Stat(entry(t, dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the entry has mode %v, %v", info.Mode(), err)
	}
	for range 2 {
		r := run(t, env...)
		r.counts(t, 1, 0, 0, 0)
		if r.Cache.Dir != dir || r.Cache.Off != "" || r.Cache.Problem != "" || r.Cache.Bytes != info.Size() {
			t.Errorf("%+v", r.Cache)
		}
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(entry(t, dir), old, old); err != nil {
		t.Fatal(err)
	}
	run(t, env...).counts(t, 1, 0, 0, 0)
	if info, err := os.Stat(entry(t, dir)); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Error("a hit does not count as a use", err)
	}
}

func TestDamagedEntries(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	run(t, env...).counts(t, 0, 1, 0, 1)
	path := entry(t, dir)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "half": good[:len(good)/2], "one byte long": append(bytes.Clone(good), 0), "program": flip(len(good) - 100),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r := run(t, env...)
		r.counts(t, 0, 1, 0, 1)
		if !strings.Contains(r.Cache.Problem, "damaged") {
			t.Errorf("%s: problem %q", name, r.Cache.Problem)
		}
		if got, err := os.ReadFile(path); err != nil || len(got) != len(good) {
			t.Errorf("%s: the entry was not written anew: %d bytes, %v", name, len(got), err)
		}
	}
	run(t, env...).counts(t, 1, 0, 0, 0)
}

// TestRefusedEntry stores, as the cache would, something that the plugin cannot load.
func TestRefusedEntry(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	run(t, env...).counts(t, 0, 1, 0, 1)
	path := entry(t, dir)
	var key diskcache.Key
	if _, err := fmt.Sscanf(filepath.Base(path), "%x.pjrt", (*hexKey)(&key)); err != nil {
		t.Fatal(err)
	}
	store, err := diskcache.Open(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := store.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string][]byte{
		"nothing": {}, "text": []byte("no program"), "half": bytes.Clone(whole[:len(whole)/2]), "zeros": make([]byte, len(whole)),
	} {
		if err := store.Put(key, payload); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, env...)
		r.counts(t, 0, 0, 1, 0)
		if r.Cache.Problem == "" {
			t.Errorf("%s: no problem is reported", name)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the refused entry was touched: %v", name, err)
		}
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	run(t, env...).right(t)
	run(t, env...).right(t)
	run(t, env...).counts(t, 1, 0, 0, 0)
}

// hexKey scans a key from hexadecimal.
type hexKey diskcache.Key

func (k *hexKey) Scan(s fmt.ScanState, verb rune) error {
	text, err := s.Token(false, func(r rune) bool { return strings.ContainsRune("0123456789abcdef", r) })
	if err != nil {
		return err
	}
	if len(text) != 2*len(k) {
		return fmt.Errorf("%d digits", len(text))
	}
	for i := range k {
		if _, err := fmt.Sscanf(string(text[2*i:2*i+2]), "%02x", &k[i]); err != nil {
			return err
		}
	}
	return nil
}

// TestOtherCircumstances checks that what a program depends on beyond its text is part of its name.
func TestOtherCircumstances(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	run(t, env...).counts(t, 0, 1, 0, 1)

	flags := append(env, "XLA_FLAGS=--xla_backend_optimization_level=1")
	run(t, flags...).counts(t, 0, 1, 0, 1)
	run(t, flags...).counts(t, 1, 0, 0, 0)

	file := filepath.Join(t.TempDir(), "flags")
	inFile := append(env, "XLA_FLAGS="+file)
	for _, level := range []string{"1", "2"} {
		if err := os.WriteFile(file, []byte("--xla_backend_optimization_level="+level), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, inFile...).counts(t, 0, 1, 0, 1)
		run(t, inFile...).counts(t, 1, 0, 0, 0)
	}

	if !testing.Short() {
		other := filepath.Join(t.TempDir(), "cpu.so")
		if err := copyAndAppend(other, xlaPlugin(t)); err != nil {
			t.Fatal(err)
		}
		plugin := []string{"LUCIGO_BACKEND=xla:" + other, env[1]}
		run(t, plugin...).counts(t, 0, 1, 0, 1)
		run(t, plugin...).counts(t, 1, 0, 0, 0)
	}
	run(t, env...).counts(t, 1, 0, 0, 0)
}

// copyAndAppend makes another build of a plugin: the same with one more byte at its end.
func copyAndAppend(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	_, err = out.Write([]byte{0})
	return err
}

func TestCacheTurnedOff(t *testing.T) {
	home := t.TempDir()
	r := run(t, "LUCIGO_BACKEND=xla:"+xlaPlugin(t), "LUCIGO_CACHE="+home, "LUCIGO_COMPILE_CACHE=off")
	r.counts(t, 0, 0, 0, 0)
	if r.Cache.Dir != "" || r.Cache.Off == "" {
		t.Errorf("%+v", r.Cache)
	}
	if left := entries(t, home); len(left) != 0 {
		t.Errorf("files %q", left)
	}
	r = run(t, "LUCIGO_BACKEND=go", "LUCIGO_CACHE="+home)
	if r.Cache.Dir != "" || r.Cache.Off == "" {
		t.Errorf("Go: %+v", r.Cache)
	}
}

func TestDefaultPlaceOfTheCache(t *testing.T) {
	home := t.TempDir()
	r := run(t, "LUCIGO_BACKEND=xla:"+xlaPlugin(t), "LUCIGO_CACHE="+home)
	r.counts(t, 0, 1, 0, 1)
	if r.Cache.Dir != filepath.Join(home, "compile") {
		t.Errorf("%+v", r.Cache)
	}
	entry(t, r.Cache.Dir)
}

// TestUnusableDirectories gives the cache places where it cannot be, or must not be.
func TestUnusableDirectories(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{file, filepath.Join(file, "below"), "/proc/1/none", open} {
		r := run(t, cached(t, place)...)
		r.counts(t, 0, 0, 0, 0)
		if r.Cache.Dir != "" || r.Cache.Off == "" {
			t.Errorf("%s: %+v", place, r.Cache)
		}
	}
	if left := entries(t, open); len(left) != 0 {
		t.Errorf("written into a directory that is open to all: %q", left)
	}
}

// TestDirectoryThatTakesNothing lets every write fail after the cache was opened.
func TestDirectoryThatTakesNothing(t *testing.T) {
	plugin := xlaPlugin(t)
	dir := filepath.Join(t.TempDir(), "cache")
	e, err := engine.Open(engine.Config{Backend: "xla:" + plugin, CompileCache: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	got, err := power(e, 5)
	if err != nil || got != 32 {
		t.Errorf("2⁵ is %g, %v", got, err)
	}
	if s := e.CacheStats(); s.Misses != 1 || s.Stored != 0 || s.Problem == "" {
		t.Errorf("%+v", s)
	}
}

// Of eight processes that want one program, one compiles it and the others wait for that.
func TestProcessesShareTheCache(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	reports := make([]report, 8)
	var wg sync.WaitGroup
	for i := range reports {
		wg.Go(func() { reports[i] = run(t, env...) })
	}
	wg.Wait()
	compiled := 0
	for _, r := range reports {
		r.right(t)
		compiled += r.Cache.Misses
		if c := r.Cache; c.Hits+c.Misses != 1 || c.Stored != c.Misses || c.Refused != 0 || c.Problem != "" {
			t.Errorf("%+v", c)
		}
	}
	if compiled != 1 {
		t.Errorf("it was compiled %d times", compiled)
	}
	entry(t, dir)
	run(t, env...).counts(t, 1, 0, 0, 0)
}

// A process that was killed while it compiled keeps nobody waiting.
func TestLockOfAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	run(t, env...).counts(t, 0, 1, 0, 1)
	path := entry(t, dir)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "."+filepath.Base(path)+".lock.part"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, env...).counts(t, 0, 1, 0, 1)
	entry(t, dir)
}

func TestCacheIsBounded(t *testing.T) {
	const room = 20_000
	e, err := engine.Open(engine.Config{Backend: "xla:" + xlaPlugin(t), CompileCache: t.TempDir(), CompileCacheBytes: room})
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 14; n++ {
		if got, err := power(e, n); err != nil || got != float32(uint(1)<<n) {
			t.Errorf("2 to the %d is %g, %v", n, got, err)
		}
		if s := e.CacheStats(); s.Bytes > room || s.Bytes == 0 {
			t.Errorf("%d bytes, more than %d", s.Bytes, room)
		}
	}
	if s := e.CacheStats(); s.Stored != 12 || s.Problem != "" {
		t.Errorf("%+v", s)
	}
	if got, err := power(e, 13); err != nil || got != 8192 || e.CacheStats().Hits != 1 {
		t.Errorf("the newest is gone: %g, %v, %+v", got, err, e.CacheStats())
	}
	if got, err := power(e, 2); err != nil || got != 4 || e.CacheStats().Misses != 13 {
		t.Errorf("the oldest is still there: %g, %v, %+v", got, err, e.CacheStats())
	}

	small, err := engine.Open(engine.Config{Backend: "xla:" + xlaPlugin(t), CompileCache: t.TempDir(), CompileCacheBytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := power(small, 3); err != nil || got != 8 {
		t.Errorf("%g, %v", got, err)
	}
	if s := small.CacheStats(); s.Stored != 0 || s.Bytes != 0 || s.Problem == "" {
		t.Errorf("%+v", s)
	}
}

func TestFilesOfDeadWriters(t *testing.T) {
	dir := t.TempDir()
	env := cached(t, dir)
	left := filepath.Join(dir, ".entry.pjrt.123.part")
	if err := os.WriteFile(left, []byte("half an ent"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	run(t, env...).counts(t, 0, 1, 0, 1)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error("the half-written file is still there", err)
	}
}

// BenchmarkProcess starts a process that opens XLA, loads a stored program and runs it: what every cell pays.
func BenchmarkProcess(b *testing.B) {
	env := cached(b, b.TempDir())
	run(b, env...).counts(b, 0, 1, 0, 1)
	for b.Loop() {
		run(b, env...).counts(b, 1, 0, 0, 0)
	}
}

// BenchmarkProgram makes and runs one small program on an open engine, stored before or compiled every time.
func BenchmarkProgram(b *testing.B) {
	for name, dir := range map[string]string{"stored": b.TempDir(), "compiled": "off"} {
		b.Run(name, func(b *testing.B) {
			e, err := engine.Open(engine.Config{Backend: "xla:" + xlaPlugin(b), CompileCache: dir})
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if got, err := power(e, 7); err != nil || got != 128 {
					b.Fatal(got, err)
				}
			}
		})
	}
}
