package interp_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
)

// Copies come image after image and copy after copy, each as its image's change writes it, with a key of its own and asked what its
// image is asked, however the batch is cut.
func TestLawCopies(t *testing.T) {
	ctx := context.Background()
	m := interptest.Linear().Float64()
	x := interptest.Images(m, 3, 1).Asked(2, 0, 1).Keyed()
	o := objective.LogitOf(0, 1, 2).Plus(objective.Logit)
	const n = 5
	var wantScores []float64
	var wantKeys []uint64
	for i := range x.N {
		for k := range n {
			y := x.Slice(i, i+1).Free()
			y.Pix = slices.Clone(y.Pix)
			y.Pix[k] += float64(10*i + k)
			s, err := m.Score(ctx, objective.LogitOf(i).Plus(objective.Logit), y)
			if err != nil {
				t.Fatal(err)
			}
			wantScores = append(wantScores, s[0])
		}
	}
	for _, most := range []int64{1, 4000, 1 << 30} { // bytes: copies one by one, a few, all at once
		m := m.Budget(most)
		var changed []int
		var scores []float64
		var keys []uint64
		place := 0
		err := m.Copies(ctx, o, x, n, func(i int) func(k int, dst []float64) {
			changed = append(changed, i)
			return func(k int, dst []float64) {
				copy(dst, x.Of(i))
				dst[k] += float64(10*i + k)
			}
		}, func(o interp.Objective, y interp.Images, of []int) error {
			for _, i := range of {
				if i != place/n {
					t.Errorf("copy %d is said to be of image %d", place, i)
				}
				place++
			}
			s, err := m.Score(ctx, o, y)
			scores, keys = append(scores, s...), append(keys, y.Key...)
			return err
		})
		if err != nil || !(interptest.Distance(scores, wantScores) <= 1e-12) || !slices.Equal(changed, []int{0, 1, 2}) {
			t.Errorf("%d bytes: %v, changed %v, scores %v, want %v", most, err, changed, scores, wantScores)
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(keys), x.Key...))))
		if len(distinct) != x.N*n+x.N || wantKeys != nil && !slices.Equal(keys, wantKeys) {
			t.Errorf("%d bytes: keys %v of images of keys %v", most, keys, x.Key)
		}
		wantKeys = keys
	}
	failed := errors.New("failed")
	if err := m.Copies(ctx, o, x, n, func(int) func(int, []float64) { return func(int, []float64) {} },
		func(interp.Objective, interp.Images, []int) error { return failed }); err != failed {
		t.Errorf("an error of use: %v", err)
	}
}
