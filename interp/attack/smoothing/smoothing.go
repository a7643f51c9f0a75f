// Package smoothing makes of a network another one whose answers are certain: no image within a radius that it names is answered
// otherwise, whatever the attack. It is randomised smoothing: Cohen, Rosenfeld and Kolter, arXiv:1902.02918.
//
// The smoothed network g answers an image with the class that the base network f gives most often to the image plus Gaussian noise. f is
// any network, but one that has not seen such noise in training is certified for little.
//
//	certificates, err := smoothing.Gaussian{N: 10_000}.Certify(ctx, m, x)
//	share, err := smoothing.Accuracy(certificates, x.Class, .5)
//
// Distances are Euclidean (L2), in units of the pixels, [0, 1]. What is certain is so with the confidence 1 − Alpha for each image, and in
// the arithmetic of real numbers: a network built for the purpose can exploit that computers round (Jin et al., arXiv:2205.10159; Voráček
// and Hein, arXiv:2207.07209). A certificate is about g and Predict, and not about f.
package smoothing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/attack/card"
	"lucigo/interp/random"
)

// Gaussian is the smoothed network: the noise, and how surely it is known what the base network makes of it. The zero value is that of
// the paper's section 4. With it an image costs 100,100 runs of the network; 1,000 copies certify a radius of up to 2.46 Sigma instead
// of 3.81.
type Gaussian struct {
	Sigma  float64 // standard deviation of the noise, in units of the pixels, which are in [0, 1]; 0 is .25
	Select int     // copies of each image by which Certify guesses the class, the paper's n₀; 0 is 100
	N      int     // further copies by which it is certified, and those of Predict; 0 is 100,000
	Alpha  float64 // how likely it may be that an answer or a certificate is wrong; 0 is .001
	Seed   uint64  // of the noise. That of a copy depends on it, on the image's Key and on the copy's number alone: see Predict

	// Progress, if it is not nil, is told how many copies of all images' are done.
	Progress func(done, of int)
}

// Reason says why there is no answer.
type Reason int

// The reasons. Answered is none. TooFew is that N is so small that not even copies which all agree would be enough for Alpha: then the
// network is not asked. NoMajority is that the copies disagree too much.
const (
	Answered Reason = iota
	TooFew
	NoMajority
)

// String says the reason in words.
func (r Reason) String() string {
	switch r {
	case Answered:
		return "answered"
	case TooFew:
		return "too few copies for this confidence: raise N or Alpha"
	case NoMajority:
		return "no class has a sure majority of the copies"
	}
	return fmt.Sprintf("Reason(%d)", int(r))
}

// Certificate is what is known of one image: that g answers all images nearer than Radius to it with Class.
type Certificate struct {
	Class  int     // −1 where it abstains
	Radius float64 // 0 where it abstains
	Why    Reason  // it abstains

	Guess   int     // the most frequent class of the first Select copies; −1 where the network was not asked
	Hits, N int     // of N further copies, those that were given it
	Low     float64 // the least probability of it: Lower(Hits, N, Alpha)
}

// Answer is what Predict says of one image.
type Answer struct {
	Class int    // g's class; −1 where it abstains
	Why   Reason // it abstains

	Guess      int     // the most frequent class; −1 where the network was not asked
	Hits, Next int     // the copies that were given it, and the next most frequent class
	P          float64 // of at least so uneven a split of these copies, if both classes are equally likely; 1 where the network was not asked
}

// String names all parameters.
func (g Gaussian) String() string {
	g = g.defaults()
	return fmt.Sprintf("randomised smoothing(σ=%g, n₀=%d, n=%d, α=%g, seed=%d)", g.Sigma, g.Select, g.N, g.Alpha, g.Seed)
}

func (g Gaussian) defaults() Gaussian {
	g.Sigma, g.Select, g.N, g.Alpha = cmp.Or(g.Sigma, .25), cmp.Or(g.Select, 100), cmp.Or(g.N, 100_000), cmp.Or(g.Alpha, .001)
	return g
}

func (g Gaussian) check(m *interp.Model, x interp.Images) error {
	const most = 1_000_000_000
	switch {
	case m == nil:
		return errors.New("smoothing: the model is nil, must be the network that is to be smoothed")
	case g.Select < 1 || g.Select > most:
		return fmt.Errorf("smoothing: Select is %d, must be from 1 to %d, or 0 for 100", g.Select, most)
	case g.N < 1 || g.N > most:
		return fmt.Errorf("smoothing: N is %d, must be from 1 to %d, or 0 for 100,000", g.N, most)
	case !(g.Alpha > 0 && g.Alpha < 1):
		return fmt.Errorf("smoothing: Alpha is %g, must be more than 0 and less than 1, or 0 for .001", g.Alpha)
	}
	if err := g.deviation(); err != nil {
		return err
	}
	if err := x.Check(); err != nil {
		return fmt.Errorf("smoothing: %w", err)
	}
	return nil
}

// deviation returns an error if the noise is none, or drowns every image: the literature's is .12 to 1.
func (g Gaussian) deviation() error {
	switch {
	case !(g.Sigma > 0) || math.IsInf(g.Sigma, 1):
		return fmt.Errorf("smoothing: Sigma is %g, must be a number more than 0, or 0 for .25", g.Sigma)
	case g.Sigma > 4:
		return fmt.Errorf("smoothing: Sigma is %g, must be at most 4, as pixels are in [0, 1]: divide a deviation for values of 8 bits by 255", g.Sigma)
	}
	return nil
}

