// Package project knows where things are: the project's own directory, and the directory of everything kept between
// runs.
package project

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"
)

const (
	// Module is the path of the project's module.
	Module = "lucigo"

	// EnvRoot is the variable by which a kernel tells its cells the project's directory.
	EnvRoot = "LUCIGO_ROOT"

	// EnvCache is the variable that names the directory of everything kept between runs.
	EnvCache = "LUCIGO_CACHE"
)

// Root returns the project's directory, which is dir or above it.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if isRoot(d) {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod of module %s in %s or above it: run the command in the project's directory", Module, dir)
		}
	}
}

func isRoot(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && modfile.ModulePath(b) == Module
}

// Cache returns a path in the directory of everything kept between runs: that of LUCIGO_CACHE, or lucigo in the user's
// cache directory. It makes no directory.
func Cache(elem ...string) (string, error) {
	dir := os.Getenv(EnvCache)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache directory: %w; set %s to one", err, EnvCache)
		}
		dir = filepath.Join(user, "lucigo")
	}
	return filepath.Abs(filepath.Join(append([]string{dir}, elem...)...))
}
