package smoothing_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/smoothing"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
)

// hunter is an attack that looks for an image inside a certified ball that the smoothed network answers otherwise. It attacks a soft
// network, which has gradients and scores.
type hunter struct {
	attack  attack.Attack
	nearest bool // it looks for the nearest image, wherever that is; what it finds is moved into the ball
	labels  bool // it asks the smoothed network itself, by few copies, and is told labels
}

// hunters are all attacks that there are, with few steps: TestEveryAttackHunts fails where one is missing. From are images to begin from,
// base is the network without noise, shift what Universal has found, and queries how many Square may make. Universal and Judge.Transfer
// are no attacks: they hunt as Added and Through. The physical ones change an object's paint or what a camera sees, and stay in no ball.
func hunters(from interp.Images, base *interp.Model, shift []float64, queries int) []hunter {
	return []hunter{
		{attack: attack.Noise{}},
		{attack: attack.GradientStep{}},
		{attack: attack.FGSM{}},
		{attack: attack.PGD{Steps: 6, Full: true}},
		{attack: attack.PGD{Steps: 6, Loss: attack.Margin, Full: true}},
		{attack: attack.BIM{Steps: 6, Loss: attack.Margin, Full: true}},
		{attack: attack.MIFGSM{Steps: 6, Full: true}},
		{attack: attack.APGD{Steps: 12, Loss: attack.Margin}},
		{attack: attack.Square{Queries: queries}},
		{attack: attack.Ensemble{attack.APGD{Steps: 5}, attack.APGD{Steps: 5, Loss: attack.DLR, Targets: 2}, attack.FAB{Steps: 3, Targets: 2}, attack.Square{Queries: 10}}},
		{attack: attack.Added{Perturbation: shift}},
		{attack: attack.Through{Attack: attack.PGD{Steps: 6, Full: true}, Model: base}},
		{attack: attack.Transferred{Attack: attack.PGD{Steps: 6, Full: true}, Model: base}},
		{attack: attack.DeepFool{Steps: 10, Candidates: 4}, nearest: true},
		{attack: attack.FAB{Steps: 8, Targets: 3}, nearest: true},
		{attack: attack.CarliniWagner{Searches: 2, Steps: 40, Rate: .05, Weight: 1}, nearest: true},
		{attack: attack.LBFGS{Searches: 3, Steps: 8, Weight: 1}, nearest: true},
		{attack: attack.JSMA{Theta: .3, Gamma: min(.145, 40/float64(from.Size()))}, nearest: true},
		{attack: attack.Boundary{Queries: 120, From: from}, nearest: true},
		{attack: attack.HopSkipJump{Queries: 200, First: 20, From: from}, nearest: true},
		{attack: attack.Boundary{Queries: 100, From: from}, nearest: true, labels: true},
		{attack: attack.HopSkipJump{Queries: 100, First: 20, From: from}, nearest: true, labels: true},
	}
}

// TestEveryAttackHunts: what has the method that makes it an attack, in the sources of package attack and of those below it, is a hunter.
func TestEveryAttackHunts(t *testing.T) {
	hunts := map[string]bool{}
	for _, h := range hunters(interp.Images{}, nil, nil, 0) {
		hunts[reflect.TypeOf(h.attack).Name()] = true
	}
	found := 0
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			name, ok := attacker(d)
			if !ok {
				continue
			}
			if found++; !hunts[name] {
				t.Errorf("%s: %s is an attack, and no hunter: list it", path, name)
			}
		}
		return nil
	})
	if err != nil || found != len(hunts) {
		t.Errorf("%d attacks are declared, and %d hunt: %v", found, len(hunts), err)
	}
}

// attacker returns the type that a declaration makes an attack, if it is one of the method Find(context.Context, *Task) error.
func attacker(d ast.Decl) (string, bool) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv == nil || f.Name.Name != "Find" || f.Type.Params.NumFields() != 2 {
		return "", false
	}
	task, ok := f.Type.Params.List[1].Type.(*ast.StarExpr)
	if !ok {
		return "", false
	}
	name := func(e ast.Expr) string {
		if s, ok := e.(*ast.StarExpr); ok {
			e = s.X
		}
		if s, ok := e.(*ast.SelectorExpr); ok {
			e = s.Sel
		}
		id, _ := e.(*ast.Ident)
		return id.Name
	}
	return name(f.Recv.List[0].Type), name(task) == "Task"
}

// few tells labels: the most frequent class of few copies.
type few struct {
	smoothing.Gaussian
	of *interp.Model
}

