package googlenet_test

import (
	"testing"

	"lucigo/interp/interptest"
	"lucigo/interp/receptive"
	"lucigo/models/googlenet"
)

// What units see, by hand: a window of size k adds (k − 1)·jump to the size and moves the start by pad·jump,
// and a stride multiplies the jump. In a block the way with the 5×5 window sees most.
func TestReceptiveField(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the whole network")
	}
	m := interptest.Model("GoogLeNet", googlenet.Forward, [3]int{googlenet.Size, googlenet.Size, 3}, googlenet.Classes, 1)
	size, jump, start := 1, 1, 0
	window := func(k, stride, pad int) {
		size, start, jump = size+(k-1)*jump, start-pad*jump, jump*stride
	}
	check := func(layer string, channels ...int) {
		t.Helper()
		f, err := receptive.FieldOf(t.Context(), m, layer, channels...)
		if err != nil {
			t.Fatal(err)
		}
		if want := (receptive.Field{Layer: layer, Size: [2]int{size, size}, Jump: [2]int{jump, jump}, Start: [2]int{start, start}}); f != want {
			t.Errorf("%s, by hand %s", f, want)
		}
	}
	block := func() { window(5, 1, 2) }
	window(7, 2, 3)
	check("conv1/7x7_s2")
	window(3, 2, 0)
	check("pool1/3x3_s2")
	window(3, 1, 1)
	check("conv2/3x3")
	window(3, 2, 0)
	before := [3]int{size, jump, start}
	block()
	check("mixed3a")
	size, jump, start = before[0], before[1], before[2]
	check("mixed3a", 0, 63) // the branch of 1×1
	block()
	block()
	check("inception_3b/output")
	window(3, 2, 0)
	for range 5 {
		block()
	}
	check("mixed4e")
	window(3, 2, 0)
	block()
	block()
	check("mixed5b") // sees more than the image
}
