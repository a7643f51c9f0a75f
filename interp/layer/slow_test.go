package layer

import (
	"math"
	"math/rand/v2"
	"slices"
)

// array is a dense array in row-major order: what the slow definitions compute with.
type array struct {
	dims []int
	v    []float64
}

func zeros(dims ...int) array {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return array{dims, make([]float64, n)}
}

func (a array) clone() array { return array{a.dims, slices.Clone(a.v)} }

// at returns the place of an element.
func (a array) at(index ...int) *float64 {
	k := 0
	for axis, i := range index {
		k = k*a.dims[axis] + i
	}
	return &a.v[k]
}

func normal(rng *rand.Rand, dims ...int) array {
	a := zeros(dims...)
	for i := range a.v {
		a.v[i] = rng.NormFloat64()
	}
	return a
}

// The slow definitions. Each says in plain loops what a layer is; none shares code with the layers but
// Window.Out, which has a test of its own.

func slowConv(x, w, bias array, win Window, groups int) array {
	win.Size = [2]int{w.dims[0], w.dims[1]}
	win = win.whole()
	oh, ow := win.Out(x.dims[1], x.dims[2])
	in, out := w.dims[2], w.dims[3]
	y := zeros(x.dims[0], oh, ow, out)
	for n := range x.dims[0] {
		for i := range oh {
			for j := range ow {
				for o := range out {
					group := o / (out / groups)
					sum := 0.0
					if bias.v != nil {
						sum = bias.v[o]
					}
					for a := range w.dims[0] {
						for b := range w.dims[1] {
							r := i*win.Stride[0] + a*win.Dilation[0] - win.Pad[0][0]
							c := j*win.Stride[1] + b*win.Dilation[1] - win.Pad[1][0]
							if r < 0 || c < 0 || r >= x.dims[1] || c >= x.dims[2] {
								continue
							}
							for k := range in {
								sum += *x.at(n, r, c, group*in+k) * *w.at(a, b, k, o)
							}
						}
					}
					*y.at(n, i, j, o) = sum
				}
			}
		}
	}
	return y
}

// slowMaxPool returns the maxima and the place in x each comes from: the first, row by row, of equals.
func slowMaxPool(x array, win Window) (array, []int) {
	win = win.whole()
	oh, ow := win.Out(x.dims[1], x.dims[2])
	y := zeros(x.dims[0], oh, ow, x.dims[3])
	from := make([]int, len(y.v))
	k := 0
	for n := range x.dims[0] {
		for i := range oh {
			for j := range ow {
				for ch := range x.dims[3] {
					best := math.Inf(-1)
					for a := range win.Size[0] {
						for b := range win.Size[1] {
							r := i*win.Stride[0] + a*win.Dilation[0] - win.Pad[0][0]
							c := j*win.Stride[1] + b*win.Dilation[1] - win.Pad[1][0]
							if r < 0 || c < 0 || r >= x.dims[1] || c >= x.dims[2] {
								continue
							}
							if v := *x.at(n, r, c, ch); v > best || math.IsNaN(v) {
								best = v
								from[k] = ((n*x.dims[1]+r)*x.dims[2]+c)*x.dims[3] + ch
							}
						}
					}
					y.v[k] = best
					k++
				}
			}
		}
	}
	return y, from
}

func slowMeanPool(x array, win Window, countPad bool) array {
	win = win.whole()
	oh, ow := win.Out(x.dims[1], x.dims[2])
	y := zeros(x.dims[0], oh, ow, x.dims[3])
	for n := range x.dims[0] {
		for i := range oh {
			for j := range ow {
				for ch := range x.dims[3] {
					sum, count := 0.0, 0.0
					for a := range win.Size[0] {
						for b := range win.Size[1] {
							r := i*win.Stride[0] + a*win.Dilation[0] - win.Pad[0][0]
							c := j*win.Stride[1] + b*win.Dilation[1] - win.Pad[1][0]
							if r >= 0 && c >= 0 && r < x.dims[1] && c < x.dims[2] {
								sum += *x.at(n, r, c, ch)
								count++
							} else if countPad && r < x.dims[1]+win.Pad[0][1] && c < x.dims[2]+win.Pad[1][1] {
								count++
							}
						}
					}
					*y.at(n, i, j, ch) = sum / count
				}
			}
		}
	}
	return y
}

