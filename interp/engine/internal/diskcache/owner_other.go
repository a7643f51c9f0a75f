//go:build !unix

package diskcache

import (
	"fmt"
	"os"
	"runtime"
)

// checkOwner refuses every directory: who may write it is not checked on this system.
func checkOwner(path string, info os.FileInfo) error {
	return fmt.Errorf("no compile cache on %s: who may write %s cannot be checked", runtime.GOOS, path)
}
