package dream

import (
	"context"
	"math"

	"lucigo/interp"
)

// align is what the origins of tiles are multiples of, so that the units of a layer are in a tile where
// they are in the whole image: the stride of every layer that divides it.
const align = 32

// gradient returns the gradient of o at images shifted by the given rows and columns, around their
// borders, brought back to where the pixels come from, with the score of each image. Images are looked at
// tile by tile where the whole would take more than a quarter of the model's budget; the rest is for the
// images themselves, and for compiling a program for every octave.
func (d Dream) gradient(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images, shift [][2]int) (interp.Maps, error) {
	tile, rows, columns := d.tiles(m, x)
	tile.Pix = make([]float64, x.N*tile.Size())

	g := x.Like()
	for _, r := range rows {
		for _, c := range columns {
			for n := range x.N {
				left := wrap(c.from-shift[n][1], x.W) * x.C
				for i := range tile.H {
					turn(row(tile, n, i), row(x, n, wrap(r.from+i-shift[n][0], x.H)), left)
				}
			}
			maps, err := m.Gradient(ctx, o, nil, tile)
			if err != nil {
				return g, err
			}
			for n := range x.N {
				g.Score[n] += maps.Score[n]
				left := wrap(c.first-shift[n][1], x.W) * x.C
				for i := r.first; i < r.end; i++ {
					part := row(maps.Images, n, i-r.from)[(c.first-c.from)*x.C : (c.end-c.from)*x.C]
					turnBack(row(g.Images, n, wrap(i-shift[n][0], x.H)), part, left)
				}
			}
		}
	}
	return g, nil
}

// tiles returns a tile of x, without pixels, and where along the two axes its tiles are.
func (d Dream) tiles(m *interp.Model, x interp.Images) (tile interp.Images, rows, columns []strip) {
	h, w := tileSize(x.H, x.W, m.Room(x.C)/4)
	tile = x
	tile.H, rows = strips(x.H, h, d.Overlap)
	tile.W, columns = strips(x.W, w, d.Overlap)
	return tile, rows, columns
}

// tileSize returns the height and width of tiles of at most about so many pixels, each at most the
// image's.
func tileSize(h, w, pixels int) (int, int) {
	th := min(h, max(1, int(math.Sqrt(float64(pixels))), pixels/w))
	return th, min(w, max(1, pixels/th))
}

// strip is a tile along one axis: it begins at from, and the gradient from first to end−1 is taken from it.
type strip struct{ from, first, end int }

// strips cuts an axis into tiles of one size, which it returns: the least that serves with as few tiles as
// tiles of the given size do. Every tile begins at a multiple of align, the last ends where the axis does,
// and each reaches beyond what is taken from it by overlap at least, except where the axis ends. Tiles are
// larger than asked for where they would be all overlap.
func strips(length, tile, overlap int) (size int, all []strip) {
	tile = max(tile, 2*(overlap+align))
	if tile >= length {
		return length, []strip{{0, 0, length}}
	}
	// count is how many tiles serve if the last begins at a multiple of align.
	count := func(last int) int {
		reach := (length - last*align - 2*overlap) / align // most from one tile to the next
		if reach < 1 {
			return math.MaxInt
		}
		return (last+reach-1)/reach + 1
	}
	last := (length - tile + align - 1) / align
	n := count(last)
	for count(last+1) <= n {
		last++
	}
	size = length - last*align
	for i := range n {
		s := strip{from: i * last / (n - 1) * align, end: length}
		if i > 0 {
			s.first = (s.from + all[i-1].from + size) / 2 // the middle of what both see
			all[i-1].end = s.first
		}
		all = append(all, s)
	}
	return size, all
}

// row is row i of image n.
func row(x interp.Images, n, i int) []float64 { return x.Of(n)[i*x.W*x.C:][:x.W*x.C] }

// turn fills to with what a circular row has from a place on, and turnBack puts it back there.
func turn(to, row []float64, from int) { copy(to[copy(to, row[from:]):], row) }

func turnBack(row, part []float64, from int) { copy(row, part[copy(row[from:], part):]) }

func wrap(i, n int) int { return (i%n + n) % n }
