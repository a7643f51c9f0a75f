//go:build unix

package diskcache

import (
	"fmt"
	"os"
	"syscall"
)

// checkOwner refuses a directory in which anyone else could place an entry.
func checkOwner(path string, info os.FileInfo) error {
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("the owner of %s cannot be read", path)
	}
	if uid := os.Geteuid(); stat.Uid != uint32(uid) {
		return fmt.Errorf("%s belongs to user %d and this process to user %d: choose a directory of your own", path, stat.Uid, uid)
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write to %s (mode %o): chmod 700 it, or choose another directory", path, mode)
	}
	return nil
}
