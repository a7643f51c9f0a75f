package show

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	paint "image/draw"
	"slices"
	"strings"

	"lucigo/interp/attack/physical"
	"lucigo/notebooks/internal/number"
)

// Photographs is a figure of photographs of one painted thing from several sides, by how far it is leant away: what the network
// says of each, in a frame of red where that is what the painter wanted, green where it is right, and grey otherwise. Underneath is
// how many of all photographs, shown or not, were read so.
type Photographs struct {
	Title  string
	Photos physical.Photos
	Right  int // the class that is right; −1: it is not the same for all
	Target int // the class that the painter wanted; −1: any other
	Count  int // how many are shown, at equal distances in that order; 0 is 16
	Across int // in a row; 0 is 8
	Size   int // of a picture, as in Figure
}

// The colours of frames.
var (
	rightFrame  = color.RGBA{26, 127, 55, 255}
	targetFrame = color.RGBA{207, 34, 46, 255}
	otherFrame  = color.RGBA{140, 149, 159, 255}
)

// Show displays the photographs.
func (p Photographs) Show() error { return show(p.Figure()) }

// Figure returns the photographs as a figure.
func (p Photographs) Figure() (Figure, error) {
	n, classes := p.Photos.Images.N, len(p.Photos.Prediction.Names)
	switch {
	case n < 1 || p.Photos.Prediction.Logits.N != n || len(p.Photos.Tilt) != n:
		return Figure{}, fmt.Errorf("show: Photographs.Photos has %d images, %d answers and %d angles, must have as many of each", n, p.Photos.Prediction.Logits.N, len(p.Photos.Tilt))
	case p.Right < -1 || p.Right >= classes || p.Target < -1 || p.Target >= classes:
		return Figure{}, fmt.Errorf("show: Photographs.Right is %d and Target %d, must be classes, 0 to %d, or −1", p.Right, p.Target, classes-1)
	case p.Count < 0 || p.Across < 0:
		return Figure{}, fmt.Errorf("show: Photographs.Count is %d and Across %d, must be at least 0", p.Count, p.Across)
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.Photos.Tilt[a], p.Photos.Tilt[b]) })
	top, count := p.Photos.Prediction.Top1(), min(cmp.Or(p.Count, 16), n)
	leant := slices.Max(p.Photos.Tilt) > 0
	var all []Cell
	for k := range count {
		i := order[(2*k+1)*n/(2*count)]
		picture, err := p.Photos.Images.Image(i)
		if err != nil {
			return Figure{}, fmt.Errorf("show: Photographs: %w", err)
		}
		name, angle := p.Photos.Prediction.Names[top[i]], ""
		if leant {
			angle = fmt.Sprintf("%.0f°: ", p.Photos.Tilt[i])
		}
		all = append(all, Cell{
			Picture: framed(picture, p.frame(top[i])),
			Caption: angle + name,
			Note:    fmt.Sprintf("read as %s, with probability %s", name, number.Text(p.Photos.Prediction.Prob(i, top[i]), 2)),
		})
	}
	title := p.counts()
	if p.Title != "" {
		title = p.Title + "\n" + title
	}
	return Figure{Title: title, Size: p.Size, Cells: rows(all, min(cmp.Or(p.Across, 8), len(all)))}, nil
}

// counts says how many of all photographs are read as what is right and as what was wanted.
func (p Photographs) counts() string {
	all, words := p.Photos.Images.N, []string(nil)
	add := func(share float64, name, colour string) {
		words = append(words, fmt.Sprintf("%.0f %% as %s (%s)", 100*share, name, colour))
	}
	if p.Right >= 0 {
		add(p.Photos.Share(p.Right), p.Photos.Prediction.Names[p.Right], "right, green")
	}
	if p.Target >= 0 {
		add(p.Photos.Share(p.Target), p.Photos.Prediction.Names[p.Target], "red")
	} else if p.Right >= 0 {
		add(1-p.Photos.Share(p.Right), "something else", "red")
	}
	if words == nil {
		return fmt.Sprintf("%d photographs", all)
	}
	return fmt.Sprintf("how %d photographs are read: %s", all, strings.Join(words, ", "))
}

func (p Photographs) frame(class int) color.RGBA {
	switch {
	case class == p.Right:
		return rightFrame
	case class == p.Target || p.Target < 0 && p.Right >= 0:
		return targetFrame
	}
	return otherFrame
}

// framed returns the picture in a frame a 24th of its side wide.
func framed(picture image.Image, c color.RGBA) image.Image {
	b := picture.Bounds()
	wide := max(1, min(b.Dx(), b.Dy())/24)
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()+2*wide, b.Dy()+2*wide))
	paint.Draw(out, out.Bounds(), image.NewUniform(c), image.Point{}, paint.Src)
	paint.Draw(out, b.Sub(b.Min).Add(image.Pt(wide, wide)), picture, b.Min, paint.Src)
	return out
}
