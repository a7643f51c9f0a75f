package interp_test

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// part is a piece of a network whose receptive fields can be had slowly: a window, or branches side by
// side.
type part struct {
	window   layer.Window
	pool     bool
	branches [][]part
}

func conv(w layer.Window) part      { return part{window: w} }
func pool(w layer.Window) part      { return part{window: w, pool: true} }
func split(branches ...[]part) part { return part{branches: branches} }

// build is the network of the parts; each makes layer 0, 1, ….
func build(s *model.Scope, x *Node, parts []part, top bool) *Node {
	for i, p := range parts {
		s := s.In("part%d", i)
		switch {
		case p.branches != nil:
			var out []*Node
			for b, branch := range p.branches {
				out = append(out, build(s.In("branch%d", b), x, branch, false))
			}
			x = layer.Concat(out...)
		case p.pool:
			x = layer.MaxPool(x, p.window)
		default:
			x = layer.ReLU(layer.Conv(s, x, 2, p.window))
		}
		if top {
			x = layer.At(fmt.Sprint(i), x)
		}
	}
	return x
}

// reach is the slow definition: from the pixels that each place along an axis depends on to those that
// each place behind the parts depends on.
func reach(parts []part, axis int, in []map[int]bool) []map[int]bool {
	for _, p := range parts {
		var out []map[int]bool
		if p.branches == nil {
			w := p.window
			size := [2]int{1, 1}
			size[axis] = len(in)
			w.Size[1-axis], w.Pad[1-axis], w.Dilation[1-axis] = 1, [2]int{}, 1
			h, wd := w.Out(size[0], size[1])
			for o := range []int{h, wd}[axis] {
				sees := map[int]bool{}
				for tap := range w.Size[axis] {
					i := o*max(w.Stride[axis], 1) - w.Pad[axis][0] + tap*max(w.Dilation[axis], 1)
					if i >= 0 && i < len(in) {
						for pixel := range in[i] {
							sees[pixel] = true
						}
					}
				}
				out = append(out, sees)
			}
		}
		for _, branch := range p.branches {
			for o, sees := range reach(branch, axis, in) {
				if o == len(out) {
					out = append(out, map[int]bool{})
				}
				for pixel := range sees {
					out[o][pixel] = true
				}
			}
		}
		in = out
	}
	return in
}

func spansOf(sees []map[int]bool) (spans []interp.Span) {
	for _, set := range sees {
		var s interp.Span
		for pixel := range set {
			if s.End == 0 || pixel < s.First {
				s.First = pixel
			}
			s.End = max(s.End, pixel+1)
		}
		spans = append(spans, s)
	}
	return spans
}

// networks are what makes receptive fields hard, and the field of their last layer by hand: along an axis,
// size += (extent−1)·jump and start −= pad·jump, then jump *= stride; of branches the union.
var networks = []struct {
	name              string
	parts             []part
	size, jump, start [2]int
}{
	{"chain", []part{
		conv(layer.Square(5, 2, 2)), pool(layer.Square(3, 2, 0)), conv(layer.Square(3, 1, 1)),
	}, [2]int{17, 17}, [2]int{4, 4}, [2]int{-6, -6}},
	{"asymmetric padding, even kernels", []part{
		conv(layer.Window{Size: [2]int{4, 3}, Pad: [2][2]int{{3, 0}, {0, 2}}}),
		conv(layer.Window{Size: [2]int{2, 6}, Stride: [2]int{2, 3}, Pad: [2][2]int{{0, 1}, {4, 1}}}),
	}, [2]int{5, 8}, [2]int{2, 3}, [2]int{-3, -4}},
	{"dilation", []part{
		conv(layer.Window{Size: [2]int{3, 2}, Dilation: [2]int{2, 4}, Pad: [2][2]int{{2, 2}, {4, 0}}}),
		conv(layer.Window{Size: [2]int{2, 3}, Dilation: [2]int{3, 1}, Pad: [2][2]int{{3, 0}, {1, 1}}}),
	}, [2]int{8, 7}, [2]int{1, 1}, [2]int{-5, -5}},
	{"branches", []part{
		conv(layer.Square(3, 2, 1)),
		split(
			[]part{conv(layer.Square(1, 1, 0))},
			[]part{conv(layer.Square(1, 1, 0)), conv(layer.Window{Size: [2]int{2, 5}, Pad: [2][2]int{{1, 0}, {2, 2}}})},
			[]part{pool(layer.Window{Size: [2]int{4, 2}, Pad: [2][2]int{{1, 2}, {0, 1}}})},
		),
		pool(layer.Window{Size: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}),
	}, [2]int{13, 15}, [2]int{4, 4}, [2]int{-3, -5}},
	// The last pixel is passed over by the stride, and padding behind that does not bring it back.
	{"a stride that leaves pixels unseen", []part{
		conv(layer.Square(3, 3, 0)), conv(layer.Square(3, 1, 1)),
	}, [2]int{9, 9}, [2]int{3, 3}, [2]int{-3, -3}},
	// Here they hide where the field ends: three units in a row seem to end at the same pixel.
	{"a stride that hides the border", []part{
		conv(layer.Square(3, 3, 0)), conv(layer.Window{Size: [2]int{6, 6}, Pad: [2][2]int{{0, 5}, {0, 5}}}),
	}, [2]int{18, 18}, [2]int{3, 3}, [2]int{0, 0}},
	// The outermost tap of every unit of a small image is on padding, the next one well inside.
	{"gaps that hide the border", []part{
		conv(layer.Square(3, 1, 1)),
		conv(layer.Window{Size: [2]int{4, 4}, Dilation: [2]int{7, 7}, Pad: [2][2]int{{21, 0}, {0, 21}}}),
	}, [2]int{24, 24}, [2]int{1, 1}, [2]int{-22, -1}},
}

