package scenes

import (
	"context"
	"fmt"

	"lucigo/interp"
)

// Stream is a task's endless stream of scenes as a data set of N numbered images, drawn when they are asked
// for: what package exemplar scans. Its methods are safe for concurrent use.
type Stream struct {
	Task Task
	Seed uint64
	N    int // images
	Size int // height and width; 0 is 64
}

// String describes the scenes.
func (s Stream) String() string {
	return fmt.Sprintf("%d scenes of seed %d, %d×%[3]d, %v", s.N, s.Seed, s.size(), s.Task.Classes())
}

// Len returns N.
func (s Stream) Len() int { return s.N }

// Name says what scene i shows.
func (s Stream) Name(i int) string {
	scene := s.Task.Sample(s.Seed, i)
	return fmt.Sprintf("%v %v #%d", scene.Surface, scene.Shape, i)
}

// Image draws scene i, asked about its class.
func (s Stream) Image(ctx context.Context, i int) (interp.Images, error) {
	if err := ctx.Err(); err != nil {
		return interp.Images{}, err
	}
	return s.Task.Batch([]*Picture{s.Task.Sample(s.Seed, i).Draw(s.size())}), nil
}

// Mask returns which pixels of scene i belong to the object, from 0 to 1.
func (s Stream) Mask(i int) []float64 {
	drawn := s.Task.Sample(s.Seed, i).Draw(s.size()).Mask
	mask := make([]float64, len(drawn))
	for j, v := range drawn {
		mask[j] = float64(v)
	}
	return mask
}

func (s Stream) size() int {
	if s.Size == 0 {
		return 64
	}
	return s.Size
}
