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