func TestLawReceptiveFieldByReach(t *testing.T) {
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		for _, c := range networks {
			t.Run(c.name, func(t *testing.T) {
				const h, w = 20, 23
				last := fmt.Sprint(len(c.parts) - 1)
				m := interptest.Model(c.name, func(s *model.Scope, x *Node) *Node {
					return layer.GlobalMean(build(s, x, c.parts, true))
				}, [3]int{h, w, 1}, 2, 1).On(e.Backend)
				f, err := m.ReceptiveField(ctx, last)
				if err != nil {
					t.Fatal(err)
				}
				if f.Size != c.size || f.Jump != c.jump || f.Start != c.start {
					t.Errorf("%s; by hand %v every %v from %v", f, c.size, c.jump, c.start)
				}
				for _, size := range [][2]int{{h, w}, {13, 31}} {
					s, err := m.Support(ctx, last, size[0], size[1])
					if err != nil {
						t.Fatal(err)
					}
					for axis, got := range [][]interp.Span{s.Rows, s.Columns} {
						var pixels []map[int]bool
						for i := range size[axis] {
							pixels = append(pixels, map[int]bool{i: true})
						}
						if want := spansOf(reach(c.parts, axis, pixels)); !slices.Equal(got, want) {
							t.Errorf("%v, axis %d: %v, want %v", size, axis, got, want)
						}
					}
				}
			})
		}
	})
}

// What a unit sees lies in its receptive field, and, far from the border, is all of it.
func TestReceptiveFieldAndSupport(t *testing.T) {
	m := interptest.Branchy()
	for _, name := range []string{"conv1", "pool1", "branch", "mixed", "shared", "shared:2"} {
		f, err := m.ReceptiveField(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		const h, w = 60, 40
		s, err := m.Support(ctx, name, h, w)
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		for row := range s.Rows {
			for column := range s.Columns {
				field, sees := f.Rect(row, column), s.Rect(row, column)
				if !sees.In(field.Intersect(image.Rect(0, 0, w, h))) {
					t.Fatalf("%s (%d, %d) sees %v, outside its field %v", name, row, column, sees, field)
				}
				if sees == field {
					whole++
				}
			}
		}
		if whole < len(s.Rows)*len(s.Columns)/4 {
			t.Errorf("%s: %d units see the whole of their field", name, whole)
		}
	}
}

func TestReceptiveFieldErrors(t *testing.T) {
	m := interptest.Branchy()
	up := interptest.Model("up", func(s *model.Scope, x *Node) *Node {
		x = layer.At("conv", layer.Conv(s, x, 2, layer.Square(3, 1, 1)))
		x = layer.At("up", layer.Resize(x, 2*x.Shape().Dim(1), 2*x.Shape().Dim(2), layer.Nearest))
		return layer.GlobalMean(x)
	}, [3]int{12, 12, 1}, 2, 1)
	for _, c := range []struct {
		what string
		err  error
		has  string
	}{
		{"layer", second(m.ReceptiveField(ctx, "mixd")), "mixed"},
		{"channel", second(m.ReceptiveField(ctx, "mixed", 7)), "channels 0 to 6"},
		{"channel without positions", second(m.ReceptiveField(ctx, "head", 5)), "channels 0 to 4"},
		{"support's layer", second(m.Support(ctx, "nothing", 12, 12)), `no layer "nothing"`},
		{"no image", second(m.Support(ctx, "mixed", 0, 12)), "without pixels"},
		{"fixed size", second(m.Support(ctx, "head", 24, 24)), "/head/weights"},
		{"resized", second(up.ReceptiveField(ctx, "up")), "Support"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.has) {
			t.Errorf("%s: error %v, want one with %q", c.what, c.err, c.has)
		}
	}
	if _, err := up.Support(ctx, "up", 12, 12); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
