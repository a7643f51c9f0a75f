// Package verify says whether compiled programs are checked at every use: the graph is built again, and has
// to be the one that was compiled. Package interptest turns it on, so that tests run under it; nothing else
// does.
package verify

import "sync/atomic"

var on atomic.Bool

// On reports whether programs are checked.
func On() bool { return on.Load() }

// Turn turns the check on or off.
func Turn(to bool) { on.Store(to) }
