//go:build unix

package regular

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, size, err := Open(file)
	if err != nil || size != 7 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	for path, says := range map[string]string{dir: "no file", pipe: "no file", "/dev/zero": "no file", filepath.Join(dir, "none"): "no such file"} {
		f, _, err := Open(path)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one that says %q", path, err, says)
		}
		if f != nil {
			f.Close()
		}
	}
}
