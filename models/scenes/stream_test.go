package scenes

import (
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
)

var _ interp.Source = Stream{}

func TestStream(t *testing.T) {
	s := Stream{Seed: 4, N: 20, Size: 32}
	want := s.Task.Images(4, 20, 32)
	for i := range s.Len() {
		got, err := s.Image(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		if w := want.Slice(i, i+1); !slices.Equal(got.Pix, w.Pix) || got.Class[0] != w.Class[0] || got.Key[0] != w.Key[0] {
			t.Errorf("scene %d is another", i)
		}
	}
	scene := s.Task.Sample(4, 7)
	if want := scene.Surface.String() + " " + scene.Shape.String() + " #7"; s.Name(7) != want {
		t.Errorf("%s, want %s", s.Name(7), want)
	}
	if other := (Stream{Seed: 5, N: 20, Size: 32}); other.String() == s.String() {
		t.Errorf("another seed, the same %s", s)
	}
	for _, c := range []struct {
		s    Stream
		i    int
		says string
	}{
		{s, -1, "scenes: the image is number -1, must be from 0 to 19"},
		{s, 20, "number 20"},
		{Stream{N: 1, Size: -1}, 0, "Size is -1"},
	} {
		if _, err := c.s.Image(t.Context(), c.i); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("image %d of %v: %v", c.i, c.s, err)
		}
	}
}
