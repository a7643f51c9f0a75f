package card

import (
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/objective"
	"lucigo/interp/random"
)

// Flag is a sign that attacks look weaker than an attack could be, or that no attack was tried which the network invites:
// Carlini et al., arXiv:1902.06705, section 5; Athalye et al., arXiv:1802.00420, section 3.1; Pintor et al.,
// arXiv:2106.09947; and the checks of AutoAttack.
type Flag struct {
	Kind   Kind
	Saw    string // what was measured
	Remedy string // what to do about it
}

// String returns what was seen and what to do.
func (f Flag) String() string { return fmt.Sprintf("%s: %s. %s.", f.Kind, f.Saw, f.Remedy) }

// Kind is the kind of a flag.
type Kind int

// The kinds.
const (
	Randomised         Kind = iota // the same image, or nearly, gets other answers
	Softmax                        // the outputs are probabilities, not logits
	NoGradient                     // the gradient of a loss is 0
	OneStepBeatsMany               // one step fools what many steps do not
	BlackBoxBeatsWhite             // scores or labels alone fool what gradients do not
	LargerDoesNotHelp              // a larger ball, or one that holds every image, has no more that fools
	Optimises                      // the network computes in a loop, or with its own gradient
	Refuses                        // attacks end in a class that no image has, as a detector's refusal
)

// String returns the kind's name.
func (k Kind) String() string {
	names := []string{"randomised output", "probabilities instead of logits", "no gradient", "one step beats many", "black box beats white box",
		"a larger radius does not help", "optimisation inside inference", "attacks end in a class that no image has"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return names[k]
}

func (e *examination) raise(k Kind, remedy, saw string, args ...any) {
	e.report.Flags = append(e.report.Flags, Flag{k, fmt.Sprintf(saw, args...), remedy})
}

// look raises the flags that need no attack.
func (e *examination) look(p interp.Prediction) error {
	for _, check := range []func(interp.Prediction) error{e.randomised, e.softmax, e.gradients, e.optimises} {
		if err := check(p); err != nil {
			return err
		}
	}
	return nil
}

// randomised asks again, in another order, and with all numbers moved by 1e-6 and by 1e-3. A network without noise answers the
// second almost as the first, and a thousandth of the way to the third.
func (e *examination) randomised(p interp.Prediction) error {
	x := e.images
	back := make([]int, x.N)
	for i := range back {
		back[i] = x.N - 1 - i
	}
	again, err := e.model.Predict(e.ctx, x.Pick(back...))
	if err != nil {
		return err
	}
	moved := func(by float64) (interp.Rows, error) {
		y := x.Free()
		y.Pix = slices.Clone(x.Pix)
		for i := range y.N {
			s := random.New(e.Seed, x.Key[i], 0)
			for k := range y.Of(i) {
				y.Of(i)[k] += math.Copysign(by, s.Uniform(k)-.5)
			}
		}
		q, err := e.model.Predict(e.ctx, y)
		return q.Logits, err
	}
	little, err := moved(1e-6)
	if err != nil {
		return err
	}
	more, err := moved(1e-3)
	if err != nil {
		return err
	}
	var asked, near, far, spread float64
	for i := range x.N {
		asked += apart(p.Logits.Of(i), again.Logits.Of(x.N-1-i))
		near += apart(p.Logits.Of(i), little.Of(i))
		far += apart(p.Logits.Of(i), more.Of(i))
		mean := 0.0
		for _, v := range p.Logits.Of(i) {
			mean += v / float64(len(p.Names))
		}
		spread += apart(p.Logits.Of(i), slices.Repeat([]float64{mean}, len(p.Names)))
	}
	const least = 1e-3 // of the spread: rounding in float32 is far below
	if asked > least*spread || near > least*spread && near > .1*far {
		e.raise(Randomised,
			"Attack the mean over many runs (expectation over transformation, arXiv:1802.00420, section 4.2), and count an image by its most frequent class",
			"asked again, the outputs change by %.2g of their spread, and by %.2g where every number of the image moves by 1e-6", asked/spread, near/spread)
	}
	return nil
}

func apart(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return math.Sqrt(sum)
}

// softmax looks for outputs that are positive and have the same sum at every image.
func (e *examination) softmax(p interp.Prediction) error {
	low, high := math.Inf(1), 0.0
	for i := range p.Logits.N {
		sum := 0.0
		for _, v := range p.Logits.Of(i) {
			if v < 0 {
				return nil
			}
			sum += v
		}
		low, high = min(low, sum), max(high, sum)
	}
	if high-low <= 1e-3*high && (p.Logits.N > 1 || math.Abs(high-1) < 1e-3) {
		e.raise(Softmax, "End the network before its softmax: the gradient vanishes where a probability is near 0 or 1",
			"no output is below 0, and all rows add up to %.4g", high)
	}
	return nil
}

// gradients asks for those of the cross-entropy and of the margin.
func (e *examination) gradients(interp.Prediction) error {
	if e.right.N == 0 {
		return nil
	}
	var none [2]int
	for k, o := range []interp.Objective{objective.Loss, objective.Margin} {
		g, err := e.model.Gradient(e.ctx, o, nil, e.right)
		if err := e.ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			e.blind = true
			e.raise(NoGradient, unchanged+"; attacks that need a gradient were left out", "%v", err)
			return nil
		}
		for i := range e.right.N {
			if slices.IndexFunc(g.Of(i), func(v float64) bool { return math.Abs(v) > 1e-25 }) < 0 {
				none[k]++
			}
		}
	}
	if 10*max(none[0], none[1]) < e.right.N {
		return nil
	}
	remedy := unchanged
	if 10*none[1] < e.right.N {
		remedy = "Attack the margin or DLR: the cross-entropy vanishes where logits are large"
	}
	e.raise(NoGradient, remedy, "of %d images, %d have no gradient of the cross-entropy, %d none of the margin", e.right.N, none[0], none[1])
	return nil
}

