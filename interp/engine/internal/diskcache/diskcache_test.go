package diskcache

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const big = 1 << 20

func open(t *testing.T, max int64) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "a", "b"), max)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func key(i int) Key { return Key{byte(i), byte(i >> 8), 3} }

func payload(i, size int) []byte { return bytes.Repeat([]byte{byte(i), 7}, size/2) }

func put(t *testing.T, d *Dir, i, size int) {
	t.Helper()
	if err := d.Put(key(i), payload(i, size)); err != nil {
		t.Fatal(err)
	}
}

// age makes an entry look as if it had last been used some time ago.
func age(t *testing.T, d *Dir, i int, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(d.file(key(i)), then, then); err != nil {
		t.Fatal(err)
	}
}

func has(d *Dir, i int) bool {
	_, err := os.Lstat(d.file(key(i)))
	return err == nil
}

func TestLawGetReturnsWhatPutStored(t *testing.T) {
	d := open(t, big)
	for i, size := range []int{0, 2, 1000, 100_000} {
		if _, err := d.Get(key(i)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before: %v, want ErrNotExist", err)
		}
		put(t, d, i, size)
	}
	other, err := Open(d.Path(), big)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for i, size := range []int{0, 2, 1000, 100_000} {
		got, err := other.Get(key(i))
		if err != nil || !bytes.Equal(got, payload(i, size)) {
			t.Errorf("entry %d: %d bytes, %v", i, len(got), err)
		}
		sum += int64(size + headSize)
	}
	if got, err := d.Bytes(); got != sum || err != nil {
		t.Errorf("%d bytes, %v; want %d", got, err, sum)
	}
	put(t, d, 2, 10) // replaces
	if got, err := d.Get(key(2)); err != nil || len(got) != 10 {
		t.Errorf("after replacing: %d bytes, %v", len(got), err)
	}
}

