package smoothing_test

import (
	"math"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/smoothing"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// hunters are the attacks that look for an image inside a certified ball that the smoothed network answers otherwise.
var hunters = []attack.Attack{
	attack.Noise{}, attack.GradientStep{}, attack.FGSM{}, attack.PGD{Steps: 6, Full: true}, attack.PGD{Steps: 6, Loss: attack.Margin, Full: true},
	attack.APGD{Steps: 12, Loss: attack.Margin}, attack.Square{Queries: 20},
}

// hunt is a search for images that contradict certificates.
type hunt struct {
	forward layer.Forward // of the base network
	base    *interp.Model
	by      []attack.Attack
	noises  int     // soft networks, each of another noise
	rows    int     // starts of an attack on an image
	reach   float64 // the ball's radius, in certified radii
	judge   smoothing.Gaussian
}

// found is what came of it. A try is an image that an attack offers and Predict is asked about, inside the ball.
type found struct{ tries, contradicted, abstained int }

// of attacks the certified images on soft networks.
func (h hunt) of(t *testing.T, x interp.Images, certificates []smoothing.Certificate) (all found) {
	t.Helper()
	for seed := range h.noises {
		noise := h.judge
		noise.Seed = uint64(1000 + seed)
		classes := h.base.Classes()
		soft, err := interp.New(interp.Spec{Name: "soft", Forward: noise.Soft(h.forward, 4), Input: [3]int{x.H, x.W, x.C}, Classes: classes, Weights: h.base.Weights()})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range certificates {
			if c.Why != smoothing.Answered {
				continue
			}
			many := x.Pick(slices.Repeat([]int{i}, h.rows)...).Asked(c.Class)
			many.Key = make([]uint64, h.rows)
			for k := range many.Key {
				many.Key[k] = uint64(seed*h.rows + k)
			}
			judge := attack.Judge{Ball: attack.L2(h.reach * c.Radius * (1 - 1e-9)), Seed: uint64(seed)}
			for _, a := range h.by {
				of := many
				if rows := map[bool]int{true: 1, false: h.rows}[steady(a)]; rows < h.rows {
					of = many.Slice(0, rows)
				}
				r, err := judge.Try(t.Context(), soft, a, of)
				if err != nil {
					t.Fatal(err)
				}
				all.judge(t, h, x.Of(i), c, r.Images)
			}
		}
	}
	return all
}

// steady reports whether an attack finds the same from every start.
func steady(a attack.Attack) bool {
	switch a.(type) {
	case attack.GradientStep, attack.FGSM, attack.APGD:
		return true
	}
	return false
}

// judge asks Predict about candidates. Their noise is their own: keys are those of their pixels.
func (f *found) judge(t *testing.T, h hunt, original []float64, c smoothing.Certificate, y interp.Images) {
	t.Helper()
	y.Class, y.Key = nil, nil
	answers, err := h.judge.Predict(t.Context(), h.base, y)
	if err != nil {
		t.Fatal(err)
	}
	for k, a := range answers {
		d := attack.Norm2.Distance(original, y.Of(k), y.C)
		if d >= h.reach*c.Radius {
			t.Fatalf("an attack offers an image at %g, outside the ball of %g", d, h.reach*c.Radius)
		}
		f.tries++
		switch {
		case a.Why != smoothing.Answered:
			f.abstained++
		case a.Class != c.Class:
			f.contradicted++
			if h.reach <= 1 {
				t.Errorf("%+v is contradicted at %g: %+v", c, d, a)
			}
		}
	}
}

// both hunts in certified balls, where it fails if an attack finds anything or has too few tries, and in balls four times as large, where
// it fails if the attacks are so weak that they find hardly anything.
func (h hunt) both(t *testing.T, x interp.Images, least int) {
	t.Helper()
	certificates, err := smoothing.Gaussian{N: 1000}.Certify(t.Context(), h.base, x)
	if err != nil {
		t.Fatal(err)
	}
	h.judge = smoothing.Gaussian{N: 100, Seed: 77}
	h.reach = 1
	all := h.of(t, x, certificates)
	h.reach, h.noises, h.rows = 4, 1, 2
	far := h.of(t, x, certificates)
	t.Logf("%s: %d tries in certified balls, %d certificates contradicted, %d times Predict abstains; in balls four times as large %d of %d tries change the answer",
		h.base, all.tries, all.contradicted, all.abstained, far.contradicted, far.tries)
	if all.tries < least || far.contradicted < far.tries/10 {
		t.Errorf("the attacks are too few or too weak for this test")
	}
}

// TestNoContradiction: no attack finds an image inside a certified ball that Predict answers otherwise. With -long it has 10,000 tries. The
// network is a small one of tanhs here, and scenes.Noisy in TestNoContradictionOnScenes.
func TestNoContradiction(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Model("smooth", smooth, [3]int{12, 12, 3}, 4, 3)
	h, least := hunt{forward: smooth, base: m, by: hunters, noises: 1, rows: 4}, 100
	if *long {
		h.noises, h.rows, least = 12, 40, 10_000
	}
	h.both(t, interptest.Images(m, 10, 4), least)
}

// TestLinearAttack: the attack walks to the boundary of a linear network, and as far as the certificate goes Predict's answer stays. Just
// beyond the boundary it changes: certificates could be contradicted, if they reached too far.
func TestLinearAttack(t *testing.T) {
	m := two(0)
	x := interptest.Images(m, 12, 3)
	g := smoothing.Gaussian{N: 1000}
	certificates, err := g.Certify(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	w := m.Weights()["/logits/weights"].Values()
	walk := func(distance func(i int) float64) interp.Images {
		y := x.Free()
		y.Pix = slices.Clone(x.Pix)
		for i := range x.N {
			length, away := 0.0, -math.Copysign(1, margin(m, 0, x.Of(i)))
			for p := range x.Size() {
				length = math.Hypot(length, w[2*p+1]-w[2*p])
			}
			for p := range x.Size() {
				y.Of(i)[p] += away * distance(i) * (w[2*p+1] - w[2*p]) / length
			}
		}
		return y
	}
	near, err := g.Predict(t.Context(), m, walk(func(i int) float64 { return certificates[i].Radius }))
	if err != nil {
		t.Fatal(err)
	}
	beyond, err := g.Predict(t.Context(), m, walk(func(i int) float64 { return math.Abs(margin(m, 0, x.Of(i))) + .1 }))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range certificates {
		if c.Why != smoothing.Answered {
			continue
		}
		if near[i].Why == smoothing.Answered && near[i].Class != c.Class {
			t.Errorf("%+v is contradicted: %+v", c, near[i])
		}
		if beyond[i].Why != smoothing.Answered || beyond[i].Class == c.Class {
			t.Errorf("beyond the boundary of %+v: %+v", c, beyond[i])
		}
	}
}
