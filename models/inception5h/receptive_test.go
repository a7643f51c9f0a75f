package inception5h

import (
	"testing"

	"lucigo/interp/receptive"
)

// What units see, by hand: a window of size k adds (k − 1)·jump to the size and moves the start by pad·jump,
// and a stride multiplies the jump. SAME pads where a stride is 2 one pixel less before than after. In a
// block the way with the 5×5 window sees most.
func TestReceptiveField(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the whole network")
	}
	m, err := Open(write(t, graphFile, graph(t)))
	if err != nil {
		t.Fatal(err)
	}
	size, jump, start := 1, 1, 0
	window := func(k, stride, pad int) {
		size, start, jump = size+(k-1)*jump, start-pad*jump, jump*stride
	}
	check := func(layer string) {
		t.Helper()
		f, err := receptive.FieldOf(t.Context(), m, layer)
		if err != nil {
			t.Fatal(err)
		}
		if want := (receptive.Field{Layer: layer, Size: [2]int{size, size}, Jump: [2]int{jump, jump}, Start: [2]int{start, start}}); f != want {
			t.Errorf("%s, by hand %s", f, want)
		}
	}
	block := func() { window(5, 1, 2) }
	window(7, 2, 2)
	check("conv2d0")
	window(3, 2, 0)
	check("maxpool0")
	window(3, 1, 1)
	check("conv2d2")
	window(3, 2, 0)
	block()
	check("mixed3a")
	block()
	check("mixed3b")
	window(3, 2, 0)
	for range 5 {
		block()
	}
	check("mixed4e")
	window(3, 2, 0)
	block()
	block()
	check("mixed5b")
}
