// Package shared finds the real models, photographs and oracles that lie beside the repository, in
// ../shared/data. They are under licences of their own and no part of it.
package shared

import (
	"os"
	"path/filepath"
	"testing"

	"lucigo/internal/project"
)

// Path returns the path of a file or folder of the data, and skips the test where it is absent.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(append([]string{filepath.Dir(root), "shared", "data"}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the data for it is not beside the repository: %v", err)
	}
	return path
}
