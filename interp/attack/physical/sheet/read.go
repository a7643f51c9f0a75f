package sheet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"

	"lucigo/interp"
)

// Reader reads photographs of sheets. The zero Reader returns the pictures in the size in which they were given to be printed.
type Reader struct {
	H, W int // of the pictures that it returns, in pixels; 0 is that of the sheet's
}

// Reading is what a photograph shows.
type Reading struct {
	Sheet    int           // which of the sheets it is: its place among those that Read was given
	Pictures interp.Images // the sheet's, straight, in the light of the screen, in [0, 1]

	// Corners are where the page's corners are in the photograph, top left, top right, bottom right and bottom left of the page as
	// it was printed, each a column and a row in pixels from the photograph's top left corner; Frames are those of the pictures.
	Corners [4][2]float64
	Frames  [][4][2]float64

	Codes [4]bool // which of the four codes were read, in the same order
	Error float64 // how far their corners are from where they should be, in pixels: root mean square; above 1 the page is bent
	Scale float64 // pixels of the photograph for a pixel of a picture, where it is smallest; below 1 it shows less than was printed
}

// Most is how many pixels a photograph may have.
const Most = 100e6

// Read finds one of the sheets in a photograph, upright or not. A photograph that is stored turned (EXIF) need not be turned
// before.
//
// The codes must be about 25 pixels wide and in all a tenth of the photograph's height, and two of them be seen, with white around
// them; all pictures must be inside the photograph. The light may fall linearly across the page, and have any colour.
func (r Reader) Read(ctx context.Context, photograph image.Image, sheets ...Sheet) (*Reading, error) {
	if err := r.check(photograph, sheets); err != nil {
		return nil, err
	}
	colours, err := plain(ctx, photograph)
	if err != nil {
		return nil, err
	}
	levels, found, few, err := look(ctx, colours)
	if err != nil {
		return nil, err
	}
	which, codes, err := one(found, sheets)
	if err != nil {
		if errors.Is(err, errNone) && few != "" {
			err = errors.New(few)
		}
		return nil, err
	}
	s := sheets[which]
	pose, rms, used, err := place(codes, colours.Rect.Dx(), colours.Rect.Dy())
	if err != nil {
		return nil, err
	}
	page, ok := pose.page()
	if !ok {
		return nil, errors.New("sheet: the codes that are seen do not lie on a page before the camera: photograph the sheet again, with all four codes in view")
	}
	reading := &Reading{Sheet: which}
	for _, c := range used {
		reading.Codes[c.corner] = true
	}
	var wrong []int // the corners of codes that contradict the others
	for _, c := range codes {
		if !reading.Codes[c.corner] {
			wrong = append(wrong, c.corner)
		}
	}
	const worse = .5 // pixels by which the codes' corners may be farther off where edges are nearer
	settled := settle(levels, pose, wrong)
	if p, ok := settled.page(); ok && settled.distance(places(used)) < rms+worse {
		pose, page = settled, p
	}
	reading.Error = pose.distance(places(used))
	for i, p := range page {
		reading.Corners[i] = [2]float64{p.x, p.y}
	}
	for _, b := range s.boxes() {
		var frame [4][2]float64
		for i, p := range b.corners() {
			q := pose.follow(p)
			frame[i] = [2]float64{q.x, q.y}
		}
		reading.Frames = append(reading.Frames, frame)
	}
	if err := reading.cut(colours.Rect); err != nil {
		return nil, err
	}
	light, err := lightOf(colours, pose)
	if err != nil {
		return nil, err
	}
	return reading, r.straighten(ctx, reading, colours, pose, light, s)
}

