package dataset

import (
	"context"
	"fmt"
	"path/filepath"

	"lucigo/interp"
)

// table is images of one size, one after the other in a file, as bytes.
type table struct {
	file    string
	n       int
	shape   [3]int // height, width, channels
	planes  bool   // channel by channel, not pixel by pixel
	records records
}

// records returns the bytes of image i, and its class or −1.
type records func(i int) (pix []byte, class int, err error)

// Len returns how many images there are.
func (t *table) Len() int { return t.n }

// Name names image i by its file and its number.
func (t *table) Name(i int) string { return fmt.Sprintf("%s #%d", filepath.Base(t.file), i) }

// Image returns image i, with its class where the file has one.
func (t *table) Image(ctx context.Context, i int) (interp.Images, error) {
	x := interp.Images{N: 1, H: t.shape[0], W: t.shape[1], C: t.shape[2]}
	if err := ctx.Err(); err != nil {
		return x, err
	}
	if i < 0 || i >= t.n {
		return x, fmt.Errorf("%s has images 0 to %d, and none %d", t.file, t.n-1, i)
	}
	pix, class, err := t.records(i)
	if err != nil {
		return x, fmt.Errorf("%s: image %d: %w", t.file, i, err)
	}
	x.Pix = make([]float64, 0, len(pix))
	for p := range pix {
		if t.planes {
			p = p%x.C*x.H*x.W + p/x.C
		}
		x.Pix = append(x.Pix, fraction[pix[p]])
	}
	if class >= 0 {
		x.Class = []int{class}
	}
	return x, nil
}

var (
	_ interp.Source = (*Folder)(nil)
	_ interp.Source = Fitted{}
	_ interp.Source = (*IDX)(nil)
	_ interp.Source = (*CIFAR)(nil)
)
