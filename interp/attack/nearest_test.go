package attack

import (
	"context"
	"math"
	"testing"

	"lucigo/interp/interptest"
	"lucigo/interp/random"
)

// TestLawOnto: steps onto a plane are on it and in [0, 1], and no other step that is both is shorter: compared with a search by
// bisection for L2 and L∞, and with all orders of filling for L1.
func TestLawOnto(t *testing.T) {
	for trial := range 400 {
		s := random.New(3, uint64(trial), 0)
		n := 1 + s.Intn(0, 6)
		x, w := make([]float64, n), make([]float64, n)
		s.Normals(w)
		for i := range x {
			x[i] = s.Uniform(100 + i)
			switch s.Intn(200+i, 6) {
			case 0:
				x[i] = 0
			case 1:
				x[i] = 1
			case 2:
				w[i] = 0
			}
		}
		gap := 3 * (s.Uniform(300) - .5) * s.Uniform(301)
		for _, norm := range []Norm{NormInf, Norm2, Norm1} {
			d := onto(norm, x, w, gap)
			off, nearest := gap, gap
			for i, v := range d {
				off += w[i] * v
				if x[i]+v < -1e-12 || x[i]+v > 1+1e-12 {
					t.Fatalf("trial %d, %s: number %d goes to %g", trial, norm, i, x[i]+v)
				}
				// The corner that is nearest to the plane, or behind it.
				if way := w[i] * gap; way > 0 {
					nearest -= math.Copysign(math.Abs(w[i])*x[i], gap)
				} else {
					nearest -= math.Copysign(math.Abs(w[i])*(1-x[i]), gap)
				}
			}
			if nearest*gap > 0 { // no corner reaches it
				if math.Abs(off-nearest) > 1e-9 {
					t.Errorf("trial %d, %s: ends %g from the plane, and %g is possible", trial, norm, off, nearest)
				}
				continue
			}
			if math.Abs(off) > 1e-9 {
				t.Errorf("trial %d, %s: ends %g from the plane", trial, norm, off)
			}
			if got, want := norm.Distance(make([]float64, n), d, 1), slowOnto(norm, x, w, gap); got > want+1e-7 {
				t.Errorf("trial %d, %s: a step of %g, and %g is enough", trial, norm, got, want)
			}
		}
	}
}

// slowOnto returns the least distance of a step onto the plane in [0, 1]: in L∞ and L2 the least time after which numbers that
// move at their speed are there, in L1 by the dual, max over λ of λ|gap| − Σ room·max(λ|w| − 1, 0).
func slowOnto(norm Norm, x, w []float64, gap float64) float64 {
	room := func(i int) float64 {
		if w[i]*gap > 0 {
			return x[i]
		}
		return 1 - x[i]
	}
	if norm == Norm1 {
		most := 0.
		for _, at := range w { // the maximum is where a slope changes
			if at == 0 {
				continue
			}
			λ := 1 / math.Abs(at)
			value := λ * math.Abs(gap)
			for i := range w {
				value -= room(i) * max(λ*math.Abs(w[i])-1, 0)
			}
			most = max(most, value)
		}
		return most
	}
	at := func(time float64) (gain, length float64) {
		for i := range w {
			speed := 1.
			if norm == Norm2 {
				speed = math.Abs(w[i])
			}
			by := min(time*speed, room(i))
			if w[i] == 0 {
				by = 0
			}
			gain += math.Abs(w[i]) * by
			if length += by * by; norm == NormInf {
				length = max(by*by, length-by*by)
			}
		}
		return gain, math.Sqrt(length)
	}
	low, high := 0., 1e9
	for range 200 {
		middle := (low + high) / 2
		if gain, _ := at(middle); gain < math.Abs(gap) {
			low = middle
		} else {
			high = middle
		}
	}
	_, length := at(low)
	return length
}

// TestLawSalient: the pair is the best of all pairs.
func TestLawSalient(t *testing.T) {
	none := 0
	for trial := range 300 {
		s := random.New(5, uint64(trial), 0)
		n := 2 + s.Intn(0, 30)
		up, down, x, from := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		s.Normals(up)
		random.New(6, uint64(trial), 0).Normals(down)
		for i := range x {
			from[i] = float64(s.Intn(100+i, 4)) / 3 // 0 and 1 among them
			if x[i] = from[i]; s.Intn(200+i, 5) == 0 {
				x[i] = .5
			}
			up[i], down[i] = math.Round(2*up[i]), math.Round(2*down[i]) // ties
		}
		for _, theta := range []float64{1, -.3} {
			way, most := math.Copysign(1, theta), 0.
			for i := range x {
				for j := range i {
					moves := true
					for _, k := range []int{i, j} {
						moves = moves && x[k] == from[k] && (theta > 0 && x[k] < 1 || theta < 0 && x[k] > 0)
					}
					if a, b := way*(up[i]+up[j]), way*(down[i]+down[j]); moves && a > 0 && b < 0 {
						most = max(most, -a*b)
					}
				}
			}
			pair, ok := salient(x, from, up, down, theta)
			if !ok {
				none++
			}
			got := -(up[pair[0]] + up[pair[1]]) * (down[pair[0]] + down[pair[1]])
			if ok != (most > 0) || ok && got != most {
				t.Errorf("trial %d, θ=%g: saliency %g (%v), and %g is possible", trial, theta, got, ok, most)
			}
		}
	}
	if none == 0 || none > 200 {
		t.Errorf("%d of 600 have no pair: the test compares little", none)
	}
}

