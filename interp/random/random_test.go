package random

import (
	"math"
	"math/bits"
	"slices"
	"testing"
)

func TestLawPrefix(t *testing.T) {
	s := New(1, 2, 3)
	long, short := make([]float64, 1001), make([]float64, 500)
	s.Normals(long)
	s.Normals(short)
	if !slices.Equal(long[:500], short) {
		t.Error("the first normals change with how many are asked")
	}
}

func TestLawNormals(t *testing.T) {
	const n = 1 << 20
	x := make([]float64, n)
	New(7, 0, 0).Normals(x)
	var m [5]float64
	inside := 0
	for i, v := range x {
		for k := range m {
			m[k] += math.Pow(v, float64(k)) / n
		}
		if math.Abs(v) < 1 {
			inside++
		}
		if i > 0 {
			m[0] += v * x[i-1] / n // becomes 1 + the lag-1 covariance
		}
	}
	tolerance := 5 / math.Sqrt(n)
	for _, c := range []struct {
		what            string
		got, want, wide float64
	}{
		{"mean", m[1], 0, 1}, {"variance", m[2], 1, math.Sqrt2}, {"third moment", m[3], 0, math.Sqrt(15)},
		{"fourth moment", m[4], 3, math.Sqrt(96)}, {"neighbours' covariance", m[0] - 1, 0, 1},
		{"share within 1", float64(inside) / n, math.Erf(1 / math.Sqrt2), .5},
	} {
		if !(math.Abs(c.got-c.want) <= tolerance*c.wide) {
			t.Errorf("%s: %g, want %g ± %g", c.what, c.got, c.want, tolerance*c.wide)
		}
	}
}

func TestLawAvalanche(t *testing.T) {
	for word := range 3 {
		for bit := range 64 {
			flips := 0
			for trial := range uint64(64) {
				a := [3]uint64{trial, trial * 3, ^trial}
				b := a
				b[word] ^= 1 << bit
				flips += bits.OnesCount64(Hash(a[:]...) ^ Hash(b[:]...))
			}
			if share := float64(flips) / (64 * 64); !(math.Abs(share-.5) <= .06) {
				t.Fatalf("bit %d of word %d flips %.2f of the hash", bit, word, share)
			}
		}
	}
}

func TestIntn(t *testing.T) {
	s, count := New(1, 1, 1), [6]int{}
	for i := range 60000 {
		count[s.Intn(i, 6)]++
	}
	for face, c := range count {
		if !(math.Abs(float64(c)-10000) <= 5*math.Sqrt(10000*5./6)) {
			t.Errorf("face %d came %d times of 60000", face, c)
		}
	}
}

func BenchmarkNormals(b *testing.B) {
	x := make([]float64, 224*224*3)
	b.SetBytes(int64(len(x) * 8))
	for i := range b.N {
		New(1, 2, uint64(i)).Normals(x)
	}
}

// Each set of 2 of 5 numbers is chosen equally often, in both orders, and by no other elements than those that are said.
func TestLawChoose(t *testing.T) {
	const draws = 40_000
	count := map[[2]int]float64{}
	for k := range uint64(draws) {
		s := New(3, 0, k)
		got := s.Choose(4, 2, 5)
		count[[2]int(got)]++
		if first := s.Intn(4, 5); got[0] != first {
			t.Fatalf("draw %d begins with %d, and element 4 says %d", k, got[0], first)
		}
	}
	const want = draws / 20.
	for pair, n := range count {
		if pair[0] == pair[1] || !(math.Abs(n-want) <= 5*math.Sqrt(want)) {
			t.Errorf("%v comes %g times, want %g", pair, n, want)
		}
	}
	if len(count) != 20 {
		t.Errorf("%d pairs in order, want 20", len(count))
	}
	if all := New(1, 0, 0).Choose(0, 6, 6); slices.Max(all) != 5 || slices.Min(all) != 0 {
		t.Errorf("all of 6: %v", all)
	}
}
