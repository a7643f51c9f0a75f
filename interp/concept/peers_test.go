package concept

import (
	"flag"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"lucigo/interp/interptest"
)

var python = flag.String("peers", "", "an interpreter with scikit-learn, to compare with")

// Directions are those of scikit-learn's logistic regression and support vector machine, within a thousandth of a degree.
func TestPeersDirections(t *testing.T) {
	if *python == "" {
		t.Skip("skipped: compares with scikit-learn; run with -peers PYTHON")
	}
	m := interptest.Branchy()
	type problem struct {
		x      [][]float64
		labels []float64
	}
	problems := map[string]problem{}
	for _, s := range sizes[:4] {
		x, labels := examples(s.n, s.size, s.moved, 5)
		problems[fmt.Sprintf("%+v", s)] = problem{x, labels}
	}
	var real problem
	for side, set := range sets(m, 2, 40, .3) {
		rows := must(m.Activations(ctx, set.Images, "mixed"))[0]
		for i := range rows.N {
			real.x, real.labels = append(real.x, rows.Of(i)), append(real.labels, float64(1-2*side))
		}
	}
	problems["activations"] = real
	x, labels := examples(60, 2000, 0, 5)
	problems["long"] = problem{lengthen(x), labels}
	for what, p := range problems {
		dir := t.TempDir()
		interptest.WriteArray(t, filepath.Join(dir, "x.f64"), slices.Concat(p.x...))
		interptest.WriteArray(t, filepath.Join(dir, "y.f64"), p.labels)
		out, err := exec.CommandContext(t.Context(), *python, "../../testdata/peers/concept.py", dir, fmt.Sprint(len(p.x))).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for name, c := range map[string]Classifier{"logistic": Logistic{}, "hinge": Hinge{}} {
			theirs := interptest.ReadArray[float64](t, filepath.Join(dir, name+".f64"))
			w, bias := direction(t, c, p.x, p.labels)
			theirBias, theirs := theirs[len(w)], theirs[:len(w)]
			degrees := apart(w, theirs)
			t.Logf("%s, %s: %.4f degrees apart, lengths %.4f and %.4f, biases %.4f and %.4f", what, c, degrees, math.Sqrt(dot(w, w)), math.Sqrt(dot(theirs, theirs)), bias, theirBias)
			if !(degrees <= 1e-3) {
				t.Errorf("%s, %s: the directions are %g degrees apart", what, c, degrees)
			}
		}
	}
}

// apart is the angle between two vectors in degrees.
func apart(a, b []float64) float64 {
	return math.Acos(min(1, dot(a, b)/math.Sqrt(dot(a, a)*dot(b, b)))) * 180 / math.Pi
}
