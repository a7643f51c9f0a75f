package concept

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
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
	for what, p := range problems {
		dir := t.TempDir()
		var x, y bytes.Buffer
		for _, row := range p.x {
			binary.Write(&x, binary.LittleEndian, row)
		}
		binary.Write(&y, binary.LittleEndian, p.labels)
		for name, b := range map[string][]byte{"x.f64": x.Bytes(), "y.f64": y.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.CommandContext(t.Context(), *python, "../../testdata/peers/concept.py", dir, fmt.Sprint(len(p.x))).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for name, c := range map[string]Classifier{"logistic": Logistic{}, "hinge": Hinge{}} {
			theirs := make([]float64, len(p.x[0])+1)
			b, err := os.ReadFile(filepath.Join(dir, name+".f64"))
			if err != nil {
				t.Fatal(err)
			}
			binary.Read(bytes.NewReader(b), binary.LittleEndian, theirs)
			w, bias := direction(t, c, p.x, p.labels)
			theirBias, theirs := theirs[len(w)], theirs[:len(w)]
			degrees := math.Acos(min(1, dot(w, theirs)/math.Sqrt(dot(w, w)*dot(theirs, theirs)))) * 180 / math.Pi
			t.Logf("%s, %s: %.4f degrees apart, lengths %.4f and %.4f, biases %.4f and %.4f", what, c, degrees, math.Sqrt(dot(w, w)), math.Sqrt(dot(theirs, theirs)), bias, theirBias)
			if !(degrees <= 1e-3) {
				t.Errorf("%s, %s: the directions are %g degrees apart", what, c, degrees)
			}
		}
	}
}
