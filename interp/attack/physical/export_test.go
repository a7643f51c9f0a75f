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
