//go:build unix

package plugin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program copies this test's own program, which is an ELF file, to a place that is the user's.
func program(t *testing.T) (path string, content []byte) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("skipped: programs are ELF files on Linux only")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if content, err = os.ReadFile(exe); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "plugin.so")
	write(t, path, content)
	return path, content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantCheck(t *testing.T, path, reason string) {
	t.Helper()
	err := Check(context.Background(), path)
	if reason == "" && err != nil {
		t.Errorf("%v, want nothing", err)
	}
	if reason != "" && (err == nil || !strings.Contains(err.Error(), reason)) {
		t.Errorf("%v, want an error with %q", err, reason)
	}
}

func TestTruncatedPlugins(t *testing.T) {
	path, content := program(t)
	wantCheck(t, path, "")
	for _, n := range []int{0, 3, 4, 63, 64, 100, 4096, len(content) / 4, len(content) / 2, len(content) * 9 / 10} {
		write(t, path, content[:n])
		want := "truncated"
		if n < 64 {
			want = "no shared library"
		}
		wantCheck(t, path, want)
	}
	for at := range 64 { // whatever a byte of the head says, there is an answer
		for _, v := range []byte{0, 1, 0x7f, 0xff} {
			bent := append([]byte(nil), content[:1<<16]...)
			bent[at] = v
			write(t, path, bent)
			_ = Check(t.Context(), path)
		}
	}
	write(t, path, make([]byte, 1<<20))
	wantCheck(t, path, "no shared library")
	pipe := filepath.Join(t.TempDir(), "pipe.so")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, pipe, "regular")
	wantCheck(t, filepath.Dir(path), "regular")
	wantCheck(t, path+"x", "no such file")
}

func TestPluginsOfOthers(t *testing.T) {
	path, content := program(t)
	chmod := func(path string, mode fs.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, mode := range []fs.FileMode{0o666, 0o620, 0o602} {
		chmod(path, mode)
		wantCheck(t, path, "chmod go-w")
	}
	chmod(path, 0o755)
	wantCheck(t, path, "")
	chmod(filepath.Dir(path), 0o777)
	wantCheck(t, path, "chmod go-w")
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, link, "chmod go-w") // what is linked to
	chmod(filepath.Dir(path), 0o777|fs.ModeSticky)
	wantCheck(t, link, "")
	chmod(filepath.Dir(link), 0o777)
	wantCheck(t, link, "chmod go-w") // where the link is
	if os.Geteuid() == 0 {
		other := filepath.Join(t.TempDir(), "other.so")
		write(t, other, content)
		if err := os.Chown(other, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		wantCheck(t, other, "12345")
	}
}

func TestRecordedPlugins(t *testing.T) {
	path, content := program(t)
	if err := Recorded(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v, want %v", err, fs.ErrNotExist)
	}
	if err := Record(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	touch := func(by time.Duration) {
		then := time.Now().Add(by)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	both := func(want string) {
		t.Helper()
		wantCheck(t, path, want)
		if err := Recorded(t.Context(), path); (err == nil) != (want == "") {
			t.Errorf("every byte: %v, want %q", err, want)
		}
	}
	both("")
	touch(time.Hour) // a copy: every byte is looked at
	both("")
	bent := append([]byte(nil), content...)
	bent[len(bent)/2] ^= 1
	write(t, path, bent)
	touch(2 * time.Hour)
	both("SHA-256")
	write(t, path, append(content, 0))
	both("bytes")
	write(t, path, content)
	both("")
	write(t, record(path), []byte("1 2"))
	both("damaged")
}