// TestOracleLinear: of a linear network the nearest image is known: its distance is the margin by the dual norm of the
// difference of two rows.
func TestOracleLinear(t *testing.T) {
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 30, 11)
	for i, v := range x.Pix { // so far from 0 and 1 that [0, 1] cuts nothing
		x.Pix[i] = .45 + .1*v
	}
	p, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	rows := interptest.Rows(m)
	for _, c := range []struct {
		a     Attack
		norms []Norm
		least float64 // how much more than the nearest is allowed at least, and at most
		most  float64
	}{
		{DeepFool{}, []Norm{Norm2, NormInf}, 1.02, 1.03},
		{DeepFool{Overshoot: .5}, []Norm{Norm2, NormInf}, 1.5, 1.52},
		{FAB{}, []Norm{Norm2, NormInf, Norm1}, 1, 1.06},
		{FAB{Steps: 20, Targets: 2}, []Norm{Norm2, NormInf, Norm1}, 1, 1.06},
		{CarliniWagner{Searches: 6, Steps: 500}, []Norm{Norm2}, 1, 1.02},
		{LBFGS{Searches: 12, Loss: Margin}, []Norm{Norm2}, 1, 1.02},
	} {
		for _, n := range c.norms {
			r, err := Judge{Ball: Anywhere(n)}.Try(context.Background(), m, c.a, x)
			if err != nil {
				t.Fatal(err)
			}
			task := &Task{Ball: Anywhere(n)}
			for i, v := range r.Verdicts {
				least := math.Inf(1)
				for class := range rows {
					d := make([]float64, len(rows[0]))
					for k := range d {
						d[k] = rows[class][k] - rows[v.Class][k]
					}
					if class != v.Class {
						least = min(least, (p.Logits.Of(i)[v.Class]-p.Logits.Of(i)[class])/task.dual(d))
					}
				}
				got := n.Distance(x.Of(i), r.Images.Of(i), 1)
				if !v.Fooled || got < c.least*least-1e-9 || got > c.most*least+2e-4 {
					t.Errorf("%s in %s: image %d: %v at %.5g, and the nearest is at %.5g", c.a, n, i, v.Fooled, got, least)
				}
			}
		}
	}
}

// TestUniversal: one perturbation, in the ball, changes the answer for most images that it was not fitted to, and noise of its
// size for few.
func TestUniversal(t *testing.T) {
	m, ctx := interptest.Smooth(), context.Background()
	all := interptest.Images(m, 60, 9)
	for _, b := range []Ball{Linf(.06), L2(1)} {
		var told []float64
		v, err := Universal{}.Fit(ctx, m, b, all.Slice(0, 30), func(_ int, fooled float64) { told = append(told, fooled) })
		if err != nil {
			t.Fatal(err)
		}
		if d := b.norm.Distance(make([]float64, len(v)), v, 1); d > b.radius*(1+1e-9) {
			t.Errorf("%s: the perturbation's size is %g", b, d)
		}
		if len(told) == 0 || told[len(told)-1] < .8 {
			t.Errorf("%s: of the images that it was fitted to it fools %g", b, told)
		}
		held, err := Judge{Ball: b}.Try(ctx, m, Added{v}, all.Slice(30, 60))
		if err != nil {
			t.Fatal(err)
		}
		noise, err := Judge{Ball: b}.Try(ctx, m, Noise{}, all.Slice(30, 60))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.2f of others, noise %.2f, rounds %.2f", b, held.Fooled(), noise.Fooled(), told)
		if held.Fooled() < .6 || held.Fooled() < 2*noise.Fooled() {
			t.Errorf("%s: of others it fools %.2f, and noise %.2f", b, held.Fooled(), noise.Fooled())
		}
	}
	for want, f := range map[string]func() error{
		"attack: Ball is absent": func() error { _, err := Universal{}.Fit(ctx, m, Ball{}, all, nil); return err },
		"attack: Universal: the ball has no radius": func() error {
			_, err := Universal{}.Fit(ctx, m, Anywhere(Norm2), all, nil)
			return err
		},
		"attack: Universal: the ball is in L1": func() error { _, err := Universal{}.Fit(ctx, m, L1(1), all, nil); return err },
		"attack: Universal: Share is 2":        func() error { _, err := Universal{Share: 2}.Fit(ctx, m, L2(1), all, nil); return err },
		"attack: Universal: Rounds is -1":      func() error { _, err := Universal{Rounds: -1}.Fit(ctx, m, L2(1), all, nil); return err },
		"attack: Added: Perturbation has 1 numbers": func() error {
			_, err := Judge{Ball: L2(1)}.Try(ctx, m, Added{[]float64{1}}, all)
			return err
		},
	} {
		if err := f(); err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLawBlackAndWhite: an image of 0 and 1 alone has a nearest one too (atanh is infinite there).
func TestLawBlackAndWhite(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 4, 3)
	for i, v := range x.Pix {
		x.Pix[i] = math.Round(v)
	}
	for _, a := range []Attack{CarliniWagner{Searches: 1, Steps: 1000, Weight: 10}, LBFGS{}, DeepFool{}, FAB{}} {
		r, err := Judge{Ball: Anywhere(Norm2)}.Try(context.Background(), m, a, x)
		if err != nil || r.Left() != 0 {
			t.Errorf("%s: %v, %g left", a, err, r.Left())
		}
	}
}
