package engine_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lucigo/interp/engine"
)

func TestLawEveryEngineGivesTheGradient(t *testing.T) {
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		t.Run(e.Kind().String(), func(t *testing.T) {
			t.Log(e, e.Notice())
			got, err := gradient(e.Backend)
			if err != nil || !slices.Equal(got, wantGradient) {
				t.Errorf("gradient %v, %v; want %v", got, err, wantGradient)
			}
			if !strings.HasPrefix(e.String(), e.Kind().String()) || !strings.Contains(e.String(), e.PluginFile()) {
				t.Errorf("String() is %q", e)
			}
		})
	}
}

func TestOneEngineForAll(t *testing.T) {
	var wg sync.WaitGroup
	found := make([]*engine.Engine, 8)
	for i := range found {
		wg.Go(func() {
			e, err := engine.Default()
			if err != nil {
				t.Error(err)
			}
			found[i] = e
		})
	}
	wg.Wait()
	for _, e := range found {
		if e == nil || e != found[0] {
			t.Fatal("Default gave two engines")
		}
	}
	all, err := engine.All()
	if err != nil || all[0] != found[0] {
		t.Error("All does not begin with Default", err)
	}
	seen := map[engine.Kind]bool{}
	for _, e := range all {
		if seen[e.Kind()] {
			t.Errorf("%s twice", e.Kind())
		}
		seen[e.Kind()] = true
	}
	if os.Getenv("LUCIGO_BACKEND") == "" && !seen[engine.Go] {
		t.Error("All lacks the Go backend")
	}
}

// TestManyCompileAtOnce lets goroutines compile the same and different programs on one engine.
func TestManyCompileAtOnce(t *testing.T) {
	e, err := engine.Open(engine.Config{Backend: "xla:" + xlaPlugin(t), CompileCache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			got, err := power(e, 2+i%4)
			if want := float32(uint(1) << (2 + i%4)); err != nil || got != want {
				t.Errorf("2 to the %d is %g, %v", 2+i%4, got, err)
			}
		})
	}
	wg.Wait()
	if s := e.CacheStats(); s.Hits+s.Misses != 12 || s.Misses != 4 || s.Stored != s.Misses || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}

// bare is the environment of a machine on which nothing is installed and no server answers.
func bare(t *testing.T) []string {
	dir := t.TempDir()
	return []string{"HOME=" + dir, "LUCIGO_CACHE=" + filepath.Join(dir, "lucigo"), "PJRT_PLUGIN_LIBRARY_PATH=" + dir,
		"HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1"}
}

func TestFallBackToGo(t *testing.T) {
	for name, install := range map[string]string{"no installation": "1", "no network": ""} {
		t.Run(name, func(t *testing.T) {
			env := bare(t)
			if install == "" {
				env = append(env, "GOMLX_NO_AUTO_INSTALL=")
			}
			r := run(t, env...).right(t)
			if r.Kind != "go" || r.Notice == "" || strings.Contains(r.Notice, "\n") {
				t.Errorf("%s: %q", r.Kind, r.Notice)
			}
			if strings.Count(r.stdout, r.Notice) != 1 {
				t.Errorf("the notice is not printed once:\n%s", r.stdout)
			}
			if !strings.Contains(r.Notice, "times as long") {
				t.Errorf("the notice does not say what it costs: %q", r.Notice)
			}
		})
	}
}

func TestNoHome(t *testing.T) {
	r := run(t, "HOME=", "XDG_CACHE_HOME=", "LUCIGO_CACHE=", "PJRT_PLUGIN_LIBRARY_PATH=/none").right(t)
	if r.Kind != "go" || !strings.Contains(r.Notice, "HOME") && !strings.Contains(r.Notice, "cgo") {
		t.Errorf("%s, and the notice does not say that HOME is missing: %q", r.Kind, r.Notice)
	}
	r = run(t, "HOME=", "XDG_CACHE_HOME=", "LUCIGO_CACHE=", "PJRT_PLUGIN_LIBRARY_PATH=/none", "LUCIGO_BACKEND=xla:"+xlaPlugin(t)).right(t)
	if r.Kind != "xla:cpu" || !strings.Contains(r.Cache.Off, "LUCIGO_CACHE") || !strings.Contains(r.Cache.Off, "HOME") {
		t.Errorf("%s, %+v", r.Kind, r.Cache)
	}
}

func TestLogGetsTheNotice(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("LUCIGO_BACKEND", "")
	t.Setenv("PJRT_PLUGIN_LIBRARY_PATH", dir)
	t.Setenv("LUCIGO_CACHE", dir)
	var lines []string
	e, err := engine.Open(engine.Config{NoInstall: true, Log: func(line string) { lines = append(lines, line) }})
	if err != nil {
		t.Fatal(err)
	}
	if e.Kind() != engine.Go || len(lines) != 1 || lines[0] != e.Notice() || !strings.Contains(lines[0], "install") && !strings.Contains(lines[0], "cgo") {
		t.Errorf("%s, lines %q", e, lines)
	}
}

