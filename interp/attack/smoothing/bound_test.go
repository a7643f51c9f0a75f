package smoothing

import (
	"math"
	"testing"
)

// near reports whether two numbers differ by no more than a billionth of the larger.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

// TestOracleScipy: the numbers of scipy 1.17.1, by beta.ppf(alpha, hits, n−hits+1), norm.ppf and binomtest(a, a+b).pvalue.
func TestOracleScipy(t *testing.T) {
	for _, c := range scipyLower {
		if got := Lower(c.hits, c.n, c.alpha); !near(got, c.want) {
			t.Errorf("Lower(%d, %d, %g) is %.17g, want %.17g", c.hits, c.n, c.alpha, got, c.want)
		}
	}
	for _, c := range scipyNormal {
		if got := normal(c[0]); !near(got, c[1]) {
			t.Errorf("Φ⁻¹(%g) is %.17g, want %.17g", c[0], got, c[1])
		}
	}
	for _, c := range scipySplit {
		if got := split(c.a, c.b); !near(got, c.want) || split(c.b, c.a) != got {
			t.Errorf("split(%d, %d) is %.17g, want %.17g", c.a, c.b, got, c.want)
		}
	}
}

// binomial returns how likely each number of hits in n tries is.
func binomial(n int, p float64) []float64 {
	log := func(n int) float64 {
		v, _ := math.Lgamma(float64(n) + 1)
		return v
	}
	all := make([]float64, n+1)
	for k := range all {
		all[k] = math.Exp(log(n) - log(k) - log(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	}
	return all
}

var confidences = []float64{.001, .05, .3, 1e-7}

// TestLawCoverage: whatever the probability, Lower is above it with a chance of no more than alpha. Summed over all numbers of hits.
func TestLawCoverage(t *testing.T) {
	for _, alpha := range confidences {
		for _, n := range []int{1, 2, 7, 10, 50, 400} {
			low := make([]float64, n+1)
			for hits := range low {
				if low[hits] = Lower(hits, n, alpha); hits > 0 && !(low[hits] > low[hits-1] && low[hits] < float64(hits)/float64(n)) {
					t.Fatalf("Lower(%d, %d, %g) is %g, after %g", hits, n, alpha, low[hits], low[hits-1])
				}
			}
			worst := 0.0
			for i := range 1000 {
				p, above := (float64(i)+.5)/1000, 0.0
				for hits, chance := range binomial(n, p) {
					if low[hits] > p {
						above += chance
					}
				}
				worst = max(worst, above)
				if above > alpha*(1+1e-9) {
					t.Fatalf("n=%d, alpha=%g: for a probability of %g Lower is above it with a chance of %g", n, alpha, p, above)
				}
			}
			if worst < alpha/3 && alpha >= .001 {
				t.Errorf("n=%d, alpha=%g: the chance of an error is at most %g: the bound is too careful", n, alpha, worst)
			}
		}
	}
}

// TestLowerDefinition: if the probability is Lower(hits, n, alpha), the chance of so many hits or more is alpha.
func TestLowerDefinition(t *testing.T) {
	for _, alpha := range confidences {
		for _, n := range []int{1, 3, 10, 100, 300} {
			for hits := 1; hits <= n; hits++ {
				sum := 0.0
				for _, chance := range binomial(n, Lower(hits, n, alpha))[hits:] {
					sum += chance
				}
				if math.Abs(sum-alpha) > 1e-9*alpha {
					t.Fatalf("hits=%d, n=%d, alpha=%g: the chance is %g", hits, n, alpha, sum)
				}
			}
		}
	}
	for _, bad := range [][3]float64{{-1, 5, .1}, {6, 5, .1}, {1, 5, 0}, {1, 5, 1}, {1, 5, math.NaN()}} {
		if got := Lower(int(bad[0]), int(bad[1]), bad[2]); !math.IsNaN(got) {
			t.Errorf("Lower of %v is %g", bad, got)
		}
	}
	if Lower(0, 5, .1) != 0 || Lower(0, 0, .1) != 0 {
		t.Error("no hits")
	}
}

// TestLawAnswer: of two classes the one that is not g's is answered with a chance of no more than alpha: summed over all splits.
func TestLawAnswer(t *testing.T) {
	for _, alpha := range confidences {
		for _, n := range []int{1, 2, 11, 100, 400} {
			for i := range 51 {
				p, wrong := float64(i)/100, 0.0 // of the first class, which is not g's
				for a, chance := range binomial(n, max(p, 1e-12)) {
					if 2*a > n && split(a, n-a) <= alpha {
						wrong += chance
					}
				}
				if wrong > alpha*(1+1e-9) {
					t.Fatalf("n=%d, alpha=%g: a class of probability %g is answered with a chance of %g", n, alpha, p, wrong)
				}
			}
		}
	}
}

var scipyLower = []struct {
	alpha   float64
	hits, n int
	want    float64
}{
	{0.001, 1, 10, 0.00010004502852067863},
	{0.001, 6, 10, 0.14130898467189282},
	{0.001, 10, 10, 0.50118723362727224},
	{0.001, 60, 100, 0.44098426522129941},
	{0.001, 99, 100, 0.91137311129604237},
	{0.001, 510, 1000, 0.46071303297861366},
	{0.001, 1000, 1000, 0.99311604842093382},
	{0.001, 5200, 10000, 0.50450184887917993},
	{0.001, 9999, 10000, 0.9990770386693395},
	{0.001, 50500, 100000, 0.50010895173958791},
	{0.001, 80000, 100000, 0.79606607119272743},
	{0.001, 99990, 100000, 0.99975867734359114},
	{0.001, 99999, 100000, 0.99990766966626543},
	{0.001, 700000000, 1000000000, 0.69995521643956582},
	{0.001, 999999000, 1000000000, 0.99999889837311207},
	{0.05, 1, 10, 0.0051161968918237008},
	{0.05, 6, 10, 0.30353721256404237},
	{0.05, 10, 10, 0.7411344491069477},
	{0.05, 60, 100, 0.51297582025389432},
	{0.05, 99, 100, 0.95344018854646106},
	{0.05, 510, 1000, 0.48350106005936738},
	{0.05, 1000, 1000, 0.99700875045490467},
	{0.05, 5200, 10000, 0.51172877871118638},
	{0.05, 9999, 10000, 0.9995257023408346},
	{0.05, 50500, 100000, 0.50239430518786654},
	{0.05, 80000, 100000, 0.79790798920274963},
	{0.05, 99990, 100000, 0.99983038371237365},
	{0.05, 99999, 100000, 0.99995256224282614},
	{0.05, 700000000, 1000000000, 0.699976162879002},
	{0.05, 999999000, 1000000000, 0.99999894639690612},
	{1e-07, 1, 10, 1.0000000450000029e-08},
	{1e-07, 6, 10, 0.02840718106021296},
	{1e-07, 10, 10, 0.19952623149688795},
	{1e-07, 60, 100, 0.34032369610573437},
	{1e-07, 99, 100, 0.82516106574300896},
	{1e-07, 510, 1000, 0.42770567497363454},
	{1e-07, 1000, 1000, 0.98401110576113371},
	{1e-07, 5200, 10000, 0.49395560671692557},
	{1e-07, 9999, 10000, 0.99808975122478183},
	{1e-07, 50500, 100000, 0.49677419496852387},
	{1e-07, 80000, 100000, 0.79336352012186939},
	{1e-07, 99990, 100000, 0.99962430801282243},
	{1e-07, 99999, 100000, 0.99980881932075616},
	{1e-07, 700000000, 1000000000, 0.69992465026963024},
	{1e-07, 999999000, 1000000000, 0.99999882573413323},
}

var scipyNormal = [][2]float64{
	{0.5, 0},
	{0.50000100000000003, 2.5066282747057052e-06},
	{0.59999999999999998, 0.25334710313579972},
	{0.90000000000000002, 1.2815515655446004},
	{0.98999999999999999, 2.3263478740408408},
	{0.99993092400000005, 3.8114535829595639},
	{0.99999998999999995, 5.6120012433055049},
	{0.10000000000000001, -1.2815515655446004},
	{1.0000000000000001e-09, -5.9978070150076865},
}

var scipySplit = []struct {
	a, b int
	want float64
}{
	{10, 0, 0.001953125},
	{11, 0, 0.0009765625},
	{6, 4, 0.75390625},
	{60, 40, 0.056887933640980888},
	{67, 33, 0.00087371983691237243},
	{66, 34, 0.0017899303914868528},
	{5150, 4850, 0.0027879675177127751},
	{5200, 4800, 6.5935155986723428e-05},
	{50, 50, 1},
	{51200, 48800, 3.2825264423022891e-14},
	{1, 0, 1},
}
