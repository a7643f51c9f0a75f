package physical

import (
	"errors"
	"fmt"

	"lucigo/interp/render"
)

// Views is a Scene of what a func sees, for solids that are drawn elsewhere (package scenes' Poses.View, for instance).
type Views struct {
	Of     func(seed uint64, i int) (*render.View, error) // view i, which depends on seed and i alone
	Angle  func(seed uint64, i int) float64               // from which it is seen, in degrees, for Shot.Tilt; nil leaves that 0
	Steady Lens                                           // if it is not zero, the lens of every shot; else drawn by AnyLens
}

// Shot implements Scene.
func (v Views) Shot(seed uint64, i int) (*Shot, error) {
	if v.Of == nil {
		return nil, errors.New("physical: Views: Of is nil, must be a func that returns views")
	}
	view, err := v.Of(seed, i)
	if err != nil {
		return nil, fmt.Errorf("physical: shot %d: %w", i, err)
	}
	s := through(v.Steady, view, seed, i)
	if v.Angle != nil {
		s.Tilt = v.Angle(seed, i)
	}
	return s, nil
}
