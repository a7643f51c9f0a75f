package receptive_test

import (
	"image"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/receptive"
	"lucigo/models/scenes"
)

func TestReceptiveFieldOfScenes(t *testing.T) {
	inception := interptest.Model("mini-Inception", scenes.MiniInception(scenes.ConvReLU, 16), [3]int{64, 64, 3}, 16, 1)
	convs := interptest.Model("all convolutional", scenes.AllConvolutional(scenes.ConvReLU, 16), [3]int{64, 64, 3}, 16, 1)
	dense := interptest.Model("dense", scenes.FullyConnected(scenes.Hidden, 16), [3]int{64, 64, 3}, 16, 1)
	for _, c := range []struct {
		m                 *interp.Model
		layer             string
		size, jump, start int
	}{
		{inception, "conv1", 7, 2, -3},
		{inception, "conv2", 7 + 2*2 + 2*4, 4, -3 - 2 - 4},
		{inception, "mixed3b", 19 + 2*4*4, 4, -9 - 2*2*4},
		{inception, "mixed5a", 51 + 2*4 + 3*4*8, 8, -25 - 4 - 3*2*8},
		{convs, "conv1", 5, 1, -2},
		{convs, "conv4", 5 + 2 + 2*2 + 2*4, 4, -2 - 1 - 2 - 4},
		{convs, "conv7", 19 + 2*4 + 2*8, 8, -9 - 4 - 8},
		{inception, "logits", 64, 0, 0},
		{dense, "hidden", 64, 0, 0},
	} {
		f, err := receptive.FieldOf(ctx, c.m, c.layer)
		if err != nil {
			t.Fatal(err)
		}
		want := receptive.Field{Layer: c.layer, Size: [2]int{c.size, c.size}, Jump: [2]int{c.jump, c.jump}, Start: [2]int{c.start, c.start}}
		if f != want {
			t.Errorf("%s: %s, by hand: %s", c.m, f, want)
		}
	}
	s, err := receptive.SupportOf(ctx, dense, "hidden", 64, 64)
	if err != nil {
		t.Fatal(err)
	}
	if s.Rect(0, 0) != image.Rect(0, 0, 64, 64) {
		t.Errorf("a dense unit sees %v", s.Rect(0, 0))
	}
}
