// Package sheet prints pictures with codes beside them, and reads them again from a photograph of the print.
//
// A Sheet is a page of A4 with up to 12 pictures, their captions, a square code in each corner, and two strips of patches from
// black to white. A Reader finds the codes in a photograph, fits the homography that takes the page to it, straightens every
// picture, and undoes the light by the patches. What it returns is ready for Model.Predict.
//
// The codes are squares of 5×5 bits inside a black border, as those of ArUco (Garrido-Jurado, Muñoz-Salinas, Madrid-Cuevas and
// Marín-Jiménez, Pattern Recognition 2014) and AprilTag (Olson, ICRA 2011; Wang and Olson, IROS 2016) are, in a family of our own:
// any two, turned or mirrored in any way, differ in 8 bits or more. No bit is corrected: a square with a wrong bit is no code.
// So a code says which sheet and which corner it is, which way is up, and whether it is seen in a mirror.
//
// Sizes are in millimetres from the page's top left corner, places in photographs in pixels from theirs: columns, then rows.
package sheet

import (
	"errors"
	"fmt"
	"math"

	"lucigo/interp"
)

// Width and Height are the page's, A4 in landscape, in millimetres. DPI is the resolution that it is written with, in dots per inch.
const (
	Width, Height = 297., 210.
	DPI           = 300

	module   = 5.         // side of a bit
	side     = 7 * module // of a code, 35 mm: five bits and a border of one on each side
	margin   = 10.        // between the page's edge and the codes
	patch    = 9.         // side of a patch
	stripTop = 60.
	dot      = 25.4 / DPI
)

// Sheet is a page to print. What it needs is Pictures.
type Sheet struct {
	Number   int           // which sheet it is, 0 to Sheets−1: the codes say it
	Title    string        // printed above the pictures
	Pictures interp.Images // 1 to 12, of 1 or 3 channels, in reading order
	Captions []string      // a line below each picture; nil is none

	// Smooth enlarges the pictures bilinearly. If it is false every pixel is a flat square, which a photograph shows as it is.
	Smooth bool
}

// Sheets is how many sheets can be told apart.
const Sheets = len(codes) / 4

var corners = [4]string{"top left", "top right", "bottom right", "bottom left"}

// area is where pictures are printed.
const areaLeft, areaTop, areaRight, areaBottom, captionHeight, gap = 36., 51., 261., 159., 8., 10.

// box is a rectangle of the page.
type box struct{ x, y, w, h float64 }

// at returns a place in the box: u is 0 at its left edge and 1 at its right, v 0 at its top and 1 at its bottom.
func (b box) at(u, v float64) point { return point{b.x + u*b.w, b.y + v*b.h} }

// corners returns top left, top right, bottom right and bottom left.
func (b box) corners() [4]point { return [4]point{b.at(0, 0), b.at(1, 0), b.at(1, 1), b.at(0, 1)} }

// code returns where the code of a corner is.
func code(corner int) box {
	b := box{margin, margin, side, side}
	if corner == 1 || corner == 2 {
		b.x = Width - margin - side
	}
	if corner >= 2 {
		b.y = Height - margin - side
	}
	return b
}

// steps are how bright the patches of a strip are, from its top.
var steps = [10]float64{0, 1, .5, .25, .75, .75, .25, .5, 1, 0}

// patches returns the patches of the left strip and of the right one.
func patches() (boxes []box) {
	for _, x := range [2]float64{margin, Width - margin - patch} {
		for i := range steps {
			boxes = append(boxes, box{x, stripTop + patch*float64(i), patch, patch})
		}
	}
	return boxes
}

// Boxes returns where the pictures are printed: left, top, width and height in millimetres.
func (s Sheet) Boxes() ([][4]float64, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var all [][4]float64
	for _, b := range s.boxes() {
		all = append(all, [4]float64{b.x, b.y, b.w, b.h})
	}
	return all, nil
}

// boxes arranges the pictures in the rows and columns in which they are largest. A pixel is a whole number of dots where there
// are enough.
func (s Sheet) boxes() (boxes []box) {
	p := s.Pictures
	best, columns := 0., 1
	for c := 1; c <= p.N; c++ {
		rows := (p.N + c - 1) / c
		w, h := (areaRight-areaLeft+gap)/float64(c)-gap, (areaBottom-areaTop+2)/float64(rows)-2-captionHeight
		if size := min(w/float64(p.W), h/float64(p.H)); size > best+1e-9 {
			best, columns = size, c
		}
	}
	if best > dot {
		best = math.Floor(best/dot+1e-9) * dot
	}
	rows := (p.N + columns - 1) / columns
	w, h := best*float64(p.W), best*float64(p.H)
	pitch := h + captionHeight + 2
	top := (areaTop+areaBottom)/2 - (float64(rows)*pitch-2)/2
	for i := range p.N {
		row, column := i/columns, i%columns
		across := min(columns, p.N-row*columns)
		left := Width/2 - (float64(across)*(w+gap)-gap)/2
		boxes = append(boxes, box{left + float64(column)*(w+gap), top + float64(row)*pitch, w, h})
	}
	return boxes
}

func (s Sheet) check() error {
	p := s.Pictures
	switch {
	case s.Number < 0 || s.Number >= Sheets:
		return fmt.Errorf("sheet: Number is %d, must be from 0 to %d", s.Number, Sheets-1)
	case p.N == 0:
		return errors.New("sheet: Pictures are none, must be 1 to 12")
	case p.N > 12:
		return fmt.Errorf("sheet: Pictures are %d, must be at most 12: print more sheets, each with a Number of its own", p.N)
	case p.C != 1 && p.C != 3:
		return fmt.Errorf("sheet: Pictures have %d channels, must have 1 or 3", p.C)
	case p.H < 1 || p.W < 1 || max(p.H, p.W) > 4096 || p.W > 4*p.H || p.H > 4*p.W:
		return fmt.Errorf("sheet: Pictures are %d×%d pixels, must be at most 4096, and a side at most four times the other", p.H, p.W)
	case s.Captions != nil && len(s.Captions) != p.N:
		return fmt.Errorf("sheet: Captions are %d, must be one for each of %d pictures, or none", len(s.Captions), p.N)
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("sheet: Pictures: %w", err)
	}
	return nil
}
