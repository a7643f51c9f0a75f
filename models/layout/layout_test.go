package layout

import "testing"

// Every element is found where its indices say, for shapes smaller, larger and no multiple of a block.
func TestLawHWIO(t *testing.T) {
	for _, s := range [][4]int{{1, 1, 1, 1}, {2, 3, 4, 5}, {33, 7, 3, 3}, {64, 3, 7, 7}, {100, 70, 1, 1}, {5, 0, 1, 1}} {
		out, in, h, w := s[0], s[1], s[2], s[3]
		src := make([]int, out*in*h*w)
		for i := range src {
			src[i] = i
		}
		dst := HWIO(src, out, in, h, w)
		for o := range out {
			for i := range in {
				for y := range h {
					for x := range w {
						got, want := dst[((y*w+x)*in+i)*out+o], ((o*in+i)*h+y)*w+x
						if got != want {
							t.Fatalf("%v: at o %d, i %d, y %d, x %d: element %d, want %d", s, o, i, y, x, got, want)
						}
					}
				}
			}
		}
	}
}

// A dense layer sees the same numbers, in whatever order an image is flattened: the sums are those of plain
// loops over [C, H, W].
func TestLawFlattened(t *testing.T) {
	const out, c, h, w = 3, 4, 2, 5
	src := make([]int, out*c*h*w)
	for i := range src {
		src[i] = i*i%101 - 50
	}
	dst := Flattened(src, out, c, h, w)
	at := func(ch, y, x int) int { return (ch*7+y*3+x*11)%13 - 6 } // the image
	for o := range out {
		var want, got int
		for ch := range c {
			for y := range h {
				for x := range w {
					want += src[o*c*h*w+(ch*h+y)*w+x] * at(ch, y, x)
					got += dst[((y*w+x)*c+ch)*out+o] * at(ch, y, x)
				}
			}
		}
		if got != want {
			t.Errorf("unit %d: %d, want %d", o, got, want)
		}
	}
}

func TestHWIOPanicsOnAnotherLength(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("23 weights for 2·3·4 did not panic")
		}
	}()
	HWIO(make([]float32, 23), 2, 3, 4, 1)
}

func BenchmarkHWIO(b *testing.B) {
	for _, c := range []struct {
		name string
		s    [4]int
	}{{"dense1000x1024", [4]int{1000, 1024, 1, 1}}, {"conv384x192x3x3", [4]int{384, 192, 3, 3}}} {
		b.Run(c.name, func(b *testing.B) {
			src := make([]float32, c.s[0]*c.s[1]*c.s[2]*c.s[3])
			b.SetBytes(int64(4 * len(src)))
			for b.Loop() {
				HWIO(src, c.s[0], c.s[1], c.s[2], c.s[3])
			}
		})
	}
}