const unchanged = "Let what has no gradient pass it on unchanged (BPDA, arXiv:1802.00420, section 4.1), and attack without gradients too"

// optimises looks for loops in the network's graph, and for weights that it multiplies with again and again, each time what came of the time
// before. A network that is asked about several images side by side, as a detector's is, does not.
func (e *examination) optimises(interp.Prediction) error {
	h, w, _ := e.model.Input()
	return e.model.Inspect(h, w, "", func(image, logits *graph.Node) error {
		loops, uses := 0, map[*graph.Node]map[*graph.Node]bool{} // of each weight, what multiplies with it
		seen := map[*graph.Node]bool{}
		var walk func(n *graph.Node)
		walk = func(n *graph.Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			switch n.Type() {
			case graph.NodeTypeWhile:
				loops++
			case graph.NodeTypeDotGeneral, graph.NodeTypeConvGeneral:
				for _, in := range n.Inputs() {
					for len(in.Inputs()) == 1 {
						in = in.Inputs()[0]
					}
					if in != image && in.Type() == graph.NodeTypeParameter {
						if uses[in] == nil {
							uses[in] = map[*graph.Node]bool{}
						}
						uses[in][n] = true
					}
				}
			}
			for _, in := range n.Inputs() {
				walk(in)
			}
		}
		walk(logits)
		var often []int
		for _, of := range uses {
			often = append(often, inARow(logits, of))
		}
		slices.Sort(often)
		const remedy = "Attack through all iterations, and with more of them than the defence has (Croce et al., arXiv:2202.13711)"
		if loops > 0 {
			e.raise(Optimises, remedy, "the network has %d loops", loops)
		} else if len(often) > 0 && often[len(often)/2] >= 3 {
			e.raise(Optimises, remedy, "the network multiplies with half of its weights at least %d times in a row", often[len(often)/2])
		}
		return nil
	})
}

// inARow returns how many of some nodes there are at most on one way to n.
func inARow(n *graph.Node, of map[*graph.Node]bool) int {
	known := map[*graph.Node]int{}
	var most func(n *graph.Node) int
	most = func(n *graph.Node) int {
		if k, ok := known[n]; ok {
			return k
		}
		k := 0
		for _, in := range n.Inputs() {
			k = max(k, most(in))
		}
		if of[n] {
			k++
		}
		known[n] = k
		return k
	}
	return most(n)
}

