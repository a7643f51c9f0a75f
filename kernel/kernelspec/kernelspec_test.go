package kernelspec

import (
	"encoding/json"
	"errors"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space")
	if _, err := Launcher(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	for range 2 { // Again is the same.
		file, err := Write(dir, "/a b/launcher", map[string]string{"LUCIGO_ROOT": "/r"})
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(dir, "kernels", "lucigo", "kernel.json"); file != want {
			t.Errorf("it is written to %s, want %s", file, want)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var raw map[string]any
		if err := json.Unmarshal(b, &raw); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"argv": []any{"/a b/launcher", "{connection_file}"}, "display_name": "Go (LuciGo)", "language": "go",
			"interrupt_mode": "message", "env": map[string]any{"LUCIGO_ROOT": "/r"}}
		if !reflect.DeepEqual(raw, want) {
			t.Errorf("kernel.json is %s", b)
		}
	}
	for name, size := range map[string]int{"logo-64x64.png": 64, "logo-32x32.png": 32} {
		f, err := os.Open(filepath.Join(dir, "kernels", "lucigo", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if c, err := png.DecodeConfig(f); err != nil || c.Width != size || c.Height != size {
			t.Errorf("%s is %d by %d, %v", name, c.Width, c.Height, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "kernels", "lucigo", "logo-svg.svg")); err != nil || !strings.HasPrefix(string(b), "<svg") {
		t.Errorf("the picture: %v", err)
	}
	if got, err := Launcher(dir); err != nil || got != "/a b/launcher" {
		t.Errorf("it starts %q, %v", got, err)
	}
	for _, bad := range []string{"{", "{}"} {
		if err := os.WriteFile(file(dir), []byte(bad), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Launcher(dir); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestDataDir(t *testing.T) {
	t.Setenv("JUPYTER_DATA_DIR", "/j")
	if dir, err := DataDir(); dir != "/j" || err != nil {
		t.Errorf("%s, %v", dir, err)
	}
	t.Setenv("JUPYTER_DATA_DIR", "")
	t.Setenv("HOME", "/h")
	t.Setenv("XDG_DATA_HOME", "")
	if dir, err := DataDir(); err != nil || (dir != "/h/.local/share/jupyter" && dir != "/h/Library/Jupyter" && filepath.Base(dir) != "jupyter") {
		t.Errorf("%s, %v", dir, err)
	}
}