func slowLRN(x array, size int, alpha, beta, bias float64) array {
	y, channels := zeros(x.dims...), x.dims[3]
	for p := 0; p < len(x.v); p += channels {
		for c := range channels {
			sum := 0.0
			for i := c - (size-1)/2; i <= c+size/2; i++ {
				if 0 <= i && i < channels {
					sum += x.v[p+i] * x.v[p+i]
				}
			}
			y.v[p+c] = x.v[p+c] / math.Pow(bias+alpha/float64(size)*sum, beta)
		}
	}
	return y
}

func slowNormalize(x, mean, variance, scale, offset array, epsilon float64) array {
	y, channels := zeros(x.dims...), len(mean.v)
	for i, v := range x.v {
		c := i % channels
		y.v[i] = (v-mean.v[c])/math.Sqrt(variance.v[c]+epsilon)*scale.v[c] + offset.v[c]
	}
	return y
}

// slowMoments returns the mean and the variance, with divisor n, of every channel.
func slowMoments(x array) (mean, variance array) {
	channels := x.dims[len(x.dims)-1]
	mean, variance = zeros(channels), zeros(channels)
	n := float64(len(x.v) / channels)
	for i, v := range x.v {
		mean.v[i%channels] += v / n
	}
	for i, v := range x.v {
		d := v - mean.v[i%channels]
		variance.v[i%channels] += d * d / n
	}
	return mean, variance
}

func slowAffine(x, w, bias array) array {
	y := zeros(x.dims[0], w.dims[1])
	for n := range x.dims[0] {
		for o := range w.dims[1] {
			sum := 0.0
			if bias.v != nil {
				sum = bias.v[o]
			}
			for k := range w.dims[0] {
				sum += *x.at(n, k) * *w.at(k, o)
			}
			*y.at(n, o) = sum
		}
	}
	return y
}

func slowPad(x array, pad [2][2]int, value float64) array {
	y := zeros(x.dims[0], x.dims[1]+pad[0][0]+pad[0][1], x.dims[2]+pad[1][0]+pad[1][1], x.dims[3])
	for i := range y.v {
		y.v[i] = value
	}
	for n := range x.dims[0] {
		for r := range x.dims[1] {
			for c := range x.dims[2] {
				for k := range x.dims[3] {
					*y.at(n, r+pad[0][0], c+pad[1][0], k) = *x.at(n, r, c, k)
				}
			}
		}
	}
	return y
}

func slowResize(x array, h, w int, method Interpolation) array {
	// weights returns the places a new one is made of, and how much of each.
	weights := func(i, from, to int) ([2]int, [2]float64) {
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		if method == BilinearCorners && to > 1 {
			at = float64(i) * float64(from-1) / float64(to-1)
		} else if method == BilinearCorners {
			at = 0
		}
		clip := func(v float64) int { return min(max(int(v), 0), from-1) }
		low, t := math.Floor(at), at-math.Floor(at)
		if method == Nearest {
			t = math.Round(t - 1e-9) // the lower of two as near
			if t >= 0.5 {
				t = 1
			}
		}
		return [2]int{clip(low), clip(low + 1)}, [2]float64{1 - t, t}
	}
	y := zeros(x.dims[0], h, w, x.dims[3])
	for n := range x.dims[0] {
		for i := range h {
			for j := range w {
				rows, a := weights(i, x.dims[1], h)
				cols, b := weights(j, x.dims[2], w)
				for k := range x.dims[3] {
					for p := range 2 {
						for q := range 2 {
							*y.at(n, i, j, k) += a[p] * b[q] * *x.at(n, rows[p], cols[q], k)
						}
					}
				}
			}
		}
	}
	return y
}

func slowMap(x array, f func(float64) float64) array {
	y := zeros(x.dims...)
	for i, v := range x.v {
		y.v[i] = f(v)
	}
	return y
}

func slowSoftmax(x array) array {
	y, last := zeros(x.dims...), x.dims[len(x.dims)-1]
	for p := 0; p < len(x.v); p += last {
		sum := 0.0
		for _, v := range x.v[p : p+last] {
			sum += math.Exp(v)
		}
		for i, v := range x.v[p : p+last] {
			y.v[p+i] = math.Exp(v) / sum
		}
	}
	return y
}
