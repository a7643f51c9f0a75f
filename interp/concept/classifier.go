package concept

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Classifier finds the direction that tells two sets of activations apart: Logistic, Hinge or MeanDifference. The direction is a sum
// of the activations, so all that a classifier sees of them are their inner products, and it costs the same for layers of any size.
type Classifier interface {
	String() string

	// fit returns the share of each example in the direction, and the bias: example i is taken for the concept where
	// Σⱼ shares[j]·gram[i][j] + bias is above 0. Labels are 1 for the concept and −1 for its counterpart.
	fit(ctx context.Context, gram *mat.SymDense, labels []float64) (shares []float64, bias float64, err error)
}

// Logistic is logistic regression with the penalty ‖w‖²/2C and a bias that is not penalised, at its only minimum: what scikit-learn's
// LogisticRegression(C=C) finds.
type Logistic struct {
	C float64 // 0 is 1, scikit-learn's
}

// Hinge is a linear support vector machine with a bias that is not penalised, at the minimum of α‖w‖²/2 + mean hinge loss, which the
// stochastic descent of Kim et al., scikit-learn's SGDClassifier(alpha=α), goes towards: on sets that can be told apart four million of its
// steps ended from 10 to 46 degrees away.
type Hinge struct {
	Alpha float64 // 0 is .01, theirs
}

// MeanDifference is the mean of the concept's activations minus that of its counterpart's, with the bias in the middle between them:
// Martin and Weller, "Interpretable machine learning", 2019.
type MeanDifference struct{}

// String names the method and C.
func (l Logistic) String() string { return fmt.Sprintf("logistic(C=%g)", cmp.Or(l.C, 1)) }

// String names the method and α.
func (h Hinge) String() string { return fmt.Sprintf("hinge(α=%g)", cmp.Or(h.Alpha, .01)) }

// String names the method.
func (MeanDifference) String() string { return "mean difference" }

func (MeanDifference) fit(_ context.Context, gram *mat.SymDense, labels []float64) (shares []float64, bias float64, err error) {
	n := map[float64]float64{}
	for _, y := range labels {
		n[y]++
	}
	for _, y := range labels {
		shares = append(shares, y/n[y])
	}
	for i := range labels {
		for j, s := range shares { // −(‖mean⁺‖² − ‖mean⁻‖²)/2 = −(mean⁺ + mean⁻)·w/2
			bias -= gram.At(i, j) * s / (2 * n[labels[i]])
		}
	}
	return shares, bias, nil
}

// fit is Newton's method with steps that are halved until the loss falls. At the minimum the shares are C·(t − p), where p is the
// probability of the concept and t is 1 for its examples and 0 for others.
func (l Logistic) fit(ctx context.Context, gram *mat.SymDense, labels []float64) (shares []float64, bias float64, err error) {
	c := cmp.Or(l.C, 1)
	if !(c > 0) || math.IsInf(c, 1) {
		return nil, 0, fmt.Errorf("concept: C is %g, must be above 0 and finite, or 0 for 1", l.C)
	}
	n := len(labels)
	v := mat.NewVecDense(n+1, nil) // the shares and the bias
	loss := func(v *mat.VecDense) (sum float64, margin []float64) {
		a := v.SliceVec(0, n)
		var k mat.VecDense
		k.MulVec(gram, a)
		sum = mat.Dot(a, &k) / (2 * c)
		for i, y := range labels {
			z := y * (k.AtVec(i) + v.AtVec(n))
			margin = append(margin, z)
			sum += math.Log1p(math.Exp(-math.Abs(z))) + max(0, -z)
		}
		return sum, margin
	}
	now, margin := loss(v)
	for iteration := 0; ; iteration++ {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if iteration == 200 {
			return nil, 0, fmt.Errorf("concept: %s is not at its minimum after %d steps of Newton's method", l, iteration)
		}
		// The shares' step d and the bias' step e solve S·K·d + d/C + S·e = −(share/C − y·q), Σ shares = 0, where q = 1 − p(y).
		h, r := mat.NewDense(n+1, n+1, nil), mat.NewVecDense(n+1, nil)
		for i, y := range labels {
			q := 1 / (1 + math.Exp(margin[i]))
			s := q * (1 - q)
			for j := range n {
				h.Set(i, j, s*gram.At(i, j))
			}
			h.Set(i, i, h.At(i, i)+1/c)
			h.Set(i, n, s)
			h.Set(n, i, 1)
			r.SetVec(i, y*q-v.AtVec(i)/c)
			r.SetVec(n, r.AtVec(n)-v.AtVec(i))
		}
		var step mat.VecDense
		_ = step.SolveVec(h, r) // an ill-conditioned system has a step too, which must lower the loss
		scale, next := 1.0, mat.NewVecDense(n+1, nil)
		for ; scale > 1e-9; scale /= 2 {
			next.AddScaledVec(v, scale, &step)
			if after, m := loss(next); after < now {
				now, margin = after, m
				break
			}
		}
		if scale <= 1e-9 || mat.Norm(&step, math.Inf(1))*scale <= 1e-12*mat.Norm(next, math.Inf(1)) {
			break
		}
		v = next
	}
	return v.RawVector().Data[:n], v.AtVec(n), nil
}

// fit is sequential minimal optimisation (Platt 1998) of the pair that violates the optimum most (Keerthi et al. 2001), until no pair
// does by more than a millionth.
func (h Hinge) fit(ctx context.Context, gram *mat.SymDense, labels []float64) (shares []float64, bias float64, err error) {
	alpha := cmp.Or(h.Alpha, .01)
	if !(alpha > 0) || math.IsInf(alpha, 1) {
		return nil, 0, fmt.Errorf("concept: Alpha is %g, must be above 0 and finite, or 0 for .01", h.Alpha)
	}
	n := len(labels)
	most := 1 / (alpha * float64(n)) // of a share's size
	shares = make([]float64, n)
	error := make([]float64, n) // y − what the direction says without a bias
	copy(error, labels)
	for iteration := 0; ; iteration++ {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		if iteration == 10_000*n {
			return nil, 0, fmt.Errorf("concept: %s is not at its minimum after %d steps", h, iteration)
		}
		up, down := -1, -1
		for i, y := range labels {
			size := y * shares[i]
			if (y > 0 && size < most || y < 0 && size > 0) && (up < 0 || error[i] > error[up]) {
				up = i
			}
			if (y > 0 && size > 0 || y < 0 && size < most) && (down < 0 || error[i] < error[down]) {
				down = i
			}
		}
		if up < 0 || down < 0 {
			break
		}
		bias = (error[up] + error[down]) / 2
		if !(error[up]-error[down] > 1e-6) {
			break
		}
		curve := max(gram.At(up, up)+gram.At(down, down)-2*gram.At(up, down), 1e-12)
		step := (error[up] - error[down]) / curve
		if labels[up] > 0 { // the shares stay in their boxes
			step = min(step, most-shares[up])
		} else {
			step = min(step, -shares[up])
		}
		if labels[down] > 0 {
			step = min(step, shares[down])
		} else {
			step = min(step, most+shares[down])
		}
		shares[up] += step
		shares[down] -= step
		for i := range error {
			error[i] -= step * (gram.At(i, up) - gram.At(i, down))
		}
	}
	return shares, bias, nil
}
