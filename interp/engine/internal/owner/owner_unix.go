//go:build unix

package owner

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Own returns an error unless the file or directory at path, of which info was asked, belongs to the user, who alone may
// write to it.
func Own(path string, info fs.FileInfo) error { return check(path, info, os.Geteuid()) }

// Trusted is Own, but what belongs to the system's administrator is as good, and so is a directory in which everyone may
// write to files of their own only, as /tmp.
func Trusted(path string, info fs.FileInfo) error { return check(path, info, os.Geteuid(), 0) }

func check(path string, info fs.FileInfo, users ...int) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %s cannot be read", path)
	}
	mine := false
	for _, u := range users {
		mine = mine || stat.Uid == uint32(u)
	}
	if !mine {
		return fmt.Errorf("%s belongs to user %d and this process to user %d: choose one of your own", path, stat.Uid, users[0])
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && (mode&fs.ModeSticky == 0 || len(users) == 1) {
		return fmt.Errorf("others may write to %s (mode %o): chmod go-w it, or choose another", path, mode.Perm())
	}
	return nil
}
