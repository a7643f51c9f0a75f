package featvis

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/descent"
)

// ascent is a step of a rendering: from the numbers and Adam's moments to the next ones, and the score of
// what the network saw.
type ascent struct {
	form      interp.Form
	each      []bool // which of its arguments are one for each image
	drawing   Drawing
	fixed     int // arrays that the drawing needs
	window    [2]int
	looks     int
	moved     bool // some view moves the image
	upright   bool
	reach     int // where not upright
	noise     bool
	diversity string // its layer
}

func (w *work) ascent() ascent {
	s := ascent{
		form: w.objective.Form, drawing: w.canvas.Drawing, fixed: len(w.canvas.Fixed), window: w.Window, looks: w.Looks,
		moved: len(w.Views) > 0 || !w.plain(), upright: w.upright, noise: w.Noise > 0, diversity: w.Diversity.Layer,
	}
	if !w.upright {
		s.reach = w.reach
	}
	for _, a := range w.objective.Args {
		s.each = append(s.each, a.PerImage())
	}
	return s
}

// Build takes the state, the rate with the sign of the score and the weight of diversity, the maps, the
// noise if there is any, the drawing's arrays and the objective's arguments.
func (s ascent) Build(net *interp.Net, a []*Node) []*Node {
	numbers, first, second := a[0], a[1], a[2]
	scalar := func(i int) *Node { return Reshape(SliceAxis(a[3], 0, AxisElem(i))) }
	maps, rest := a[4], a[5:]
	var noise *Node
	if s.noise {
		noise, rest = rest[0], rest[1:]
	}
	n := numbers.Shape().Dim(0)
	pass := net.Pass(s.seen(s.drawing.Draw(numbers, rest[:s.fixed]), merged(maps), noise), nil)
	score := interp.Score(s.form, pass, s.arguments(rest[s.fixed:]))
	score = ReduceMean(Reshape(score, n, s.looks), 1)
	climb := Mul(ReduceAllSum(score), scalar(1))
	if s.diversity != "" {
		alike := Mul(StopGradient(Abs(score)), Diversity{Layer: s.diversity}.alike(pass, n))
		climb = Sub(climb, Mul(ReduceAllSum(alike), scalar(2)))
	}
	move, first, second := descent.Adam{}.Move(Gradient(climb, numbers)[0], first, second)
	numbers = Add(numbers, Mul(move, BroadcastToShape(scalar(0), move.Shape())))
	return []*Node{numbers, first, second, score}
}

// seen returns what the network sees, all looks at the first image first.
func (s ascent) seen(images, maps, noise *Node) *Node {
	images = repeated(images, s.looks)
	side := func(i int) *Node { return SliceAxis(maps, 1, AxisRange(i, i+6)) }
	switch {
	case !s.moved: // as they are
	case s.upright:
		images = straight(images, side(0), s.window)
	default:
		images = warp(images, side(0), side(6), s.window, s.reach)
	}
	if noise != nil {
		images = Add(images, merged(noise))
	}
	return images
}

// arguments returns the objective's, for all looks.
func (s ascent) arguments(args []*Node) []*Node {
	args = slices.Clone(args)
	for i, each := range s.each {
		if each {
			args[i] = repeated(args[i], s.looks)
		}
	}
	return args
}

// merged lays the looks of all images, [N, looks, …], one after the other.
func merged(x *Node) *Node {
	dims := x.Shape().Dimensions
	return Reshape(x, append([]int{dims[0] * dims[1]}, dims[2:]...)...)
}

// repeated repeats each entry of x, [N, …], n times.
func repeated(x *Node, n int) *Node {
	if n == 1 {
		return x
	}
	dims := x.Shape().Dimensions
	x = BroadcastToDims(ExpandAxes(x, 1), slices.Concat(dims[:1], []int{n}, dims[1:])...)
	return merged(x)
}

// sight draws the images and, where the network sees them at another size, the whole of them at that size.
type sight struct {
	drawing Drawing
	window  [2]int
	fixed   int
	plain   bool
}

// Build takes the state, the map by which the whole is seen, and the drawing's arrays.
func (s sight) Build(_ *interp.Net, a []*Node) []*Node {
	images := s.drawing.Draw(a[0], a[4:4+s.fixed])
	if s.plain {
		return []*Node{images}
	}
	n := images.Shape().Dim(0)
	return []*Node{images, straight(images, BroadcastToDims(Reshape(a[3], 1, 6), n, 6), s.window)}
}
