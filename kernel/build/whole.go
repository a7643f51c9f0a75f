package build

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/gofrs/flock"

	"lucigo/internal/atomicfile"
	"lucigo/internal/digest"
)

// Whole says whether a program that this package has built is there, as it was built: its digest is kept beside it. A
// disk that was full and a machine that crashed leave parts.
func Whole(program string) bool {
	want, err := os.ReadFile(recordOf(program))
	if err != nil {
		return false
	}
	got, err := digest.SHA256(context.Background(), program)
	return err == nil && got == string(want)
}

func recordOf(program string) string { return program + ".sha256" }

// keep puts a program that was just built in its place, once it is on the disk and its digest is.
func keep(built, program string) error {
	f, err := os.Open(built)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := digest.SHA256(context.Background(), built)
	if err = errors.Join(err, f.Sync()); err != nil {
		return err
	}
	if err := atomicfile.Write(recordOf(program), 0o644, func(f *os.File) error {
		_, err := f.WriteString(sum)
		return errors.Join(err, f.Sync())
	}); err != nil {
		return err
	}
	return os.Rename(built, program)
}

// lock waits until no other process holds the lock in a file, and takes it.
func lock(ctx context.Context, file string) (unlock func() error, err error) {
	l := flock.New(file)
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	return l.Unlock, nil
}
