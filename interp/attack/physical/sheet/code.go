package sheet

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// codes are those of the corners of sheet 0, top left, top right, bottom right, bottom left, then those of sheet 1, and so on.
// Bit 5·row+column is white where it is 1. Found by trying numbers in an order that looks random (multiples of 0x9e3779b1) and
// taking every one whose eight symmetries keep a distance of 8 to each other and to those taken before, in which 9 to 16 bits
// are white, and 14 to 26 of the 40 pairs of neighbours differ.
var codes = [...]uint32{
	0x0dde6c4, 0x18453d7, 0x1bbcd88, 0x108a7ae, 0x08cfb85, 0x048c90d, 0x0049695, 0x11e8d9f,
	0x111d4d8, 0x03884a9, 0x0d238f5, 0x15f347a, 0x03d1b3e, 0x189f564, 0x041b1d3, 0x0b0a535,
	0x13da0ba, 0x0710952, 0x1718ece, 0x00fd9af, 0x1b235a9, 0x0dd7c0f, 0x0687c6b, 0x143e28a,
	0x1891ffa, 0x178db96, 0x085af24, 0x030cd93, 0x127bb30, 0x0d2d99f, 0x11741a5, 0x16115aa,
	0x1c9fcca, 0x08c919e, 0x1198d23, 0x02c6dc1, 0x1ada117, 0x13bf850, 0x10a8b48, 0x106ca84,
	0x1b163de, 0x05b9283, 0x15b7823, 0x14b9fa9, 0x109186c, 0x1679717, 0x0d56521, 0x120e461,
	0x007c328, 0x00e0965, 0x013aef8, 0x0e978c5, 0x04afa59, 0x0c6fc40, 0x022de4a, 0x0763402,
	0x08d6b5f, 0x0da00db, 0x0b0c341, 0x0bf29ad, 0x006a853, 0x09cd237, 0x15c128d, 0x1f72c4d,
}

// turn turns a code by a quarter clockwise.
func turn(c uint32) (t uint32) {
	for y := range 5 {
		for x := range 5 {
			t |= c >> (5*y + x) & 1 << (5*x + 4 - y)
		}
	}
	return t
}

// mirror exchanges a code's left and right.
func mirror(c uint32) (t uint32) {
	for y := range 5 {
		for x := range 5 {
			t |= c >> (5*y + x) & 1 << (5*y + 4 - x)
		}
	}
	return t
}

// identity is what a code says.
type identity struct {
	number, corner int // of the sheet, and on it
	turns          int // quarters clockwise by which it is turned
	mirrored       bool
}

// identify returns what a code says, however it is turned or mirrored. Nothing is corrected.
func identify(c uint32) (identity, bool) {
	m := mirror(c)
	for k := range 4 {
		if i := slices.Index(codes[:], c); i >= 0 {
			return identity{i / 4, i % 4, (4 - k) % 4, false}, true
		}
		if i := slices.Index(codes[:], m); i >= 0 {
			return identity{i / 4, i % 4, 0, true}, true
		}
		c, m = turn(c), turn(m)
	}
	return identity{}, false
}

// seen is a code in a photograph.
type seen struct {
	identity
	quad // its corners, from the code's own top left on
}

// read returns the code in a quadrilateral whose sides have been refined. Maybe is true where there is a black frame in white, as
// codes have, whatever is in it.
func (g *grey) read(q quad) (s seen, found, maybe bool) {
	unit := box{0, 0, 7, 7}.corners()
	h, _, ok := fit(unit[:], q[:])
	if !ok {
		return s, false, false
	}
	for _, p := range (box{-1, -1, 9, 9}).corners() {
		if _, ok := h.at(p); !ok {
			return s, false, false // its corners are not those of a square before a camera
		}
	}
	cell := func(column, row float64) (v float64) { // the mean of the middle of a square of the code
		for i := range 9 {
			v += g.at(h.follow(point{column + .5 + .2*float64(i%3-1), row + .5 + .2*float64(i/3-1)})) / 9
		}
		return v
	}
	var black, white plane
	for i := -1.; i < 8; i++ {
		for _, p := range [4]point{{i, -1}, {7, i}, {i, 7}, {-1, i}} {
			white.add(p.x, p.y, cell(p.x, p.y))
		}
	}
	for i := 0.; i < 6; i++ {
		for _, p := range [4]point{{i, 0}, {6, i}, {i + 1, 6}, {0, i + 1}} {
			black.add(p.x, p.y, cell(p.x, p.y))
		}
	}
	// Paper and ink are each lit by a light that changes linearly. A square is measured between the two there.
	if !black.solve() || !white.solve() {
		return s, false, false
	}
	const contrast = 20
	for _, p := range [4]point{{-1, -1}, {7, -1}, {-1, 7}, {7, 7}} {
		if white.at(p.x, p.y)-black.at(p.x, p.y) < contrast {
			return s, false, false
		}
	}
	wrong := 0
	for _, pl := range [2]*plane{&black, &white} {
		for _, v := range pl.values {
			share := (v.z - black.at(v.x, v.y)) / (white.at(v.x, v.y) - black.at(v.x, v.y))
			if (share > .5) != (pl == &white) {
				wrong++
			}
		}
	}
	if wrong > 3 {
		return s, false, false
	}
	var bright [7][7]float64
	for y := 1; y < 6; y++ {
		for x := 1; x < 6; x++ {
			x0, y0 := float64(x), float64(y)
			bright[y][x] = (cell(x0, y0) - black.at(x0, y0)) / (white.at(x0, y0) - black.at(x0, y0))
		}
	}
	for _, sharpen := range [4]float64{0, .3, .6, 1} { // what blur has taken: differences from the mean of the four neighbours
		code, margin := uint32(0), 1.
		for y := 1; y < 6; y++ {
			for x := 1; x < 6; x++ {
				v := bright[y][x]
				v += sharpen * (v - (bright[y-1][x]+bright[y+1][x]+bright[y][x-1]+bright[y][x+1])/4)
				margin = min(margin, math.Abs(v-.5))
				if v > .5 {
					code |= 1 << (5*(y-1) + x - 1)
				}
			}
		}
		if id, ok := identify(code); ok && margin > .04 {
			s.identity = id
			for i := range q { // the code's top left is the one that turns have brought there
				s.quad[i] = q[(i+id.turns)%4]
			}
			return s, true, true
		}
	}
	return s, false, true
}

// plane is the linear function of a place with the least squares at what was added.
type plane struct {
	values  []struct{ x, y, z float64 }
	a, b, c float64
}

func (p *plane) add(x, y, z float64) {
	p.values = append(p.values, struct{ x, y, z float64 }{x, y, z})
}

func (p *plane) at(x, y float64) float64 { return p.a + p.b*x + p.c*y }

func (p *plane) solve() bool {
	system, right := mat.NewDense(len(p.values), 3, nil), mat.NewVecDense(len(p.values), nil)
	for i, v := range p.values {
		system.SetRow(i, []float64{1, v.x, v.y})
		right.SetVec(i, v.z)
	}
	var s mat.VecDense
	if err := s.SolveVec(system, right); err != nil {
		return false
	}
	p.a, p.b, p.c = s.AtVec(0), s.AtVec(1), s.AtVec(2)
	return true
}
