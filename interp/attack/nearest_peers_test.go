package attack_test

import (
	"flag"
	"testing"
	"time"

	"lucigo/interp/attack"
	"lucigo/interp/interptest"
	"lucigo/models/strangers"
)

var pictures = flag.Int("pictures", 200, "how many pictures of CIFAR-10 are compared with other libraries' nearest images")

// TestPeersNearest: DeepFool and FAB leave as many images right, at every radius, as those of other libraries, and C&W and L-BFGS
// find images that are no farther with as many steps.
func TestPeersNearest(t *testing.T) {
	interptest.Unchecked()
	m, x := strangers.ResNet20(t), strangers.CIFARImages(t, *pictures).Keyed()
	var target []int
	for _, c := range x.Class {
		target = append(target, (c+1)%len(strangers.CIFAR))
	}
	five, lbfgs := attack.CarliniWagner{Searches: 5, Steps: 100, Weight: .01}, attack.LBFGS{Searches: 5, Steps: 100}
	for _, row := range []struct {
		name  string
		ours  []attack.Attack
		norm  attack.Norm
		goal  attack.Goal
		radii []float64 // at which accuracies are compared; none: the mean distance is
		names []string
	}{
		{"DeepFool L2", []attack.Attack{attack.DeepFool{}}, attack.Norm2, attack.Goal{}, []float64{.03, .05, .08, .12, .2},
			[]string{"foolbox DeepFool L2", "ART DeepFool L2"}},
		{"DeepFool Linf", []attack.Attack{attack.DeepFool{}}, attack.NormInf, attack.Goal{}, []float64{.001, .002, .003, .006},
			[]string{"foolbox DeepFool Linf"}},
		{"FAB Linf", []attack.Attack{attack.FAB{Steps: 20}}, attack.NormInf, attack.Goal{}, []float64{.001, .002, .003, .006},
			[]string{"torchattacks FAB Linf"}},
		{"FAB L2", []attack.Attack{attack.FAB{Steps: 20}}, attack.Norm2, attack.Goal{}, []float64{.03, .05, .08, .12, .2},
			[]string{"torchattacks FAB L2"}},
		{"FAB L1", []attack.Attack{attack.FAB{Steps: 20}}, attack.Norm1, attack.Goal{}, []float64{.5, 1, 2, 4}, []string{"torchattacks FAB L1"}},
		{"C&W 100", []attack.Attack{attack.CarliniWagner{Searches: 1, Steps: 100, Weight: 1}}, attack.Norm2, attack.Goal{}, nil,
			[]string{"torchattacks C&W 100", "foolbox C&W 100"}},
		{"C&W and L-BFGS 5x100", []attack.Attack{five, lbfgs}, attack.Norm2, attack.Goal{}, nil, []string{"foolbox C&W 5x100", "ART C&W 5x100"}},
		{"to a target 5x100", []attack.Attack{five, lbfgs}, attack.Norm2, attack.To(target...), nil, []string{"foolbox C&W 5x100 to"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			j := attack.Judge{Ball: attack.Anywhere(row.norm), Goal: row.goal}
			distance := func(v attack.Verdict) float64 {
				return map[attack.Norm]float64{attack.NormInf: v.Linf, attack.Norm2: v.L2, attack.Norm1: v.L1}[row.norm]
			}
			left := func(r attack.Result, radius float64) (n float64) {
				for _, v := range r.Verdicts {
					if !v.Wrong && !(v.Fooled && distance(v) <= radius) {
						n += 1 / float64(x.N)
					}
				}
				return n
			}
			say := func(name string, r attack.Result, seconds float64) {
				t.Logf("%-68s left %5.1f %%, mean %s %.4f, %5.1f s", name, 100*r.Left(), row.norm, r.Mean(distance), seconds)
			}
			found := peers(t, "resnet20", x, row.names...)
			for _, a := range row.ours {
				start := time.Now()
				r := try(t, j, m, a, x)
				honest(t, a.String(), m, j.Ball, r)
				say(a.String(), r, time.Since(start).Seconds())
				for name, p := range found {
					q := try(t, j, m, theirs{p}, x)
					say(name, q, p.Seconds)
					for _, radius := range row.radii {
						if a, b := left(r, radius), left(q, radius); a > b+.02 {
							t.Errorf("%s: at %g ours leaves %.3f, and theirs %.3f", name, radius, a, b)
						}
					}
					if row.radii == nil && (r.Left() > q.Left() || r.Left() == q.Left() && r.Mean(distance) > q.Mean(distance)) {
						t.Errorf("%s: ours leaves %.3f at %.4f, and theirs %.3f at %.4f", name, r.Left(), r.Mean(distance), q.Left(), q.Mean(distance))
					}
				}
			}
		})
	}
}
