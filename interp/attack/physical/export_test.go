package physical

import "lucigo/interp"

// PenaltyOfInks and PenaltyOfVariation are the derivatives that Paint subtracts.
func PenaltyOfInks(k Inks, x interp.Images) []float64 {
	d := make([]float64, len(x.Pix))
	k.add(x, d, 1)
	return d
}

func PenaltyOfVariation(x interp.Images) []float64 {
	d := make([]float64, len(x.Pix))
	variation(x, d, 1)
	return d
}

// Through takes the photograph, and adds the derivative by the paint to into, as a step of Paint does.
func (s *Shot) Through(paint interp.Images, by, into []float64) error {
	_, raw, err := s.take(paint)
	if err == nil {
		s.back(paint, raw, by, into)
	}
	return err
}