func (f few) Labels(ctx context.Context, x interp.Images) (all []int, err error) {
	answers, err := f.Predict(ctx, f.of, x)
	for _, a := range answers {
		all = append(all, a.Guess)
	}
	return all, err
}

// inside is the part of a ball's radius that tries stay in, as float32 rounds their numbers, by up to 3e-8 each.
const inside = 1 - 1e-4

// hunt is a search for images that contradict certificates.
type hunt struct {
	forward layer.Forward // of the base network
	base    *interp.Model
	noises  int     // soft networks, each of another noise
	rows    int     // starts of an attack on an image
	queries int     // of Square
	every   bool    // every attack must be better than noise
	reach   float64 // the ball's radius, in certified radii
}

// found is what came of it. A try is an image that an attack offers, moved into the ball, and that Predict is asked about.
type found struct {
	tries, changed   map[string]int // of each attack, and those of them that are answered with another class
	again, abstained int
}

// sum adds up what all attacks have.
func sum(of map[string]int) (all int) {
	for _, n := range of {
		all += n
	}
	return all
}

// of attacks the certified images.
func (h hunt) of(t *testing.T, x interp.Images, certificates []smoothing.Certificate) found {
	t.Helper()
	all := found{tries: map[string]int{}, changed: map[string]int{}}
	for noise := range h.noises {
		seed := uint64(1000 + noise)
		soft, err := interp.New(interp.Spec{Name: "soft", Forward: smoothing.Gaussian{Seed: seed}.Soft(h.forward, 4),
			Input: [3]int{x.H, x.W, x.C}, Classes: h.base.Classes(), Weights: h.base.Weights()})
		if err != nil {
			t.Fatal(err)
		}
		from, shift := h.before(t, soft, x, certificates)
		by := hunters(from, h.base, shift, h.queries)
		for i, c := range certificates {
			if c.Why != smoothing.Answered {
				continue
			}
			radius := h.reach * c.Radius * inside
			starts := h.starts(x.Slice(i, i+1), radius/4, seed).Asked(c.Class)
			for _, a := range by {
				judge := attack.Judge{Ball: attack.L2(radius), Seed: seed}
				if a.nearest {
					judge.Ball = attack.Anywhere(attack.Norm2)
				}
				var r attack.Result
				if a.labels {
					r, err = judge.TryLabels(t.Context(), few{smoothing.Gaussian{N: 8, Alpha: .5, Seed: seed}, h.base}, a.attack, starts)
				} else {
					r, err = judge.Try(t.Context(), soft, a.attack, starts)
				}
				if err != nil {
					t.Fatalf("%s: %v", a.attack, err)
				}
				name := a.attack.String()
				if a.labels {
					name += " of labels"
				}
				all.judge(t, h, name, c, tries(x.Slice(i, i+1), r.Images, radius))
			}
		}
	}
	return all
}

