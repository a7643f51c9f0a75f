package hostile

import (
	"fmt"
	"testing"
)

// noted is a test that notes what it is told.
type noted struct {
	testing.TB
	said string
}

func (n *noted) Helper()                           {}
func (n *noted) Errorf(format string, args ...any) { n.said = fmt.Sprintf(format, args...) }

var kept []byte

func TestBounded(t *testing.T) {
	for size, says := range map[int]string{1 << 20: "", Most + 1<<20: "it allocates 65 MB, must be at most 64"} {
		n := &noted{TB: t}
		if Bounded(n, func() { kept = make([]byte, size) }); n.said != says {
			t.Errorf("of %d bytes: %q", size, n.said)
		}
	}
}
