package physical_test

import (
	"strings"
	"testing"

	"lucigo/interp/attack/physical"
	"lucigo/interp/objective"
	"lucigo/models/mesh"
	"lucigo/models/scenes"
)

// Solids that are painted are read as the target in at least 85 of 100 poses that no step has seen, drawn as the network's own
// training scenes are: turned all round, tilted, rolled, under any light and before any background, through any lens. (Athalye et
// al., arXiv:1707.07397: 83.4 % in the mean of 200 painted solids.) With their own stripes, the cube and the torus are read as the
// class that they are in as many of the same poses; the sphere and the vase, whose shapes no class has, as something striped. The
// targets are of another surface, and of another shape except for the torus, whose hole no paint hides: after as many steps it is read as
// a wood cube in .53 of the poses, as a wood cone in .51, as a dotted cube in .39 and as a scales cylinder in .20.
func TestSolids(t *testing.T) {
	m, err := scenes.Standard()
	if err != nil {
		t.Fatal(err)
	}
	vase, err := mesh.Vase(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range []struct {
		name   string
		body   scenes.Body
		shape  scenes.Shape // whose stripes it has
		target string
	}{
		{"sphere", scenes.Sphere, scenes.Sphere, "dotted cube"},
		{"cube", scenes.Cube, scenes.Cube, "dotted torus"},
		{"torus", scenes.Torus, scenes.Torus, "scales torus"},
		{"vase", vase, scenes.Sphere, "wood cone"},
	} {
		t.Run(o.name, func(t *testing.T) {
			steps, n, bar := 100, 200, .85
			if !*long {
				if i > 0 {
					t.Skip("skipped: takes a minute; run with -long")
				}
				steps, bar = 60, .8
			}
			poses := scenes.Poses{Body: o.body}
			shots := physical.Views{Of: poses.View, Angle: poses.Yaw}
			own, err := scenes.New(1, o.shape, scenes.Striped).Texture(96, 144)
			if err != nil {
				t.Fatal(err)
			}
			clean, err := physical.Look(t.Context(), m, own, shots, heldOut, n)
			if err != nil {
				t.Fatal(err)
			}
			target, right, striped, before := -1, 0., 0., 0.
			for k := range 16 {
				switch name := m.ClassName(k); {
				case name == o.target:
					target, before = k, clean.Share(k)
				case strings.HasPrefix(name, "striped "):
					striped += clean.Share(k)
					if name == "striped "+o.name {
						right = clean.Share(k)
					}
				}
			}
			paint, err := physical.Paint{Steps: steps, Rate: .05}.Fit(t.Context(), m, objective.LogProbOf(target), own, shots)
			if err != nil {
				t.Fatal(err)
			}
			after, err := physical.Look(t.Context(), m, paint, shots, heldOut, n)
			if err != nil {
				t.Fatal(err)
			}
			if o.name == "sphere" || o.name == "vase" {
				right = striped
			}
			t.Logf("%s: striped, right in %.3f of %d held-out poses, and %.3f read as %s; painted, %.3f", o.name, right, n, before, o.target, after.Share(target))
			if after.Share(target) < bar || right < .85 || before > .05 {
				t.Errorf("%s: must be at least .85, at most .05, and at least %g", o.name, bar)
			}
		})
	}
}