func (r Reader) check(photograph image.Image, sheets []Sheet) error {
	switch {
	case r.H < 0 || r.W < 0 || max(r.H, r.W) > 4096 || (r.H == 0) != (r.W == 0):
		return fmt.Errorf("sheet: Reader: H is %d and W %d, must be from 1 to 4096, or both 0", r.H, r.W)
	case photograph == nil:
		return errors.New("sheet: the photograph is nil, must be an image")
	case len(sheets) == 0:
		return errors.New("sheet: sheets are none, must be those that the photograph may show")
	}
	b := photograph.Bounds()
	switch w, h := int64(b.Max.X)-int64(b.Min.X), int64(b.Max.Y)-int64(b.Min.Y); {
	case w <= 0 || h <= 0:
		return fmt.Errorf("sheet: the photograph has no pixels: %d×%d", h, w)
	case w > Most || h > Most || w*h > Most:
		return fmt.Errorf("sheet: the photograph has %d×%d pixels, must have at most %g million: make it smaller", h, w, Most/1e6)
	}
	seen := map[int]bool{}
	for i, s := range sheets {
		if err := s.check(); err != nil {
			return fmt.Errorf("%w (sheet %d of those given)", err, i)
		}
		if seen[s.Number] {
			return fmt.Errorf("sheet: two of the sheets have the Number %d, must differ: their codes are the same", s.Number)
		}
		seen[s.Number] = true
	}
	return nil
}

// look finds codes: first in the photograph made so small that its longer side has at most 1600 pixels, then twice as large where
// there were fewer than four. The corners are refined in the photograph itself. Levels are the photograph and its halves; few says
// what to do where it found none but squares like codes.
func look(ctx context.Context, colours *image.RGBA) (levels []*grey, found []seen, few string, err error) {
	first, err := brightness(ctx, colours)
	if err != nil {
		return nil, nil, "", err
	}
	levels = []*grey{first}
	for g := first; max(g.w, g.h) > 1600; {
		if g, err = g.half(ctx); err != nil {
			return nil, nil, "", err
		}
		levels = append(levels, g)
	}
	for k := len(levels) - 1; k >= max(0, len(levels)-2); k-- {
		const smallest = 14 // 2 pixels a bit
		quads, err := levels[k].quads(ctx, smallest)
		if err != nil {
			return nil, nil, "", err
		}
		for _, q := range quads {
			if ctx.Err() != nil {
				return nil, nil, "", ctx.Err()
			}
			s, ok, maybe := levels[k].decode(q)
			if maybe && !ok && few == "" {
				few = fmt.Sprintf("sheet: there are squares like codes, and their bits cannot be read: the first is about %.0f pixels wide, must be about 25 or more, "+
					"and sharp: go nearer, or hold the camera still", math.Sqrt(area(q[:]))*math.Exp2(float64(k)))
			}
			if !ok {
				continue
			}
			for j := k - 1; j >= 0; j-- {
				for i, c := range s.quad {
					s.quad[i] = c.times(2)
				}
				if finer, ok := levels[j].refine(s.quad, 3); ok {
					s.quad = finer
				}
			}
			again := func(o seen) bool {
				return o.number == s.number && o.corner == s.corner && o.mirrored == s.mirrored && o.quad[0].to(s.quad[0]) < o.quad[0].to(o.quad[2])/4
			}
			if !slices.ContainsFunc(found, again) {
				found = append(found, s)
			}
		}
		if len(found) >= 4 {
			break
		}
	}
	return levels, found, few, nil
}

// decode refines the sides of a quadrilateral, twice, and reads it.
func (g *grey) decode(q quad) (s seen, found, maybe bool) {
	for _, reach := range [2]float64{.7, .35} { // of a bit's side
		bit := math.Sqrt(max(0, area(q[:]))) / 7
		var ok bool
		if q, ok = g.refine(q, max(2, reach*bit)); !ok {
			return s, false, false
		}
	}
	return g.read(q)
}

var errNone = errors.New("sheet: no sheet is seen: photograph all of it, in focus, with white paper around its codes, so that its height is at least a tenth of the photograph's")