// compare raises the flags that compare attacks.
func (e *examination) compare() error {
	const sure = .01                       // a flag for a chance of less
	first := make([][]int, len(e.Attacks)) // the first radius at which each image falls
	backward := make([]int, len(e.Attacks))
	for k, results := range e.results {
		for i := range e.right.N {
			first[k] = append(first[k], slices.IndexFunc(results, func(r attack.Result) bool { return r.Verdicts[i].Fooled }))
			for _, r := range results {
				backward[k] = max(backward[k], r.Verdicts[i].Backward)
			}
		}
	}
	for k, results := range e.results {
		for q := range e.results {
			kind, beats := Kind(-1), 0
			switch {
			case backward[k] == 1 && backward[q] > 1:
				kind = OneStepBeatsMany
			case backward[k] == 0 && backward[q] > 0 && e.strongest(q, backward):
				kind = BlackBoxBeatsWhite
			default:
				continue
			}
			loses := 0
			for i, a := range first[k] {
				b := first[q][i]
				switch {
				case a >= 0 && (b < 0 || a < b):
					beats++
				case b >= 0 && (a < 0 || b < a):
					loses++
				}
			}
			if chance(beats, loses) >= sure {
				continue
			}
			remedy := "Gradients mislead: attack with more steps and restarts, another loss, and through what hides the gradient (arXiv:1802.00420)"
			if kind == OneStepBeatsMany {
				remedy = "Many steps can do what one does: check their length and start, and the gradient away from the images"
			}
			e.raise(kind, remedy, "%d images fall to %s at a smaller radius than to %s, and %d the other way", beats, e.Attacks[k], e.Attacks[q], loses)
		}
		if backward[k] < 2 || len(results) < 2 {
			continue
		}
		lost, won := 0, 0
		for i, v := range results[len(results)-1].Verdicts {
			switch before := results[0].Verdicts[i].Fooled; {
			case before && !v.Fooled:
				lost++
			case !before && v.Fooled:
				won++
			}
		}
		if chance(lost, won) < sure {
			e.raise(LargerDoesNotHelp, larger, "%d images fall to %s at radius %.4g and stand at %.4g, and %d the other way",
				lost, e.Attacks[k], e.Radii[0], e.Radii[len(e.Radii)-1], won)
		}
	}
	e.refuses()
	return e.huge()
}

// refuses looks for a class that no image has, to which an attack by gradients leads half of those that fall or more, and at least five. A
// detector refuses some images as they are, so up to a quarter of them may be given it.
func (e *examination) refuses() {
	for k, results := range e.results {
		if len(results) == 0 {
			continue
		}
		fell, to := 0, map[int]int{}
		for _, v := range results[len(results)-1].Verdicts {
			if v.Fooled && v.Backward > 0 {
				fell++
				to[v.After.Class]++
			}
		}
		for class, n := range to {
			before := 0
			for _, answer := range e.answers {
				if answer == class {
					before++
				}
			}
			if slices.Contains(e.images.Class, class) || 4*before > e.images.N || n < 5 || 2*n < fell {
				continue
			}
			e.raise(Refuses, "If it is a refusal, attack with targets, which no refusal meets, and with the detector in the loss (arXiv:1705.07263)",
				"of %d images that fall to %s, %d are answered with %q, and of %d as they are %d", fell, e.Attacks[k], n, e.model.ClassName(class), e.images.N, before)
			return
		}
	}
}

const larger = "The larger ball holds the smaller: check the steps' length, the loss, and whether the gradient is that of the network"

// strongest reports whether no attack by gradients leaves fewer images at the largest radius than attack q.
func (e *examination) strongest(q int, backward []int) bool {
	left := func(k int) float64 { return e.results[k][len(e.results[k])-1].Left() }
	for k := range e.results {
		if backward[k] > 0 && (left(k) < left(q) || left(k) == left(q) && k < q) {
			return false
		}
	}
	return true
}

// huge attacks in the L∞ ball that holds all images: no network can be right in all of it.
func (e *examination) huge() error {
	e.step("the largest ball")
	if e.blind {
		return nil
	}
	a := attack.BIM{Steps: 30}
	r, err := attack.Judge{Ball: attack.Linf(1), Seed: e.Seed}.Try(e.ctx, e.model, a, e.right)
	if err != nil {
		return err
	}
	if left := r.Left(); left > .05 {
		e.raise(LargerDoesNotHelp, larger, "in the L∞ ball of radius 1, which holds every image, %.0f %% of the right images stand against %s", 100*left, a)
	}
	return nil
}
