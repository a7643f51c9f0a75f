package subject_test

import (
	"context"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/notebooks/subject"
)

// The layers are the network's, in its order, and the first sees the pixels.
func TestStages(t *testing.T) {
	ctx := context.Background()
	for name, want := range map[string]int{"scenes": 5, "scenes-robust": 5, "scenes-allconv": 5, "scenes-dense": 1} {
		m, err := subject.Network(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := m.Layers()
		if err != nil {
			t.Fatal(err)
		}
		got, err := subject.Stages(m)
		if err != nil || len(got) != want || got[0] != layers[0].Name {
			t.Errorf("%s: %v, %v; its layers are %v", name, got, err, layers)
		}
		from := 0
		for _, stage := range got {
			i := slices.IndexFunc(layers[from:], func(l interp.Layer) bool { return l.Name == stage })
			if i < 0 {
				t.Fatalf("%s: %s of %v is out of the order of %v", name, stage, got, layers)
			}
			from += i + 1
		}
	}
}
