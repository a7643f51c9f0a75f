package superpixel

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lucigo/internal/filter"
)

// Felzenszwalb joins pieces while the difference of colour between two is small beside those within each: Felzenszwalb and
// Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004, section 3, on the grid of 8 neighbours (section 5).
// Equal images are cut equally. Pieces of one colour are large, and pieces full of detail are small: their number follows from
// the image. SLIC's are all of about one size.
//
// Differences are Euclidean, of channels as they are. Pieces smaller than Least join a neighbour, the most similar first, as in
// the authors' program.
type Felzenszwalb struct {
	Scale float64 // the paper's k, of colours from 0 to 255: a larger one prefers larger pieces; 0 is 300
	Sigma float64 // standard deviation of the Gaussian that smooths the image before, in pixels; 0 is 0.8
	Least int     // how many pixels each piece has, if the image has as many; 0 is 20
}

// String names the method and its parameters.
func (f Felzenszwalb) String() string {
	f = f.defaults()
	return fmt.Sprintf("Felzenszwalb(scale=%g, σ=%g, least=%d)", f.Scale, f.Sigma, f.Least)
}

func (f Felzenszwalb) defaults() Felzenszwalb {
	return Felzenszwalb{cmp.Or(f.Scale, 300), cmp.Or(f.Sigma, .8), cmp.Or(f.Least, 20)}
}

// Cut is as that of SLIC; three channels are compared as they are, too.
func (f Felzenszwalb) Cut(pix []float64, height, width, channels int) (labels []int, n int, err error) {
	f = f.defaults()
	switch err := check(pix, height, width, channels); {
	case err != nil:
		return nil, 0, err
	case !(f.Scale > 0 && f.Scale <= math.MaxFloat64):
		return nil, 0, fmt.Errorf("superpixel: Scale is %g, must be above 0 and finite, or 0 for 300", f.Scale)
	case !(f.Sigma > 0 && f.Sigma <= 100):
		return nil, 0, fmt.Errorf("superpixel: Sigma is %g, must be above 0 and at most 100, or 0 for 0.8", f.Sigma)
	case f.Least < 1:
		return nil, 0, fmt.Errorf("superpixel: Least is %d, must be at least 1, or 0 for 20", f.Least)
	}
	pix = slices.Clone(pix)
	filter.Convolve(pix, height, width, channels, filter.Gaussian(f.Sigma, int(4*f.Sigma+.5)))
	edges := image{pix, height, width, channels}.edges()

	// A piece is a tree of pixels.
	parent, size, inner := make([]int, height*width), make([]int, height*width), make([]float64, height*width)
	for p := range parent {
		parent[p], size[p] = p, 1
	}
	root := func(p int) int {
		for parent[p] != p {
			parent[p] = parent[parent[p]]
			p = parent[p]
		}
		return p
	}
	join := func(e edge, may func(a, b int) bool) {
		a, b := root(e.p), root(e.q)
		if a == b || !may(a, b) {
			return
		}
		parent[b] = a
		size[a] += size[b]
		inner[a] = e.difference // edges are sorted: it is the largest within
	}
	bound := func(a int) float64 { return inner[a] + f.Scale/255/float64(size[a]) }
	for _, e := range edges {
		join(e, func(a, b int) bool { return e.difference <= min(bound(a), bound(b)) })
	}
	for _, e := range edges {
		join(e, func(a, b int) bool { return min(size[a], size[b]) < f.Least })
	}
	labels = parent
	for p := range labels {
		labels[p] = root(p)
	}
	return labels, number(labels), nil
}

// edge is two neighbouring pixels, and how far their colours are apart.
type edge struct {
	difference float64
	p, q       int
}

// edges returns the pairs of neighbours, each once, with the most similar first.
func (im image) edges() []edge {
	edges := make([]edge, 0, 4*im.height*im.width)
	for p := range im.height * im.width {
		row, column := p/im.width, p%im.width
		for _, step := range [][2]int{{0, 1}, {1, 0}, {1, 1}, {1, -1}} {
			if r, c := row+step[0], column+step[1]; r < im.height && c >= 0 && c < im.width {
				q, square := r*im.width+c, 0.
				for k, v := range im.pix[p*im.channels:][:im.channels] {
					square += (v - im.pix[q*im.channels+k]) * (v - im.pix[q*im.channels+k])
				}
				edges = append(edges, edge{math.Sqrt(square), p, q})
			}
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		switch {
		case a.difference < b.difference:
			return -1
		case a.difference > b.difference:
			return 1
		}
		return cmp.Or(a.p-b.p, a.q-b.q) // equal images are cut equally
	})
	return edges
}
