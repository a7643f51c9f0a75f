// Package hostile tells tests what a parser makes its input cost, which somebody may have written to cost the most.
package hostile

import (
	"runtime/metrics"
	"testing"
	"time"
)

// Most is what parse may allocate of an input of less than a megabyte, in bytes, and Longest how long it may take.
const (
	Most    = 64 << 20
	Longest = 5 * time.Minute
)

// Bounded calls parse, and fails where it allocates more than Most, all that it frees again included. It ends the
// process where parse does not end, so that its stack is seen. Nothing else may allocate meanwhile.
func Bounded(t testing.TB, parse func()) {
	t.Helper()
	hangs := time.AfterFunc(Longest, func() { panic("hostile: the input takes more than " + Longest.String()) })
	defer hangs.Stop()
	if n := Allocated(parse); n > Most {
		t.Errorf("it allocates %d MB, must be at most %d", n>>20, Most>>20)
	}
}

// Allocated returns how many bytes f allocates, all that it frees again included. Nothing else may allocate meanwhile.
func Allocated(f func()) uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	before := s[0].Value.Uint64()
	f()
	metrics.Read(s)
	return s[0].Value.Uint64() - before
}
