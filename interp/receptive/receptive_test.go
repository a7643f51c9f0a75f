package receptive_test

import (
	"context"
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/receptive"
)

// part is a piece of a network whose receptive fields can be had slowly: a window, or branches side by
// side.
type part struct {
	window   layer.Window
	pool     bool
	branches [][]part
}

var ctx = context.Background()

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
// each place after the parts depends on.
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

func spansOf(sees []map[int]bool) (spans []receptive.Span) {
	for _, set := range sees {
		var s receptive.Span
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
	// The last pixel is passed over by the stride, and padding after that does not bring it back.
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
	{"border units that see only padding", []part{
		conv(layer.Square(3, 1, 1)), conv(layer.Square(1, 1, 1)),
	}, [2]int{3, 3}, [2]int{1, 1}, [2]int{-2, -2}},
	{"many border units that see only padding", []part{
		conv(layer.Square(3, 2, 4)), conv(layer.Square(3, 1, 5)), pool(layer.Square(2, 2, 1)),
	}, [2]int{9, 9}, [2]int{4, 4}, [2]int{-16, -16}},
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
				f, err := receptive.FieldOf(ctx, m, last)
				if err != nil {
					t.Fatal(err)
				}
				if f.Size != c.size || f.Jump != c.jump || f.Start != c.start {
					t.Errorf("%s; by hand %v every %v from %v", f, c.size, c.jump, c.start)
				}
				for _, size := range [][2]int{{h, w}, {13, 31}} {
					s, err := receptive.SupportOf(ctx, m, last, size[0], size[1])
					if err != nil {
						t.Fatal(err)
					}
					for axis, got := range [][]receptive.Span{s.Rows, s.Columns} {
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
		f, err := receptive.FieldOf(ctx, m, name)
		if err != nil {
			t.Fatal(err)
		}
		const h, w = 60, 40
		s, err := receptive.SupportOf(ctx, m, name, h, w)
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
		clear(s.Rows) // what was returned is the caller's, and what is kept stays
		clear(s.Columns)
		if again, err := receptive.SupportOf(ctx, m, name, h, w); err != nil || slices.Contains(again.Rows, receptive.Span{}) || slices.Contains(again.Columns, receptive.Span{}) {
			t.Errorf("%s: after its first answer was changed, the second has empty spans: %v, error %v", name, again, err)
		}
	}
}

// Branches that cancel in sign or in sum hide nothing, nor does a network without this project's layers.
func TestReceptiveFieldThroughNegation(t *testing.T) {
	mean := func(x *Node) *Node { return Sub(x, layer.MeanPool(x, layer.Square(3, 1, 1), false)) }
	for _, c := range []struct {
		name       string
		f          func(s *model.Scope, x *Node) *Node
		size, from int
	}{
		{"CReLU", func(s *model.Scope, x *Node) *Node {
			x = layer.Conv(s.In("a"), x, 4, layer.Square(3, 1, 1))
			return layer.Conv(s.In("b"), layer.Concat(layer.ReLU(x), layer.ReLU(Neg(x))), 4, layer.Square(3, 1, 1))
		}, 5, -2},
		{"less the mean, twice", func(s *model.Scope, x *Node) *Node {
			return mean(mean(layer.Conv(s, x, 4, layer.Square(3, 1, 1))))
		}, 7, -3},
		{"GoMLX alone", func(s *model.Scope, x *Node) *Node {
			kernel := s.VariableWithShape("w", shapes.Make(x.DType(), 3, 3, x.Shape().Dim(3), 4)).NodeValue(x)
			x = Max(Convolve(x, kernel).PadSame().Done(), ScalarZero(x.Graph(), x.DType()))
			return Sub(MaxPool(x).Window(3).Strides(1).PadSame().Done(), x)
		}, 5, -2},
		{"a product with what is not negative", func(s *model.Scope, x *Node) *Node {
			return Mul(Neg(layer.Conv(s, x, 1, layer.Square(5, 1, 2))), layer.ReLU(x))
		}, 5, -2},
	} {
		m := interptest.Model(c.name, func(s *model.Scope, x *Node) *Node {
			return layer.GlobalMean(layer.At("units", c.f(s, x)))
		}, [3]int{24, 24, 1}, 4, 1)
		f, err := receptive.FieldOf(ctx, m, "units")
		if want := (receptive.Field{Layer: "units", Size: [2]int{c.size, c.size}, Jump: [2]int{1, 1}, Start: [2]int{c.from, c.from}}); err != nil || f != want {
			t.Errorf("%s: %s, %v; by hand %s", c.name, f, err, want)
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
	blind := interptest.Model("blind", func(s *model.Scope, x *Node) *Node {
		x = layer.Conv(s, x, 2, layer.Square(3, 1, 1))
		x = layer.At("constant", Concatenate([]*Node{x, Ones(x.Graph(), x.Shape())}, 3))
		return layer.At("zero", layer.GlobalMean(MulScalar(x, 0)))
	}, [3]int{12, 12, 1}, 4, 1)
	sorted := interptest.Model("sorted", func(s *model.Scope, x *Node) *Node {
		return layer.GlobalMean(layer.At("sorted", Sort(x, 1, true)))
	}, [3]int{12, 12, 1}, 1, 1)
	for _, c := range []struct {
		what string
		err  error
		has  string
	}{
		{"layer", second(receptive.FieldOf(ctx, m, "mixd")), "mixed"},
		{"channel", second(receptive.FieldOf(ctx, m, "mixed", 7)), "must be from 0 to 6"},
		{"channel without positions", second(receptive.FieldOf(ctx, m, "head", 5)), "must be from 0 to 4"},
		{"support's layer", second(receptive.SupportOf(ctx, m, "nothing", 12, 12)), `no layer "nothing"`},
		{"no image", second(receptive.SupportOf(ctx, m, "mixed", 0, 12)), "without pixels"},
		{"fixed size", second(receptive.SupportOf(ctx, m, "head", 24, 24)), "/head/weights"},
		{"a channel that is constant", second(receptive.FieldOf(ctx, blind, "constant", 3)), "no unit sees a pixel"},
		{"a layer that is constant", second(receptive.FieldOf(ctx, blind, "zero")), "no unit sees a pixel"},
		{"no rule", second(receptive.SupportOf(ctx, sorted, "sorted", 12, 12)), "operator"},
		{"resized", second(receptive.FieldOf(ctx, up, "up")), "Support"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.has) {
			t.Errorf("%s: error %v, want one with %q", c.what, c.err, c.has)
		}
	}
	if _, err := receptive.SupportOf(ctx, up, "up", 12, 12); err != nil {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }
