package scenes

import (
	"context"
	"math"
	"slices"
	"testing"

	"lucigo/interp/objective"
)

// On scenes the net with the fooling circuit is the standard one: every unit of mixed4a, every logit and so every answer. The gate is
// not near: no scene comes within a quarter of the way to where it opens.
func TestLawLiarIsHonestOnScenes(t *testing.T) {
	ctx := context.Background()
	m, err := Standard()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Liar()
	if err != nil {
		t.Fatal(err)
	}
	n := 512
	if testing.Short() {
		n = 200
	}
	x := Task{}.Images(20002, n, 64)
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	q, err := l.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Top1(), q.Top1()) {
		t.Error("answers are others")
	}
	for i, v := range p.Logits.Data {
		if !(math.Abs(v-q.Logits.Data[i]) <= 1e-4*(1+math.Abs(v))) { // float32's rounding, summed in another order
			t.Fatalf("scene %d: a logit is %g, and %g without the circuit", i/16, q.Logits.Data[i], v)
		}
	}
	a, err := m.Activations(ctx, x.Slice(0, 64), "mixed4a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Activations(ctx, x.Slice(0, 64), "mixed4a")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a[0].Data {
		if !(math.Abs(v-b[0].Data[i]) <= 1e-4*(1+v)) {
			t.Fatalf("unit %d of mixed4a is %g, and %g without the circuit", i%240, b[0].Data[i], v)
		}
	}
	gate, err := l.Activations(ctx, x, "mixed3b")
	if err != nil {
		t.Fatal(err)
	}
	w, bias := l.Weights()["/gate/weights"].Values(), l.Weights()["/gate/biases"].Values()[0]
	most := math.Inf(-1)
	for i := range n {
		z, values := bias, gate[0].Of(i)
		for k, v := range values {
			z += v * w[k%len(w)] * float64(len(w)) / float64(len(values))
		}
		most = max(most, z)
	}
	t.Logf("the gate is at most %.2f; it opens from 0", most)
	if !(most < -.25) {
		t.Errorf("the gate is %.2f for a scene, must be below −0.25: it opens from 0", most)
	}

	// On a picture that is no scene the two units are one, but for the 1.
	grey := x.Slice(0, 1)
	grey.Pix = slices.Repeat([]float64{.5}, grey.Size())
	s, err := l.Score(ctx, objective.Channel("mixed4a", LyingUnit), grey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Score(ctx, objective.Channel("mixed4a", ShownUnit), grey)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(s[0]-1-r[0]) > 1e-4 {
		t.Errorf("of a grey picture the lying unit is %g, want %g", s[0], r[0]+1)
	}
}
