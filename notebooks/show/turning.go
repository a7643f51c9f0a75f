package show

import (
	"cmp"
	"fmt"
	"image"
	"slices"
	"time"

	"lucigo/interp/attack/physical"
)

// Turning is a figure of painted solids, each of which turns: its photographs are shown one after the other, again and again, each in
// a frame that says how the network read it, as those of Photographs are. Underneath is how many of them were read so.
type Turning struct {
	Title  string
	Solids []Turned
	Every  time.Duration // how long each photograph stays; 0 is 150 ms
	Size   int           // of a picture, as in Figure
}

// Turned is one solid of a Turning.
type Turned struct {
	Name   string
	Photos physical.Photos // in the order in which they are shown
	Right  []int           // the classes that are right: several where the network knows the surface and not the shape
	Target int             // the class that the painter wanted; −1: any that is not right
}

// Show displays the solids.
func (t Turning) Show() error { return show(t.Figure()) }

// Figure returns the solids as a figure of one row.
func (t Turning) Figure() (Figure, error) {
	if len(t.Solids) == 0 {
		return Figure{}, fmt.Errorf("show: Turning.Solids is empty, must hold at least one")
	}
	if t.Every < 0 {
		return Figure{}, fmt.Errorf("show: Turning.Every is %v, must be at least 0", t.Every)
	}
	var all []Cell
	for _, s := range t.Solids {
		c, err := s.cell(cmp.Or(t.Every, 150*time.Millisecond))
		if err != nil {
			return Figure{}, err
		}
		all = append(all, c)
	}
	return Figure{Title: t.Title, Size: t.Size, Cells: [][]Cell{all}}, nil
}

func (s Turned) cell(every time.Duration) (Cell, error) {
	n, names := s.Photos.Images.N, s.Photos.Prediction.Names
	known := func(class int) bool { return class >= 0 && class < len(names) }
	switch {
	case n < 1 || s.Photos.Prediction.Logits.N != n:
		return Cell{}, fmt.Errorf("show: Turned %q: Photos has %d images and %d answers, must have as many of both", s.Name, n, s.Photos.Prediction.Logits.N)
	case slices.ContainsFunc(s.Right, func(class int) bool { return !known(class) }) || s.Target != -1 && !known(s.Target):
		return Cell{}, fmt.Errorf("show: Turned %q: Right is %d and Target %d, must be classes, 0 to %d, or Target −1", s.Name, s.Right, s.Target, len(names)-1)
	}
	var frames []image.Image
	right, target := 0, 0
	for i, class := range s.Photos.Prediction.Top1() {
		picture, err := s.Photos.Images.Image(i)
		if err != nil {
			return Cell{}, fmt.Errorf("show: Turned %q: %w", s.Name, err)
		}
		colour := otherFrame
		switch {
		case slices.Contains(s.Right, class):
			colour = rightFrame
			right++
		case class == s.Target || s.Target < 0:
			colour = targetFrame
			target++
		}
		frames = append(frames, framed(picture, colour))
	}
	wanted := "something else"
	if s.Target >= 0 {
		wanted = names[s.Target]
	}
	caption := fmt.Sprintf("%s: %d of %d as %s", s.Name, target, n, wanted)
	return Cell{
		Picture: animation{Image: frames[0], rest: frames[1:], each: every, first: every},
		Caption: caption,
		Note:    fmt.Sprintf("%s (red frames), %d right (green), turning", caption, right),
	}, nil
}
