package featvis

import (
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/layer"
)

// redirect is a rule for units that are off everywhere. Their derivative is 0, so nothing would climb.
// Where nothing at all of an image's gradient passes a ReLU, it lets through what would switch units on:
// all but what would push down those that are off already. Where the score is to fall, that too passes:
// a unit that is off is then pushed further below zero.
type redirect struct{ fall bool }

func (r redirect) String() string {
	if r.fall {
		return "redirected, falling"
	}
	return "redirected"
}

// Optional: a network without ReLUs has no units that are off.
func (redirect) Optional() {}

func (r redirect) ReLU(x *Node) *Node {
	passed := IdentityWithCustomGradient(x, func(x, v *Node) *Node {
		zero := ZerosLike(v)
		off := LessOrEqual(x, zero)
		exact := Where(off, zero, v)
		through := v
		if !r.fall {
			through = Where(And(off, LessThan(v, zero)), zero, v)
		}
		most := Abs(exact)
		for most.Rank() > 1 {
			most = ReduceMax(most, most.Rank()-1)
		}
		for most.Rank() < v.Rank() {
			most = ExpandAxes(most, -1)
		}
		some := GreaterThan(BroadcastToShape(most, v.Shape()), zero)
		return Where(some, exact, through)
	})
	// x + (max(x, 0) − x) is max(x, 0) to the bit, and its derivative at x is 1.
	return Add(passed, StopGradient(Sub(layer.ReLU(x), x)))
}