// before returns images that the soft network answers otherwise, farther away than certificates reach, and one perturbation for all.
func (h hunt) before(t *testing.T, soft *interp.Model, x interp.Images, certificates []smoothing.Certificate) (from interp.Images, shift []float64) {
	t.Helper()
	var rows, class []int
	radius := 0.0
	for i, c := range certificates {
		if c.Why == smoothing.Answered {
			rows, class, radius = append(rows, i), append(class, c.Class), max(radius, h.reach*c.Radius)
		}
	}
	x = x.Pick(rows...).Asked(class...)
	r, err := attack.Judge{Ball: attack.L2(6 * radius)}.Try(t.Context(), soft, attack.PGD{Steps: 10, Full: true}, x)
	if err != nil {
		t.Fatal(err)
	}
	shift, err = attack.Universal{Rounds: 1, DeepFool: attack.DeepFool{Steps: 5}}.Fit(t.Context(), soft, attack.L2(radius), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Images, shift
}

// starts returns the image, and others so far from it, before [0, 1] cuts them: attacks that know no chance find another try from each.
func (h hunt) starts(x interp.Images, distance float64, seed uint64) interp.Images {
	y := x.Pick(make([]int, h.rows)...)
	y.Pix, y.Key = slices.Clone(y.Pix), make([]uint64, h.rows)
	d := make([]float64, x.Size())
	for k := range y.Key {
		y.Key[k] = random.Hash(seed, uint64(k))
		if k == 0 {
			continue
		}
		random.New(seed, x.Keyed().Key[0], uint64(k)).Normals(d)
		length := attack.Norm2.Distance(make([]float64, len(d)), d, x.C)
		for p := range d {
			y.Of(k)[p] = min(max(x.Pix[p]+d[p]*distance/length, 0), 1)
		}
	}
	return y
}

// tries moves what an attack found along the line from the image to the ball's sphere: the way that the attack has found, as far as the
// certificate goes. That may be outside [0, 1], where certificates hold too. The image itself is no try.
func tries(x, y interp.Images, radius float64) interp.Images {
	all := interp.Images{H: x.H, W: x.W, C: x.C}.Free()
	for k := range y.N {
		d := attack.Norm2.Distance(x.Pix, y.Of(k), x.C)
		if d == 0 {
			continue
		}
		all.N++
		for p, v := range y.Of(k) {
			all.Pix = append(all.Pix, x.Pix[p]+(v-x.Pix[p])*radius/d)
		}
	}
	return all
}

// judge asks Predict about candidates, whose noise is their own: keys are those of their pixels.
//
// Predict may err with a chance of alpha: if 10,000 tries were all at the boundary of the smoothed network, 10 would look like
// contradictions that are none. So where 100 copies vote for another class, surely or not, 2000 copies of other noise decide, which err
// with a chance of 1e-9 each, and of 1e-5 in 10,000 tries. Certify may err too: that one of 10 certificates is wrong has a chance of at
// most .01, and of 30 of .03. An attack may find such a one, but where the package is wrong it finds many. As noise depends on seeds,
// what is found does not change from run to run.
func (f *found) judge(t *testing.T, h hunt, name string, c smoothing.Certificate, y interp.Images) {
	t.Helper()
	if f.tries[name] += y.N; y.N == 0 {
		return
	}
	answers, err := smoothing.Gaussian{N: 100, Seed: 77}.Predict(t.Context(), h.base, y)
	if err != nil {
		t.Fatal(err)
	}
	for k, a := range answers {
		if a.Why != smoothing.Answered {
			f.abstained++
		}
		if h.reach <= 1 && a.Guess != c.Class {
			f.again++
			surely, err := smoothing.Gaussian{N: 2000, Alpha: 1e-9, Seed: 78}.Predict(t.Context(), h.base, y.Slice(k, k+1))
			if err != nil {
				t.Fatal(err)
			}
			if a = surely[0]; a.Why == smoothing.Answered && a.Class != c.Class {
				t.Errorf("%+v is contradicted by %s: %+v", c, name, a)
			}
		}
		if a.Guess != c.Class && (h.reach > 1 || a.Why == smoothing.Answered) {
			f.changed[name]++
		}
	}
}

// both hunts in certified balls, where it fails if an attack finds anything or has too few tries, and in balls four times as large, where
// it fails if all of them find hardly anything or, in a hunt of every attack, one is no better than noise.
func (h hunt) both(t *testing.T, x interp.Images, least int) {
	t.Helper()
	certificates, err := smoothing.Gaussian{N: 1000}.Certify(t.Context(), h.base, x)
	if err != nil {
		t.Fatal(err)
	}
	h.reach = 1
	near := h.of(t, x, certificates)
	h.reach, h.noises, h.rows = 4, 1, 1
	far := h.of(t, x, certificates)
	for _, name := range slices.Sorted(maps.Keys(near.tries)) {
		t.Logf("%5d tries, in balls four times as large %d of %d change the answer: %s", near.tries[name], far.changed[name], far.tries[name], name)
		if noise := (attack.Noise{}).String(); near.tries[name] < least/50 || h.every && far.changed[name] <= far.changed[noise] && name != noise {
			t.Errorf("%s has too few tries, or is too weak for this test", name)
		}
	}
	tries, changed, of := sum(near.tries), sum(far.changed), sum(far.tries)
	t.Logf("%s: %d tries in certified balls, %d contradict a certificate, of %d Predict abstains, of %d it is asked again; in balls four times as large %d of %d change the answer",
		h.base, tries, sum(near.changed), near.abstained, near.again, changed, of)
	if tries < least || changed < of/4 {
		t.Errorf("there are too few tries, or they are too weak for this test")
	}
}

// TestNoContradiction: no attack finds an image inside a certified ball that Predict answers otherwise. With -long it has 10,000 tries. The
// network is a small one of tanhs here, and scenes.Noisy in TestNoContradictionOnScenes.
func TestNoContradiction(t *testing.T) {
	interptest.Unchecked()
	m := interptest.Model("smooth", smooth, [3]int{12, 12, 3}, 4, 3)
	h, least := hunt{forward: smooth, base: m, noises: 1, rows: 2, queries: 600, every: true}, 200
	if *long {
		h.noises, h.rows, least = 6, 10, 10_000
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
