package interp

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/gomlx/compute/dtypes"
)

// fake replaces a compilation: a graph of a few operations, held as so many bytes.
func fake(t *testing.T, bytes int64) func(*program) error {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	return func(p *program) error {
		p.graph = NewGraph(backend, "fake")
		p.bytes = bytes
		return p.graph.Compile(Neg(Parameter(p.graph, "x", shapes.Make(dtypes.Float32))))
	}
}

func TestProgramsAreBounded(t *testing.T) {
	ps := programs{bound: 100}
	get := func(key string) *program {
		p, err := ps.acquire(t.Context(), key, make(places, 1), fake(t, 40))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a, b := get("a"), get("b")
	ps.release(b)
	ps.release(get("a")) // a is used later than b
	c := get("c")
	if ps.held["b"] != nil || ps.held["a"] != a || ps.bytes != 80 {
		t.Errorf("the least recently used did not go: %d bytes held", ps.bytes)
	}
	if b.graph != nil {
		t.Error("b went, and is not finalized")
	}
	ps.release(c)
	d := get("d")
	if ps.held["a"] != nil || a.graph == nil {
		t.Error("a is in use: it has to leave the table and live on")
	}
	ps.release(a)
	if a.graph != nil {
		t.Error("a was given back, and is not finalized")
	}
	ps.release(d)
	big, err := ps.acquire(t.Context(), "big", make(places, 1), fake(t, 1000))
	if err != nil || len(ps.held) != 1 {
		t.Errorf("a program larger than the bound: %v, %d held", err, len(ps.held))
	}
	ps.release(big)
}

func TestProgramsCompileOnce(t *testing.T) {
	var ps programs
	var wg sync.WaitGroup
	compiling := make(places, 2)
	for i := range 40 {
		wg.Go(func() {
			p, err := ps.acquire(t.Context(), fmt.Sprint(i%4), compiling, fake(t, 1))
			if err != nil {
				t.Error(err)
				return
			}
			if p.graph == nil {
				t.Error("a program that is not compiled was handed out")
			}
			ps.release(p)
		})
	}
	wg.Wait()
	if ps.compiled != 4 {
		t.Errorf("%d compilations of 4 programs", ps.compiled)
	}
}

func TestFailedCompilationIsTriedAgain(t *testing.T) {
	var ps programs
	broken := errors.New("broken")
	if _, err := ps.acquire(t.Context(), "a", make(places, 1), func(*program) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	p, err := ps.acquire(t.Context(), "a", make(places, 1), fake(t, 7))
	if err != nil || ps.bytes != 7 || len(ps.held) != 1 {
		t.Errorf("tried again: %v, %d bytes", err, ps.bytes)
	}
	ps.release(p)
}

// A batch is cut into parts of few sizes, which leave nothing out and are filled up only where that is cheap.
func TestCuts(t *testing.T) {
	for _, numbers := range []int{432, 12288, 150528, 1 << 22} {
		for most := range 65 {
			kinds := map[int]bool{}
			for n := 1; n < 150; n++ {
				images, sizes := cuts(n, most, numbers, 200_000)
				sum := 0
				for i, k := range images {
					sum += k
					kinds[sizes[i]] = true
					if k < 1 || k > sizes[i] || most > 0 && sizes[i] > most || (sizes[i]-k)*numbers > 200_000 || most > 0 && sizes[i] > 16 && 2*k < sizes[i] {
						t.Errorf("%d images of %d numbers, %d at once: a part of %d, filled up to %d", n, numbers, most, k, sizes[i])
					}
				}
				if sum != n {
					t.Errorf("%d images, %d at once: parts of %d in all", n, most, sum)
				}
			}
			if most > 0 && len(kinds) > 3 && (most <= 16 || len(kinds) > 4) {
				t.Errorf("%d at once: parts of sizes %v", most, kinds)
			}
		}
	}
}

// The parts of a loop are filled up by an eighth at most, or by less than four images a part, where they are larger than 16.
func TestEven(t *testing.T) {
	for _, numbers := range []int{432, 3072, 12288, 150528} {
		for most := 1; most < 65; most++ {
			for n := 1; n < 300; n++ {
				size := even(n, most, numbers, 200_000)
				images, sizes := cuts(n, size, numbers, 200_000)
				filled := 0
				for i, k := range images {
					filled += sizes[i] - k
				}
				if size > most || size > 16 && 8*filled > n && filled >= 4*len(images) {
					t.Errorf("%d images of %d numbers, %d at once: %d are filled up in parts of %v", n, numbers, most, filled, sizes)
				}
			}
		}
	}
	if got := even(100, 64, 3072, 200_000); got != 52 {
		t.Errorf("100 images are cut into parts of %d, not 52", got)
	}
}

func TestPadded(t *testing.T) {
	v := []float64{1, 2, 3, 4, 5, 6}
	got := tensors.MustCopyFlatData[float64](Each(v[:4], 2).tensor([]int{0, 1}, 4, dtypes.Float64))
	if !slices.Equal(got, []float64{1, 2, 3, 4, 3, 4, 3, 4}) || v[4] != 5 {
		t.Errorf("got %v, and what was padded is now followed by %g", got, v[4])
	}
}
