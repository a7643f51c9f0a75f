package physical

import (
	"errors"
	"strings"
	"testing"

	"lucigo/interp/render"
)

// A shot of Views is of the view that the func returns, through the lens that is asked for, or one that the seed draws.
func TestViews(t *testing.T) {
	var asked [2]uint64
	of := func(seed uint64, i int) (*render.View, error) {
		asked = [2]uint64{seed, uint64(i)}
		return render.Flat{}.View(16, 16, 1, make([]float64, 16*16*3))
	}
	s, err := Views{Of: of, Steady: Lens{Blur: 1}}.Shot(3, 4)
	if err != nil || asked != [2]uint64{3, 4} || s.View.H != 16 || s.Lens != (Lens{Blur: 1}) {
		t.Errorf("%+v, %v, asked for %v", s, err, asked)
	}
	if s, err := (Views{Of: of, Angle: func(seed uint64, i int) float64 { return float64(10*int(seed) + i) }}).Shot(3, 4); err != nil || s.Tilt != 34 {
		t.Errorf("%+v, %v", s, err)
	}
	a, _ := Views{Of: of}.Shot(3, 4)
	b, _ := Views{Of: of}.Shot(3, 4)
	c, _ := Views{Of: of}.Shot(3, 5)
	if a.Lens != b.Lens || a.Key != b.Key || a.Lens == c.Lens || a.Key == c.Key || a.Lens == (Lens{}) {
		t.Errorf("lenses %+v, again %+v, and of the next %+v", a.Lens, b.Lens, c.Lens)
	}
	if _, err := (Views{}).Shot(3, 4); err == nil || !strings.Contains(err.Error(), "Of is nil") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := (Views{Of: func(uint64, int) (*render.View, error) { return nil, broken }}).Shot(3, 4); !errors.Is(err, broken) {
		t.Error(err)
	}
}
