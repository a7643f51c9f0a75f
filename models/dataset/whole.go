package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"lucigo/interp"
)

// Whole reads one photograph uncut, as a batch of one image of the photograph's own size or, where its
// longer side has more pixels than longest, reduced to that, as [Fit] does. Its key is a hash of the file.
func Whole(path string, longest int) (interp.Images, error) {
	if longest < 1 || longest > MaxPixels/longest {
		return interp.Images{}, fmt.Errorf("%s: no image of which a side has %d pixels", path, longest)
	}
	b, err := readFile(path, path)
	if err != nil {
		return interp.Images{}, err
	}
	m, err := Decode(path, b)
	if err != nil {
		return interp.Images{}, err
	}
	h, w := m.Bounds().Dy(), m.Bounds().Dx()
	if long := max(h, w); long > longest {
		shrink := float64(longest) / float64(long)
		h, w = max(1, round(shrink*float64(h))), max(1, round(shrink*float64(w)))
	}
	sum := sha256.Sum256(b)
	x := interp.Images{N: 1, H: h, W: w, C: 3, Pix: make([]float64, h*w*3), Key: []uint64{binary.LittleEndian.Uint64(sum[:])}}
	pixels(x.Pix, Fit(m, h, w, 0))
	return x, nil
}