func TestLawEveryChangedByteIsSeen(t *testing.T) {
	d := open(t, big)
	put(t, d, 1, 40)
	good, err := os.ReadFile(d.file(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	try := func(name string, data []byte) {
		if err := os.WriteFile(d.file(key(1)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Get(key(1)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
		if has(d, 1) {
			t.Errorf("%s: the damaged entry is still there", name)
		}
	}
	for i := range good {
		bent := bytes.Clone(good)
		bent[i] ^= 0x10
		try(fmt.Sprintf("byte %d", i), bent)
		try(fmt.Sprintf("cut at %d", i), good[:i])
	}
	try("longer", append(bytes.Clone(good), 0))
	put(t, d, 2, 40)
	foreign, err := os.ReadFile(d.file(key(2)))
	if err != nil {
		t.Fatal(err)
	}
	try("of another key", foreign)

	target := filepath.Join(t.TempDir(), "good") // by its content
	if err := os.WriteFile(target, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, d.file(key(1))); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get(key(1)); !errors.Is(err, ErrDamaged) || has(d, 1) {
		t.Errorf("a link: %v, want ErrDamaged and no file", err)
	}
	if _, err := os.Stat(target); err != nil {
		t.Error("the link's target is gone", err)
	}
}

func TestLeastUsedGoesFirst(t *testing.T) {
	const size = 1000
	d := open(t, 3*(size+int64(headSize)))
	for i := range 3 {
		put(t, d, i, size)
		age(t, d, i, time.Duration(10-i)*time.Hour)
	}
	d.Used(key(0)) // the oldest
	d.Used(key(9)) // was never there
	put(t, d, 3, size)
	for i, want := range []bool{true, false, true, true} {
		if has(d, i) != want {
			t.Errorf("entry %d: present %v, want %v", i, !want, want)
		}
	}
	if got, _ := d.Bytes(); got > d.max {
		t.Errorf("%d bytes, more than %d", got, d.max)
	}
	put(t, d, 4, 3*size) // takes nearly all the room
	for i, want := range []bool{false, false, false, false, true} {
		if has(d, i) != want {
			t.Errorf("then entry %d: present %v, want %v", i, !want, want)
		}
	}
	if err := d.Put(key(5), payload(5, 4*size)); err == nil || !has(d, 4) || has(d, 5) {
		t.Errorf("an entry larger than the cache: %v", err)
	}
}

// An entry that a wrong clock dated in the future goes before those that were used since, and is dated anew when it is used.
func TestEntriesOfTheFuture(t *testing.T) {
	const size = 1000
	d := open(t, 3*(size+int64(headSize)))
	for i := range 3 {
		put(t, d, i, size)
	}
	age(t, d, 0, time.Hour/2)
	age(t, d, 1, -100*24*time.Hour)
	age(t, d, 2, -100*24*time.Hour)
	d.Used(key(2))
	put(t, d, 3, size)
	for i, want := range []bool{true, false, true, true} {
		if has(d, i) != want {
			t.Errorf("entry %d: present %v, want %v", i, !want, want)
		}
	}
	put(t, d, 4, size)
	if has(d, 0) || !has(d, 2) {
		t.Error("what was used now went before what was used half an hour ago")
	}
	age(t, d, 4, -time.Hour)
	d.Refused(key(4))
	if has(d, 4) {
		t.Error("a refused entry of the future stays for ever")
	}
}

func TestRefused(t *testing.T) {
	d := open(t, big)
	put(t, d, 1, 10)
	d.Refused(key(1))
	if !has(d, 1) {
		t.Error("a fresh entry went")
	}
	age(t, d, 1, refusedLife+time.Minute)
	d.Refused(key(1))
	if has(d, 1) {
		t.Error("an old entry stayed")
	}
	d.Refused(key(2)) // was never there
}

func TestTemporaryFiles(t *testing.T) {
	d := open(t, big)
	fresh, stale := filepath.Join(d.Path(), ".0a.pjrt.1.part"), filepath.Join(d.Path(), ".0a.pjrt.2.part")
	other := filepath.Join(d.Path(), "notes.txt")
	old := time.Now().Add(-tmpLifetime - time.Minute)
	for _, f := range []string{fresh, stale, other} {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{stale, other} {
		if err := os.Chtimes(f, old, old); err != nil {
			t.Fatal(err)
		}
	}
	put(t, d, 1, 10)
	for f, want := range map[string]bool{fresh: true, stale: false, other: true} {
		if _, err := os.Stat(f); (err == nil) != want {
			t.Errorf("%s: present %v, want %v", f, !want, want)
		}
	}
	files, _ := os.ReadDir(d.Path())
	if len(files) != 3 {
		t.Errorf("%d files, want 3", len(files))
	}
}

func TestUnsafeDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, mode := range []os.FileMode{0o777, 0o770, 0o702} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, big); err == nil || !strings.Contains(err.Error(), "chmod go-w") {
			t.Errorf("mode %o: %v, want an error with the remedy", mode, err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, big); err != nil {
		t.Errorf("mode 755: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if _, err := Open(path, big); err == nil {
			t.Errorf("%s is no directory, and was opened", path)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, big); err == nil || !strings.Contains(err.Error(), "12345") {
			t.Errorf("another's directory: %v", err)
		}
	}
	made := open(t, big).Path()
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new directory has mode %v, %v", info.Mode(), err)
	}
}

func TestLostDirectory(t *testing.T) {
	d := open(t, big)
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(key(1), payload(1, 10)); err == nil {
		t.Error("Put into a directory that is gone gave no error")
	}
	if _, err := d.Bytes(); err == nil {
		t.Error("Bytes of a directory that is gone gave no error")
	}
}

// TestManyAtOnce lets readers, writers and eviction work on one small directory: a reader sees nothing or the whole.
func TestManyAtOnce(t *testing.T) {
	d := open(t, 10_000)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := range 100 {
				i := (n + w) % 7
				size := 1000 + 500*i
				if err := d.Put(key(i), payload(i, size)); err != nil {
					t.Error(err)
				}
				got, err := d.Get(key((i + 1) % 7))
				if err == nil && !bytes.Equal(got, payload((i+1)%7, 1000+500*((i+1)%7))) {
					t.Error("a mixed entry")
				}
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := d.Bytes(); err != nil || got > 10_000 {
		t.Errorf("%d bytes, %v", got, err)
	}
}

// Whoever makes an entry is alone with it; those of other keys do not wait.
func TestAlone(t *testing.T) {
	d := open(t, big)
	done := d.Alone(key(1))
	d.Alone(key(2))()
	second := make(chan error)
	go func() {
		defer d.Alone(key(1))()
		_, err := d.Get(key(1))
		second <- err
	}()
	select {
	case <-second:
		t.Error("two at once")
	case <-time.After(50 * time.Millisecond):
	}
	put(t, d, 1, 10)
	done()
	if err := <-second; err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(d.Path())
	for len(files) > 1 && err == nil { // the second's lock is about to go
		files, err = os.ReadDir(d.Path())
	}
	if err != nil || !has(d, 1) {
		t.Errorf("%v, %v", files, err)
	}
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Fatal(err)
	}
	d.Alone(key(3))() // nothing to lock: nobody waits
}

func FuzzDecode(f *testing.F) {
	k := key(9)
	good := encode(k, []byte("program"))
	f.Add(good)
	f.Add(good[:headSize])
	f.Add(good[:headSize-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decode(k, data)
		if err == nil && !bytes.Equal(encode(k, p), data) {
			t.Error("accepted something that encode would not write")
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}
