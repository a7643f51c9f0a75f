package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"lucigo/internal/atomicfile"
)

// Whole says whether a program that this package has built is there, as it was built: its digest is kept beside it. A
// disk that was full and a machine that crashed leave parts.
func Whole(program string) bool {
	want, err := os.ReadFile(recordOf(program))
	if err != nil {
		return false
	}
	got, err := sum(program)
	return err == nil && got == string(want)
}

func recordOf(program string) string { return program + ".sha256" }

// sum is the digest of a file.
func sum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// keep puts a program that was just built in its place, once it is on the disk and its digest is.
func keep(built, program string) error {
	f, err := os.Open(built)
	if err != nil {
		return err
	}
	defer f.Close()
	digest, err := sum(built)
	if err = errors.Join(err, f.Sync()); err != nil {
		return err
	}
	if err := atomicfile.Write(recordOf(program), 0o644, func(f *os.File) error {
		_, err := f.WriteString(digest)
		return errors.Join(err, f.Sync())
	}); err != nil {
		return err
	}
	return os.Rename(built, program)
}

// lock waits until no other process holds the lock in a file, and takes it.
func lock(ctx context.Context, file string) (unlock func() error, err error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
