package dataset

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"lucigo/interp"
)

// Source is a data set of numbered images, as package exemplar scans it: see exemplar.Source.
type Source interface {
	String() string
	Len() int
	Name(i int) string
	Image(ctx context.Context, i int) (interp.Images, error)
}

// Numbered is a folder's photographs as a data set: read one by one, when they are asked for. Its methods
// are safe for concurrent use.
type Numbered struct {
	folder Folder
	files  []string
	print  [8]byte // of the files' names and sizes
}

// Numbered lists the folder's photographs; an empty folder is an error, and a file that cannot be read is
// one only when it is asked for. A photograph of any size makes an image of the folder's Height and Width: it
// is scaled, up too where it is smaller, until its shorter side is Short, and the middle is cut out.
func (f Folder) Numbered() (*Numbered, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	n := &Numbered{folder: f, files: files}
	h := sha256.New()
	for i, file := range files {
		size := int64(-1) // of a link to nothing, which is an image that cannot be read
		if info, err := os.Stat(file); err == nil {
			size = info.Size()
		}
		fmt.Fprintf(h, "%q %d\n", n.Name(i), size)
	}
	copy(n.print[:], h.Sum(nil))
	return n, nil
}

// String describes the photographs by their number, a hash of their names and sizes, and how they are cut.
// It does not depend on where the folder is.
func (n *Numbered) String() string {
	s := fmt.Sprintf("%d photographs (%x), %d×%d from the middle", len(n.files), n.print, n.folder.Height, n.folder.Width)
	if n.folder.Short > 0 {
		s += fmt.Sprintf(" of %d", n.folder.Short)
	}
	return s
}

// Len returns how many photographs there are.
func (n *Numbered) Len() int { return len(n.files) }

// Name returns the path of photograph i, from the folder.
func (n *Numbered) Name(i int) string {
	name, err := filepath.Rel(n.folder.Dir, n.files[i])
	if err != nil {
		return n.files[i]
	}
	return filepath.ToSlash(name)
}

// Image reads photograph i. Like its name, errors do not depend on where the folder is.
func (n *Numbered) Image(ctx context.Context, i int) (interp.Images, error) {
	if i < 0 || i >= len(n.files) {
		return interp.Images{}, fmt.Errorf("there are photographs 0 to %d, and no photograph %d", len(n.files)-1, i)
	}
	p, err := n.folder.read(ctx, n.files[i:i+1], []string{n.Name(i)})
	if err != nil {
		return interp.Images{}, err
	}
	return p.Images, nil
}

// Fitted is a data set whose images are brought to a network's size, as Fit does: scaled, up too where they
// are smaller, until they cover it, and cut to it. Images of one channel become grey ones of three, and
// those of three, in one channel, their luma. They are rounded to 8 bits.
type Fitted struct {
	Of                      Source
	Height, Width, Channels int
}

// String says of what it is.
func (f Fitted) String() string {
	return fmt.Sprintf("%s, fitted to %d×%d×%d", f.Of, f.Height, f.Width, f.Channels)
}

// Len returns how many images there are.
func (f Fitted) Len() int { return f.Of.Len() }

// Name returns the name of image i.
func (f Fitted) Name(i int) string { return f.Of.Name(i) }

// Image returns image i, with its key and class.
func (f Fitted) Image(ctx context.Context, i int) (interp.Images, error) {
	x, err := f.Of.Image(ctx, i)
	if err != nil {
		return x, err
	}
	if f.Height < 1 || f.Width < 1 || f.Height > MaxPixels/f.Width || f.Channels != 1 && f.Channels != 3 {
		return x, fmt.Errorf("no images of %d×%d×%d: channels are 1 or 3", f.Height, f.Width, f.Channels)
	}
	x = x.Keyed()
	m, err := x.Image(0)
	if err != nil {
		return x, err
	}
	x.H, x.W, x.C = f.Height, f.Width, 3
	x.Pix = make([]float64, x.Size())
	cut(x.Pix, Fit(m, f.Height, f.Width, 0))
	if f.Channels == 1 {
		x.C = 1
		for p := range x.Size() {
			x.Pix[p] = .299*x.Pix[3*p] + .587*x.Pix[3*p+1] + .114*x.Pix[3*p+2] // ITU-R BT.601
		}
		x.Pix = x.Pix[:x.Size()]
	}
	return x, nil
}

// table is images of one size, one behind the other in a file, as bytes.
type table struct {
	file    string
	n       int
	shape   [3]int // height, width, channels
	planes  bool   // channel by channel, not pixel by pixel
	records records
}

// Len returns how many images there are.
func (t *table) Len() int { return t.n }

// Name names image i by its file and its number.
func (t *table) Name(i int) string { return fmt.Sprintf("%s #%d", filepath.Base(t.file), i) }

// records returns the bytes of image i, and its class or −1.
type records func(i int) (pix []byte, class int, err error)

// Images reads images i to j-1, with their classes where the file has them.
func (t *table) Images(i, j int) (interp.Images, error) {
	x := interp.Images{N: j - i, H: t.shape[0], W: t.shape[1], C: t.shape[2]}
	if i < 0 || j <= i || j > t.n {
		return x, fmt.Errorf("%s has images 0 to %d, and none %d to %d", t.file, t.n-1, i, j-1)
	}
	for k := i; k < j; k++ {
		pix, class, err := t.records(k)
		if err != nil {
			return x, fmt.Errorf("%s: image %d: %w", t.file, k, err)
		}
		for p := range pix {
			if t.planes {
				p = p%x.C*x.H*x.W + p/x.C
			}
			x.Pix = append(x.Pix, float64(pix[p])/255)
		}
		if class >= 0 {
			x.Class = append(x.Class, class)
		}
	}
	return x, nil
}

// Image returns image i.
func (t *table) Image(ctx context.Context, i int) (interp.Images, error) {
	if err := ctx.Err(); err != nil {
		return interp.Images{}, err
	}
	return t.Images(i, i+1)
}

var (
	_ Source = (*Numbered)(nil)
	_ Source = Fitted{}
	_ Source = (*IDX)(nil)
	_ Source = (*CIFAR)(nil)
)
