//go:build !cgo || !(linux || darwin)

package plugin

import (
	"errors"
	"runtime"

	"github.com/gomlx/compute"

	"lucigo/interp/engine/internal/diskcache"
)

// Supported says whether this program can open plugins at all.
const Supported = false

// A Client is one open client of a plugin; here there is none.
type Client struct {
	Backend           compute.Backend
	Platform, Version string
}

// Open always fails: calling a plugin takes C.
func Open(path, kind string, store *diskcache.Dir) (*Client, error) {
	return nil, errors.New(Unsupported())
}

// Unsupported says why plugins cannot be opened, and what helps.
func Unsupported() string {
	if runtime.GOOS == "linux" || runtime.GOOS == "darwin" {
		return "this program was built without cgo, which XLA needs: install a C compiler (gcc or clang) and build again with CGO_ENABLED=1"
	}
	return "XLA plugins are loaded on Linux and macOS only"
}

// Stats returns zeros.
func (c *Client) Stats() Stats { return Stats{} }
