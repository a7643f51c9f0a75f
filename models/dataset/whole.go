package dataset

import (
	"fmt"

	"lucigo/interp"
)

// Whole reads one photograph uncut, as a batch of one image of the photograph's own size or, where its
// longer side has more pixels than longest, reduced to that, as [Fit] does. Its key is a hash of the file.
func Whole(path string, longest int) (interp.Images, error) {
	if longest < 1 || longest > MaxPixels/longest {
		return interp.Images{}, fmt.Errorf("dataset: %s: longest is %d, must be at least 1 and its square at most %d", path, longest, MaxPixels)
	}
	m, key, err := readPhotograph(path, path)
	if err != nil {
		return interp.Images{}, err
	}
	h, w := m.Bounds().Dy(), m.Bounds().Dx()
	if long := max(h, w); long > longest {
		shrink := float64(longest) / float64(long)
		h, w = max(1, round(shrink*float64(h))), max(1, round(shrink*float64(w)))
	}
	x := interp.Images{N: 1, H: h, W: w, C: 3, Pix: make([]float64, h*w*3), Key: key}
	pixels(x.Pix, Fit(m, h, w, 0))
	return x, nil
}