func TestChoices(t *testing.T) {
	file := xlaPlugin(t)
	for choice, want := range map[string]string{"go": "go", "xla:cpu": "xla:cpu", "xla:" + file: "xla:cpu"} {
		r := run(t, "LUCIGO_BACKEND="+choice, "LUCIGO_COMPILE_CACHE=off").right(t)
		if r.Kind != want || r.Notice != "" || strings.TrimSpace(r.stdout) != "" {
			t.Errorf("%s gave %s, notice %q, output %q", choice, r.Kind, r.Notice, r.stdout)
		}
	}
	if r := run(t, "LUCIGO_BACKEND=xla", "LUCIGO_COMPILE_CACHE=off").right(t); !strings.HasPrefix(r.Kind, "xla:") {
		t.Errorf("xla gave %s", r.Kind)
	}
}

func TestWrongChoices(t *testing.T) {
	for choice, want := range map[string][]string{
		"jax":                   {`"jax"`, "xla", "xla:cpu", "cuda", "go", "unset"},
		"xla:relative/path.so":  {"/absolute/"},
		"xla:/no/such/file.so":  {"/no/such/file.so", "install"},
		"xla:" + os.TempDir():   {os.TempDir(), "install"},
		"xla:/proc/self/status": {"/proc/self/status"},
	} {
		r := run(t, append(bare(t), "LUCIGO_BACKEND="+choice)...)
		for _, part := range want {
			if !strings.Contains(r.Err, part) && !strings.Contains(r.Err, "cgo") {
				t.Errorf("%s: error %q does not speak of %s", choice, r.Err, part)
			}
		}
	}
	for _, choice := range []string{"xla", "xla:cpu"} {
		if r := run(t, append(bare(t), "LUCIGO_BACKEND="+choice)...); r.Err == "" {
			t.Errorf("%s without a plugin opened %s", choice, r.Name)
		}
	}
	if cards, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(cards) == 0 {
		if r := run(t, "LUCIGO_BACKEND=cuda"); !strings.Contains(r.Err, "GPU") && !strings.Contains(r.Err, "cgo") {
			t.Errorf("cuda without a GPU: %q", r.Err)
		}
	}
}

// TestDamagedPlugin puts files that are no plugins, or a part of one, where plugins are looked for. Loading the part would
// end the process.
func TestDamagedPlugin(t *testing.T) {
	whole, err := os.Open(xlaPlugin(t))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Close()
	part, err := io.ReadAll(io.LimitReader(whole, 20<<20))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"head": []byte("\x7fELF and no more"), "part": part} {
		for where, place := range map[string]func(dir string) string{
			"cache":  func(dir string) string { return engine.PluginFile(filepath.Join(dir, "lucigo")) },
			"go-xla": func(dir string) string { return filepath.Join(dir, "pjrt_c_api_cpu_v1_plugin.so") },
		} {
			t.Run(name+" in "+where, func(t *testing.T) {
				env := bare(t)
				file := place(strings.TrimPrefix(env[0], "HOME="))
				if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
				r := run(t, env...).right(t)
				if r.Kind != "go" || !strings.Contains(r.Notice, file) || !strings.Contains(r.Notice, "install") {
					t.Errorf("%s, and the notice does not name %s and a remedy: %q", r.Kind, file, r.Notice)
				}
				for _, backend := range []string{"xla:cpu", "xla:" + file} {
					r = run(t, append(env, "LUCIGO_BACKEND="+backend)...)
					if !strings.Contains(r.Err, file) || !strings.Contains(r.Err, "install") {
						t.Errorf("%s: the error does not name %s and a remedy: %q", backend, file, r.Err)
					}
				}
			})
		}
	}
}

// TestPassedOver puts a part of a plugin where plugins are looked for first, and a whole one where they are looked for next.
func TestPassedOver(t *testing.T) {
	whole := xlaPlugin(t)
	env := bare(t)
	dir := strings.TrimPrefix(env[0], "HOME=")
	damaged, next := filepath.Join(dir, "pjrt_c_api_cpu_v1_plugin.so"), filepath.Join(dir, "pjrt_c_api_cpu_v2_plugin.so")
	if err := errors.Join(os.WriteFile(damaged, []byte("\x7fELF and no more"), 0o600), os.Symlink(whole, next)); err != nil {
		t.Fatal(err)
	}
	r := run(t, env...).right(t)
	if r.Kind != "xla:cpu" || !strings.Contains(r.Name, next) {
		t.Errorf("opened %s", r.Name)
	}
	if _, why, _ := strings.Cut(r.Name, "passed over: "); !strings.Contains(why, damaged+" is not loaded: ") || strings.Contains(why, "\n") {
		t.Errorf("it does not say which was passed over: %s", r.Name)
	}
	if strings.Contains(run(t, append(env, "LUCIGO_BACKEND=xla:"+next)...).right(t).Name, "passed over") {
		t.Error("none is passed over where one is named")
	}
}

// TestFoundWhereGoXLALooks lets the engine find a plugin in go-xla's directory.
func TestFoundWhereGoXLALooks(t *testing.T) {
	plugin := xlaPlugin(t)
	env := bare(t)
	dir := filepath.Join(strings.TrimPrefix(env[0], "HOME="), ".local/lib/go-xla")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pjrt_c_api_cpu_v0.83.1_plugin.so")
	if err := os.Symlink(plugin, file); err != nil {
		t.Fatal(err)
	}
	r := run(t, append(env, "PJRT_PLUGIN_LIBRARY_PATH=")...).right(t)
	if r.Kind != "xla:cpu" || !strings.Contains(r.Name, file) {
		t.Errorf("opened %s", r.Name)
	}
}
