package superpixel

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"lucigo/interp/random"
)

// picture returns a picture: blobs of colour, with noise.
func picture(height, width, channels int, noise float64, seed uint64) []float64 {
	pix, s := make([]float64, height*width*channels), random.New(seed, 0, 0)
	for i := range pix {
		p, c := i/channels, float64(i%channels)
		y, x := float64(p/width)/float64(height), float64(p%width)/float64(width)
		v := .5 + .3*math.Sin(7*x+c+float64(seed%5))*math.Cos(5*y-c) + noise*(s.Uniform(i)-.5)
		pix[i] = min(max(v, 0), 1)
	}
	return pix
}

// Every pixel has a label, all labels occur, in the order of their first pixels, each piece is connected, their number is
// near the one asked for, and a second call gives the same.
func TestLawPieces(t *testing.T) {
	for _, c := range []struct{ height, width, channels, count int }{
		{64, 64, 3, 0}, {60, 80, 3, 100}, {224, 224, 3, 8}, {40, 30, 1, 20}, {9, 70, 4, 30}, {1, 50, 3, 10}, {33, 1, 1, 4}, {12, 12, 3, 1},
		{7, 5, 3, 35}, {12, 12, 3, 144}, {6, 6, 3, 1000}, {1, 1, 1, 1}, {10, 10, 3, 60},
	} {
		for seed, noise := range []float64{0, .1, 1} {
			pix, s := picture(c.height, c.width, c.channels, noise, uint64(seed)), SLIC{Count: c.count}
			name := fmt.Sprintf("%d×%d×%d, noise %g, %s", c.height, c.width, c.channels, noise, s)
			labels, n, err := s.Cut(pix, c.height, c.width, c.channels)
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for _, k := range labels {
				if k < 0 || k > next {
					t.Fatalf("%s: label %d comes after %d others", name, k, next)
				}
				next = max(next, k+1)
			}
			if next != n || len(labels) != c.height*c.width {
				t.Errorf("%s: %d labels of %d pieces", name, next, n)
			}
			if found := components(labels, c.height, c.width, false); found != n {
				t.Errorf("%s: %d pieces are %d connected ones", name, n, found)
			}
			want := float64(min(s.defaults().Count, c.height*c.width))
			if noise < 1 && (float64(n) < .6*want-1 || float64(n) > 1.3*want+1) {
				t.Errorf("%s: %d pieces", name, n)
			}
			if again, _, _ := s.Cut(pix, c.height, c.width, c.channels); !slices.Equal(again, labels) {
				t.Errorf("%s: cut again it gives other pieces", name)
			}
		}
	}
}

// components counts the connected pieces, by union of neighbours, those at corners too or not.
func components(labels []int, height, width int, corners bool) (n int) {
	parent := make([]int, len(labels))
	for p := range parent {
		parent[p] = p
	}
	root := func(p int) int {
		for parent[p] != p {
			parent[p] = parent[parent[p]]
			p = parent[p]
		}
		return p
	}
	for p := range labels {
		if p%width > 0 && labels[p-1] == labels[p] {
			parent[root(p-1)] = root(p)
		}
		if p >= width && labels[p-width] == labels[p] {
			parent[root(p-width)] = root(p)
		}
		if corners && p >= width && p%width > 0 && labels[p-width-1] == labels[p] {
			parent[root(p-width-1)] = root(p)
		}
		if corners && p >= width && p%width < width-1 && labels[p-width+1] == labels[p] {
			parent[root(p-width+1)] = root(p)
		}
	}
	for p := range parent {
		if root(p) == p {
			n++
		}
	}
	return n
}

// As many pieces as pixels are one pixel each.
func TestLawOnePixelEach(t *testing.T) {
	labels, n, err := SLIC{Count: 77}.Cut(picture(7, 11, 3, 1, 1), 7, 11, 3)
	if err != nil || n != 77 {
		t.Fatalf("%d pieces, error %v", n, err)
	}
	for p, k := range labels {
		if k != p {
			t.Fatalf("pixel %d is in piece %d", p, k)
		}
	}
}

// No piece crosses an edge between colours, wherever it is.
func TestLawEdges(t *testing.T) {
	const height, width = 48, 60
	for edge := 10; edge < 50; edge += 7 {
		pix := make([]float64, height*width*3)
		side := func(p int) bool { return p%width+p/width/3 < edge }
		for p := range height * width {
			copy(pix[p*3:], []float64{.9, .2, .1})
			if side(p) {
				copy(pix[p*3:], []float64{.1, .3, .8})
			}
		}
		labels, n, err := SLIC{Count: 40}.Cut(pix, height, width, 3)
		if err != nil {
			t.Fatal(err)
		}
		seen := make([][2]int, n)
		for p, k := range labels {
			if side(p) {
				seen[k][0]++
			} else {
				seen[k][1]++
			}
		}
		for k, s := range seen {
			if min(s[0], s[1]) > 0 {
				t.Errorf("edge at %d: piece %d has %d pixels of one colour and %d of the other", edge, k, s[0], s[1])
			}
		}
	}
}

// On a picture of one colour the pieces are the cells of the grid.
func TestLawOneColour(t *testing.T) {
	pix := slices.Repeat([]float64{.5, .5, .5}, 24*36)
	labels, n, err := SLIC{Count: 24}.Cut(pix, 24, 36, 3)
	if err != nil || n != 24 {
		t.Fatalf("%d pieces, error %v", n, err)
	}
	for p, k := range labels {
		if want := p/36/6*6 + p%36/6; k != want {
			t.Fatalf("row %d, column %d is in piece %d, want %d", p/36, p%36, k, want)
		}
	}
}

// Published values of CIELAB under D65.
func TestLab(t *testing.T) {
	for _, c := range [][2][3]float64{
		{{1, 1, 1}, {100, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}, {{1, 0, 0}, {53.24, 80.09, 67.20}},
		{{0, 1, 0}, {87.73, -86.18, 83.18}}, {{0, 0, 1}, {32.30, 79.19, -107.86}}, {{.5, .5, .5}, {53.39, 0, 0}},
	} {
		for i, v := range lab(c[0][:]) {
			if math.Abs(v-c[1][i]) > .02 {
				t.Errorf("sRGB %v is %.2f in CIELAB, want %v", c[0], lab(c[0][:]), c[1])
				break
			}
		}
	}
}

func TestErrors(t *testing.T) {
	pix := make([]float64, 12)
	nan := slices.Clone(pix)
	nan[5] = math.NaN()
	for _, c := range []struct {
		s    SLIC
		pix  []float64
		want string
	}{
		{SLIC{}, pix[1:], "an image of 2×2×3 has 11 numbers"},
		{SLIC{}, nan, "not finite"},
		{SLIC{Count: -1}, pix, "Count is -1, must"},
		{SLIC{Compactness: -1}, pix, "Compactness is -1, must"},
		{SLIC{Compactness: math.Inf(1)}, pix, "Compactness is +Inf, must"},
		{SLIC{Iterations: -1}, pix, "Iterations is -1, must"},
	} {
		if _, _, err := c.s.Cut(c.pix, 2, 2, 3); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.s, err, c.want)
		}
	}
}

func BenchmarkSLIC(b *testing.B) {
	pix := picture(224, 224, 3, .1, 1)
	for b.Loop() {
		if _, _, err := (SLIC{}).Cut(pix, 224, 224, 3); err != nil {
			b.Fatal(err)
		}
	}
}
