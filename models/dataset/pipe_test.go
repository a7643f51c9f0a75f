//go:build unix

package dataset

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pipe has no end, and often no beginning: it is refused without waiting for one.
func TestPipes(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "a.jpg")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("skipped: this system makes no pipes: %v", err)
	}
	in := Input{Height: 8, Width: 8}
	if _, err := in.Folder(dir); err == nil || !strings.Contains(err.Error(), "no photographs") {
		t.Errorf("a pipe is listed: %v", err)
	}
	for what, read := range map[string]func() error{
		"folder": func() error { _, err := in.read(pipe, pipe); return err },
		"whole":  func() error { _, err := Whole(pipe, 8); return err },
		"IDX":    func() error { _, err := openIDX(pipe, ""); return err },
		"CIFAR":  func() error { _, err := openCIFAR(10, pipe); return err },
	} {
		said := make(chan error, 1)
		go func() { said <- read() }()
		select {
		case err := <-said:
			if err == nil || !strings.Contains(err.Error(), "a pipe or a device") || !strings.Contains(err.Error(), "a.jpg") {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: it waits", what)
		}
	}
}