// one returns the codes of the one sheet that is seen, and which it is.
func one(found []seen, sheets []Sheet) (which int, codes []seen, err error) {
	if len(found) == 0 {
		return 0, nil, errNone
	}
	mirrored := func(s seen) bool { return s.mirrored }
	if slices.ContainsFunc(found, mirrored) {
		if slices.ContainsFunc(found, func(s seen) bool { return !s.mirrored }) {
			return 0, nil, errors.New("sheet: a sheet and its mirror image are seen: photograph one sheet alone")
		}
		return 0, nil, errors.New("sheet: the sheet is seen mirrored: flip the photograph, or take it with the camera that does not mirror")
	}
	slices.SortStableFunc(found, func(a, b seen) int { return cmp.Or(a.number-b.number, a.corner-b.corner) })
	for i, s := range found[1:] {
		if before := found[i]; before.number != s.number {
			return 0, nil, fmt.Errorf("sheet: two sheets are seen, %d and %d: photograph one alone", before.number, s.number)
		} else if before.corner == s.corner {
			return 0, nil, fmt.Errorf("sheet: two sheets are seen, both %d: photograph one alone", s.number)
		}
	}
	number := found[0].number
	which = slices.IndexFunc(sheets, func(s Sheet) bool { return s.Number == number })
	if which < 0 {
		return 0, nil, fmt.Errorf("sheet: sheet %d is seen, and is none of those that were given", number)
	}
	return which, found, nil
}

// place fits the homography from the page to the photograph to all corners of all codes. A code that contradicts the others, as
// one does whose side is covered, is left out where at least two others agree.
func place(codes []seen, w, h int) (pose homography, rms float64, used []seen, err error) {
	try := func(codes []seen) (pose homography, rms float64, ok bool) {
		pose, rms, ok = fit(places(codes))
		if !ok {
			return pose, rms, false
		}
		limit := 0. // a twentieth of a bit's side, and at least a pixel
		for _, c := range codes {
			limit = max(limit, 1, math.Sqrt(area(c.quad[:]))/7/20)
		}
		return pose, rms, rms < 1.5*limit
	}
	if len(codes) == 1 {
		c := codes[0]
		out := ""
		if pose, _, ok := try(codes); ok {
			out = outside(&pose, w, h)
		}
		if out != "" {
			out = fmt.Sprintf("; its corners %s seem to be outside the photograph", out)
		}
		return pose, 0, nil, fmt.Errorf("sheet: only the code %s of sheet %d is seen, must be at least two%s: photograph all of the sheet, and cover nothing", corners[c.corner], c.number, out)
	}
	pose, rms, ok := try(codes)
	if !ok {
		rms = math.Inf(1)
	}
	least := math.Inf(1)
	var better homography
	for i := range codes {
		if rest := slices.Delete(slices.Clone(codes), i, i+1); len(rest) >= 2 {
			if p, r, ok := try(rest); ok && r < least {
				better, least, used = p, r, rest
			}
		}
	}
	const clear, worth = .25, 3 // pixels; by how much the others must agree better
	switch {
	case used != nil && rms > clear && worth*least < rms:
		return better, least, used, nil
	case !ok:
		return pose, 0, nil, errors.New("sheet: the codes do not lie in one plane: lay the sheet flat, and see that nothing covers the edges of its codes")
	}
	return pose, rms, codes, nil
}

// places returns where the corners of codes are on the page, and in the photograph.
func places(codes []seen) (from, to []point) {
	for _, c := range codes {
		at := code(c.corner).corners()
		from, to = append(from, at[:]...), append(to, c.quad[:]...)
	}
	return from, to
}

// outside names the page's corners that are not in the photograph.
func outside(pose *homography, w, h int) string {
	var names []string
	for i, p := range (box{0, 0, Width, Height}).corners() {
		if q, ok := pose.at(p); !ok || q.x < 0 || q.y < 0 || q.x > float64(w) || q.y > float64(h) {
			names = append(names, corners[i])
		}
	}
	return strings.Join(names, ", ")
}

// cut returns an error if a picture is not all in the photograph.
func (r *Reading) cut(b image.Rectangle) error {
	out := func(p [2]float64) bool {
		return p[0] < 0 || p[1] < 0 || p[0] > float64(b.Dx()) || p[1] > float64(b.Dy())
	}
	for i, frame := range r.Frames {
		if !slices.ContainsFunc(frame[:], out) {
			continue
		}
		var names []string
		for k, p := range r.Corners {
			if out(p) {
				names = append(names, corners[k])
			}
		}
		return fmt.Errorf("sheet: the sheet is cut off, and picture %d with it: its corners %s are outside the photograph: go back a step", i, strings.Join(names, ", "))
	}
	return nil
}
