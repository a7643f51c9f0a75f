package physical

import (
	"context"
	"fmt"

	"lucigo/interp"
)

// Photos are photographs of a painted surface and what a network says of them.
type Photos struct {
	Images     interp.Images
	Prediction interp.Prediction
	Tilt, Size []float64 // of each shot
}

// Look photographs the paint in n shots of the scene, and asks the network. Where the paint was made with Paint, seed must be
// another than Paint's: then no step has seen a shot.
func Look(ctx context.Context, m *interp.Model, paint interp.Images, scene Scene, seed uint64, n int) (Photos, error) {
	var all Photos
	if n < 1 {
		return all, fmt.Errorf("physical: %d photographs are asked for, must be at least 1", n)
	}
	const part = 64 // whose rays are in memory at once
	for first := 0; first < n; first += part {
		shots, _, x, err := take(ctx, paint, scene, seed, first, min(part, n-first))
		if err != nil {
			return all, err
		}
		if all.Images.N == 0 {
			all.Images = x
		} else if all.Images, err = interp.Join(all.Images, x); err != nil {
			return all, err
		}
		for _, s := range shots {
			all.Tilt, all.Size = append(all.Tilt, s.Tilt), append(all.Size, s.Size)
		}
	}
	var err error
	all.Prediction, err = m.Predict(ctx, all.Images)
	return all, err
}

// Share returns which part of the photographs is read as a class.
func (p Photos) Share(class int) float64 {
	n := 0
	for _, top := range p.Prediction.Top1() {
		if top == class {
			n++
		}
	}
	return float64(n) / float64(p.Images.N)
}