// Certify says of each image which class g gives it, and how far around it: the paper's section 3.2.2. The first copies guess the
// class, others count how often it is right, and the radius is Sigma Φ⁻¹(Low). With an error, it returns the certificates of the images
// that were done until then.
func (g Gaussian) Certify(ctx context.Context, m *interp.Model, x interp.Images) ([]Certificate, error) {
	g = g.defaults()
	if err := g.check(m, x); err != nil {
		return nil, err
	}
	if Lower(g.N, g.N, g.Alpha) <= .5 {
		return slices.Repeat([]Certificate{{Class: -1, Why: TooFew, Guess: -1, N: g.N}}, x.N), ctx.Err()
	}
	var all []Certificate
	counts := make([]int, len(m.Classes()))
	guess := -1
	err := g.each(ctx, m, x, g.Select+g.N, func(k, class int) {
		counts[class]++
		switch k + 1 {
		case g.Select:
			guess, _ = two(counts)
			clear(counts)
		case g.Select + g.N:
			all = append(all, g.certificate(guess, counts[guess]))
			clear(counts)
		}
	})
	return all, err
}

func (g Gaussian) certificate(guess, hits int) Certificate {
	c := Certificate{Class: -1, Why: NoMajority, Guess: guess, Hits: hits, N: g.N, Low: Lower(hits, g.N, g.Alpha)}
	if c.Low > .5 {
		c.Class, c.Radius, c.Why = guess, g.Sigma*normal(c.Low), Answered
	}
	return c
}

// Predict says of each image which class g gives it: the paper's section 3.2.1. It abstains where the two most frequent classes of N
// copies may be equally likely. With an error, it returns the answers for the images that were done until then.
//
// Asked again with the same seed, it says the same, and its first copies of an image are those of Certify. So Alpha is that of an image
// which was found without knowing what it says with this seed: an attack that asks it for many images ends with one that its noise
// favours. Judge that one with another seed.
func (g Gaussian) Predict(ctx context.Context, m *interp.Model, x interp.Images) ([]Answer, error) {
	g = g.defaults()
	if err := g.check(m, x); err != nil {
		return nil, err
	}
	if split(g.N, 0) > g.Alpha {
		return slices.Repeat([]Answer{{Class: -1, Why: TooFew, Guess: -1, P: 1}}, x.N), ctx.Err()
	}
	var all []Answer
	counts := make([]int, len(m.Classes()))
	err := g.each(ctx, m, x, g.N, func(k, class int) {
		counts[class]++
		if k+1 < g.N {
			return
		}
		first, next := two(counts)
		a := Answer{Class: -1, Why: NoMajority, Guess: first, Hits: counts[first], Next: next, P: split(counts[first], next)}
		if a.P <= g.Alpha {
			a.Class, a.Why = first, Answered
		}
		all = append(all, a)
		clear(counts)
	})
	return all, err
}

// two returns the most frequent class, of equal ones the first, and how often the next most frequent one is.
func two(counts []int) (first, next int) {
	for c, n := range counts {
		if n > counts[first] {
			first = c
		}
	}
	for c, n := range counts {
		if c != first {
			next = max(next, n)
		}
	}
	return first, next
}

// each tells use what the network says of n copies of each image, one image after the other.
func (g Gaussian) each(ctx context.Context, m *interp.Model, x interp.Images, n int, use func(k, class int)) error {
	x = x.Keyed()
	done := 0
	change := func(i int) func(k int, dst []float64) {
		return func(k int, dst []float64) { g.copy(x, i, k, dst) }
	}
	err := m.Copies(ctx, interp.Objective{}, x, n, change, func(_ interp.Objective, y interp.Images, _ []int) error {
		p, err := m.Predict(ctx, y)
		if err != nil {
			return err
		}
		for _, class := range p.Top1() {
			use(done%n, class)
			done++
		}
		if g.Progress != nil {
			g.Progress(done, x.N*n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("smoothing: %d of %d copies are done: %w", done, x.N*n, err)
	}
	return nil
}

// Noisy returns copy k of each image: the image with Gaussian noise. It is not clipped to [0, 1], or it would not be Gaussian. A network
// that is to be smoothed is trained on such copies, each time of another k or of other keys.
func (g Gaussian) Noisy(x interp.Images, k int) (interp.Images, error) {
	g = g.defaults()
	if err := g.deviation(); err != nil {
		return x, err
	}
	if k < 0 {
		return x, fmt.Errorf("smoothing: the copy's number is %d, must be at least 0", k)
	}
	if err := x.Check(); err != nil {
		return x, fmt.Errorf("smoothing: %w", err)
	}
	x = x.Keyed()
	y := x.Free()
	y.Pix = make([]float64, len(x.Pix))
	parallel.For(x.N, func(i int) { g.copy(x, i, k, y.Of(i)) })
	return y, nil
}

// copy writes copy k of image i.
func (g Gaussian) copy(x interp.Images, i, k int, dst []float64) {
	random.New(g.Seed, x.Key[i], uint64(k)).Normals(dst)
	for p, v := range x.Of(i) {
		dst[p] = v + g.Sigma*dst[p]
	}
}

// Accuracy returns the certified accuracy: of all images, those whose certificate has the true class and at least the radius. An
// image for which it abstains is never right.
func Accuracy(all []Certificate, class []int, radius float64) (card.Share, error) {
	switch {
	case len(all) == 0 || len(class) != len(all):
		return card.Share{}, fmt.Errorf("smoothing: there are %d certificates and %d true classes, must be as many, and at least one", len(all), len(class))
	case !(radius >= 0):
		return card.Share{}, fmt.Errorf("smoothing: the radius is %g, must be at least 0", radius)
	}
	s := card.Share{Of: len(all)}
	for i, c := range all {
		if c.Why == Answered && c.Class == class[i] && c.Radius >= radius {
			s.Right++
		}
	}
	return s, nil
}
