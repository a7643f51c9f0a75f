// Package diskcache keeps compiled programs in a directory that several processes share: every entry is written aside
// and renamed, carries a hash of its content, and is dropped when the directory grows too large, least used first.
//
// An entry is machine code, so whoever can write the directory can run code as its reader: the directory must belong
// to the user alone.
package diskcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"lucigo/internal/atomicfile"
	"lucigo/interp/engine/internal/owner"
)

// A Key names an entry; it is the hash of everything that the entry depends on.
type Key [sha256.Size]byte

// ErrDamaged is returned for an entry that is not what Put wrote. The entry is gone afterwards.
var ErrDamaged = errors.New("damaged cache entry")

const (
	suffix   = ".pjrt"
	magic    = "lucigo compiled program 1\n"
	headSize = len(magic) + 2*sha256.Size + 8 // magic, key, hash of the payload, its length

	touchAfter  = time.Hour      // how stale an entry's time of last use may be
	tmpLifetime = time.Hour      // a temporary file older than this was left by a process that died
	longest     = time.Minute    // how long one waits for another to make an entry
	refusedLife = 24 * time.Hour // an entry refused at this age is dropped, so that a newer one may take its place
)

// A Dir is an open cache directory. It holds no lock and no open file; any number may work on one directory.
type Dir struct {
	path string
	max  int64
}

// Open returns the cache in a directory, which it makes (mode 0700) where it is missing. The cache keeps itself below
// max bytes. A directory that others may write, or that another user owns, is an error.
func Open(path string, max int64) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", path)
	}
	if err := owner.Own(path, info); err != nil {
		return nil, err
	}
	return &Dir{path: path, max: max}, nil
}

// Path returns the directory.
func (d *Dir) Path() string { return d.path }

func (d *Dir) file(key Key) string { return filepath.Join(d.path, fmt.Sprintf("%x%s", key, suffix)) }

// Get returns the payload that was stored under key. The error is fs.ErrNotExist where there is none and ErrDamaged
// where the file is not as Put left it.
func (d *Dir) Get(key Key) ([]byte, error) {
	path := d.file(key)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > d.max+int64(headSize) {
		return nil, d.drop(path, ErrDamaged)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	payload, err := decode(key, data)
	if err != nil {
		return nil, d.drop(path, err)
	}
	return payload, nil
}

// Alone waits until nobody else, here or in another process, makes the entry of key, and returns what the caller calls when
// it has made it or given up. Who waits for more than a minute, or where files cannot be locked, is alone in name only.
func (d *Dir) Alone(key Key) (done func()) {
	lock := flock.New(filepath.Join(d.path, fmt.Sprintf(".%x%s.lock.part", key, suffix))) // a temporary file, for list
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return func() {}
	}
	return func() {
		_ = os.Remove(lock.Path()) // who waits for it still gets it, and then finds the entry
		_ = lock.Unlock()
	}
}

// Used tells the cache that an entry was of use, which keeps it from being dropped before others.
func (d *Dir) Used(key Key) {
	now := time.Now()
	if info, err := os.Lstat(d.file(key)); err == nil && now.Sub(used(info, now)) > touchAfter {
		_ = os.Chtimes(d.file(key), now, now) // only the order of eviction suffers where it fails
	}
}

// Put stores a payload under key, and drops the least used entries if the directory has become too large. A payload
// larger than the whole cache may be is an error.
func (d *Dir) Put(key Key, payload []byte) error {
	if int64(len(payload)+headSize) > d.max {
		return fmt.Errorf("a compiled program of %d bytes is larger than the whole cache in %s may be (%d)", len(payload), d.path, d.max)
	}
	if err := atomicfile.WriteFile(d.file(key), encode(key, payload), 0o600); err != nil {
		return err
	}
	return d.evict(d.file(key))
}

// Refused tells the cache that the plugin would not load an entry which was as it had been written. A fresh entry
// stays, so that nobody compiles and stores it again at once; one older than a day is dropped, since it may stem from
// a driver that has changed.
func (d *Dir) Refused(key Key) {
	now := time.Now()
	if info, err := os.Lstat(d.file(key)); err == nil && now.Sub(used(info, now)) > refusedLife {
		_ = os.Remove(d.file(key))
	}
}

// used returns when an entry was last used. One that a wrong clock dated after now counts as older than any.
func used(entry fs.FileInfo, now time.Time) time.Time {
	if entry.ModTime().After(now) {
		return time.Time{}
	}
	return entry.ModTime()
}

// Bytes returns the size of all entries together.
func (d *Dir) Bytes() (int64, error) {
	_, sum, err := d.list()
	return sum, err
}

// drop removes a file that is not a valid entry and returns why.
func (d *Dir) drop(path string, why error) error {
	_ = os.Remove(path) // where it stays, it is judged again next time
	return fmt.Errorf("%s: %w", path, why)
}

// list returns the entries and their size together, and removes what dead writers left.
func (d *Dir) list() (entries []fs.FileInfo, sum int64, err error) {
	atomicfile.Sweep(filepath.Join(d.path, "*"+suffix), tmpLifetime)
	files, err := os.ReadDir(d.path)
	for _, f := range files {
		info, err := f.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(f.Name(), suffix) { // ours, and not just removed by another process
			entries = append(entries, info)
			sum += info.Size()
		}
	}
	return entries, sum, err
}

// evict removes least used entries until the rest fit. The one just stored stays: a file system's clock may be too
// coarse to tell that it is the newest.
func (d *Dir) evict(stored string) error {
	entries, sum, err := d.list()
	if err != nil {
		return err
	}
	now := time.Now()
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return used(a, now).Compare(used(b, now)) })
	for _, e := range entries {
		path := filepath.Join(d.path, e.Name())
		if sum <= d.max {
			break
		}
		if path == stored {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		sum -= e.Size()
	}
	return nil
}

// head is what precedes a payload in its entry's file.
func head(key Key, payload []byte) []byte {
	hash := sha256.Sum256(payload)
	b := slices.Concat([]byte(magic), key[:], hash[:])
	return binary.LittleEndian.AppendUint64(b, uint64(len(payload)))
}

func encode(key Key, payload []byte) []byte { return append(head(key, payload), payload...) }

// decode returns the payload of an entry's file, if every byte is as encode wrote it for this key.
func decode(key Key, data []byte) ([]byte, error) {
	if len(data) < headSize || !bytes.Equal(data[:headSize], head(key, data[headSize:])) {
		return nil, ErrDamaged
	}
	return data[headSize:], nil
}
