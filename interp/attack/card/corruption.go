package card

import (
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
	"lucigo/internal/parallel"
	"lucigo/interp"
	"lucigo/interp/random"
)

// Corruption is a change of images that nobody chose, at five severities: Hendrycks and Dietterich, arXiv:1903.12261,
// section 3. The severities are theirs for the image's size: those of CIFAR-10-C up to 48 pixels, of Tiny ImageNet-C up to
// 128, and of ImageNet-C above. Blur is their Gaussian blur, cut at four deviations.
type Corruption int

// The corruptions.
const (
	Noise Corruption = iota
	Blur
	Fog
	JPEG
	Contrast
)

// Corruptions are all of them.
var Corruptions = []Corruption{Noise, Blur, Fog, JPEG, Contrast}

// Severities is how many severities there are, from 1 on.
const Severities = 5

// String returns the corruption's name.
func (c Corruption) String() string {
	switch c {
	case Noise:
		return "Gaussian noise"
	case Blur:
		return "blur"
	case Fog:
		return "fog"
	case JPEG:
		return "JPEG"
	case Contrast:
		return "contrast"
	}
	return fmt.Sprintf("Corruption(%d)", int(c))
}

// strengths are, for each size of images and each severity, the standard deviation of the noise and of the blur in pixels,
// the thickness of the fog and the decay of its roughness, the quality of the JPEG, and what is left of the contrast.
var strengths = [3]struct {
	noise, blur, fog, decay, contrast [Severities]float64
	quality                           [Severities]int
}{
	{[5]float64{.04, .06, .08, .09, .1}, [5]float64{.4, .6, .7, .8, 1}, [5]float64{.2, .5, .75, 1, 1.5}, [5]float64{3, 3, 2.5, 2, 1.75},
		[5]float64{.75, .5, .4, .3, .15}, [5]int{80, 65, 58, 50, 40}},
	{[5]float64{.04, .08, .12, .15, .18}, [5]float64{.5, .75, 1, 1.25, 1.5}, [5]float64{.4, .7, 1, 1.5, 2}, [5]float64{3, 3, 2.5, 2, 1.75},
		[5]float64{.4, .3, .2, .1, .05}, [5]int{65, 58, 50, 40, 25}},
	{[5]float64{.08, .12, .18, .26, .38}, [5]float64{1, 2, 3, 4, 6}, [5]float64{1.5, 2, 2.5, 2.5, 3}, [5]float64{2, 2, 1.7, 1.5, 1.4},
		[5]float64{.4, .3, .2, .1, .05}, [5]int{25, 18, 15, 10, 7}},
}

// Of returns the images, corrupted. Random numbers depend on the seed and on each image's Key, and are the same at all
// severities. JPEG takes images of 1 or 3 channels.
func (c Corruption) Of(x interp.Images, severity int, seed uint64) (interp.Images, error) {
	switch {
	case !slices.Contains(Corruptions, c):
		return x, fmt.Errorf("card: %s is no corruption, must be Noise, Blur, Fog, JPEG or Contrast", c)
	case severity < 1 || severity > Severities:
		return x, fmt.Errorf("card: the severity is %d, must be from 1 to %d", severity, Severities)
	case c == JPEG && x.C != 1 && x.C != 3:
		return x, fmt.Errorf("card: images have %d channels, and JPEG takes 1 or 3", x.C)
	}
	if err := x.Check(); err != nil {
		return x, fmt.Errorf("card: %w", err)
	}
	x = x.Keyed()
	x.Pix = slices.Clone(x.Pix)
	size := 0
	for _, most := range []int{48, 128} {
		if max(x.H, x.W) > most {
			size++
		}
	}
	k, s := severity-1, strengths[size]
	failed := make([]error, x.N)
	parallel.For(x.N, func(i int) {
		y, stream := x.Of(i), random.New(seed, x.Key[i], random.Hash(uint64(c)))
		switch c {
		case Noise:
			noise := make([]float64, len(y))
			stream.Normals(noise)
			for p, v := range noise {
				y[p] += s.noise[k] * v
			}
		case Blur:
			filter.Convolve(y, x.H, x.W, x.C, filter.Gaussian(s.blur[k], int(4*s.blur[k]+.5)))
		case Fog:
			most, plasma := slices.Max(y), plasma(stream, max(x.H, x.W), s.decay[k])
			side := int(math.Sqrt(float64(len(plasma))))
			for p := range y {
				row, column := p/x.C/x.W, p/x.C%x.W
				y[p] = (y[p] + s.fog[k]*plasma[row*side+column]) * most / (most + s.fog[k])
			}
		case JPEG:
			failed[i] = filter.JPEG(y, x.H, x.W, x.C, s.quality[k])
		case Contrast:
			for ch := range x.C {
				var mean float64
				for p := ch; p < len(y); p += x.C {
					mean += y[p] / float64(x.H*x.W)
				}
				for p := ch; p < len(y); p += x.C {
					y[p] = (y[p]-mean)*s.contrast[k] + mean
				}
			}
		}
		for p, v := range y {
			y[p] = min(max(v, 0), 1)
		}
	})
	for i, err := range failed {
		if err != nil {
			return x, fmt.Errorf("card: image %d: %w", i, err)
		}
	}
	return x, nil
}

// plasma is a random landscape from 0 to 1, by the diamond-square algorithm on a torus, whose side is the power of two that
// is at least least. Roughness falls by the decay each time that squares halve.
func plasma(s random.Stream, least int, decay float64) []float64 {
	side := 2
	for side < least {
		side *= 2
	}
	m, drawn := make([]float64, side*side), 0
	at := func(row, column int) *float64 { return &m[(row+side)%side*side+(column+side)%side] }
	for step, rough := side, 100.0; step >= 2; step, rough = step/2, rough/decay {
		half := step / 2
		fill := func(row, column int, near [4][2]int) {
			drawn++
			sum := rough * rough * (2*s.Uniform(drawn) - 1)
			for _, d := range near {
				sum += *at(row+d[0]*half, column+d[1]*half) / 4
			}
			*at(row, column) = sum
		}
		for row := half; row < side; row += step {
			for column := half; column < side; column += step {
				fill(row, column, [4][2]int{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}})
			}
		}
		beside := [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}
		for row := 0; row < side; row += step {
			for column := 0; column < side; column += step {
				fill(row, column+half, beside)
				fill(row+half, column, beside)
			}
		}
	}
	low, high := slices.Min(m), slices.Max(m)
	for i := range m {
		m[i] = (m[i] - low) / max(high-low, 1e-300)
	}
	return m
}
