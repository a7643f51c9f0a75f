package scenes

import (
	"slices"
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
}
