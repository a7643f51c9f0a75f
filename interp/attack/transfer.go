package attack

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lucigo/interp"
	"lucigo/interp/random"
)

// Transfer is what networks say of images that were attacked with others, arXiv:1312.6199, section 4.2: the attack was made on
// the network of a row, and its images were shown to that of a column.
type Transfer struct {
	Attack   string
	Ball     Ball
	From, To []string
	Cells    [][]Passed // row by row
}

// Passed is what a network says of images that were attacked with another. Shares are NaN where there are no images.
type Passed struct {
	Images int     // that both networks get right as they are; the others do not count
	Fooled float64 // share of them for which the goal is met by the attacked image
	Noise  float64 // the same by noise as long as what the attack added, in every norm
}

// scrambling sets the noise's random numbers apart from those of attacks.
const scrambling = 1 << 63

// Transfer attacks each of the networks from with images of known classes, and shows what comes of it to each of the networks
// to. Attacked images count whether or not they fool the network that they were made with. An attack that stops at the first
// success, as PGD does unless it is Full, ends just over the border of one network and need not be over that of another. With
// an error, the rows that are done are returned.
func (j Judge) Transfer(ctx context.Context, a Attack, from, to []*interp.Model, x interp.Images) (Transfer, error) {
	r := Transfer{Ball: j.Ball}
	switch {
	case a == nil:
		return r, errors.New("attack: the attack is nil")
	case len(from) == 0 || len(to) == 0:
		return r, fmt.Errorf("attack: transfer is from %d networks to %d, must be from at least one to at least one", len(from), len(to))
	case x.Class == nil:
		return r, errors.New("attack: Images.Class is nil, and transfer needs the true classes: what one network says is no truth for another")
	}
	r.Attack, x = a.String(), x.Keyed()
	for _, m := range append(slices.Clone(from), to...) {
		if len(m.Classes()) != len(to[0].Classes()) {
			return r, fmt.Errorf("attack: %s has %d classes and %s has %d, and transfer is between networks of the same classes",
				m, len(m.Classes()), to[0], len(to[0].Classes()))
		}
	}
	clean := make([][]int, len(to))
	for k, m := range to {
		r.To = append(r.To, m.Name())
		p, err := m.Predict(ctx, x)
		if err != nil {
			return r, err
		}
		clean[k] = p.Top1()
	}
	for _, m := range from {
		made, err := j.Try(ctx, m, a, x)
		if err != nil {
			return r, err
		}
		noise := made.Images
		noise.Pix = nil
		for i := range x.N {
			s := random.New(j.Seed, x.Key[i], scrambling)
			noise.Pix = append(noise.Pix, scrambled(s, x.Of(i), made.Images.Of(i), x.C)...)
		}
		var row []Passed
		for k, m := range to {
			attacked, err := m.Predict(ctx, made.Images)
			if err != nil {
				return r, err
			}
			disturbed, err := m.Predict(ctx, noise)
			if err != nil {
				return r, err
			}
			row = append(row, passed(made.Verdicts, clean[k], attacked.Top1(), disturbed.Top1()))
		}
		r.From, r.Cells = append(r.From, m.Name()), append(r.Cells, row)
	}
	return r, nil
}

// passed counts what a network answers to images as they are, attacked, and with noise.
func passed(verdicts []Verdict, clean, attacked, disturbed []int) (p Passed) {
	var fooled, noise int
	for i, v := range verdicts {
		if v.Wrong || clean[i] != v.Class {
			continue
		}
		p.Images++
		met := func(answer int) bool { return answer == v.Target || v.Target < 0 && answer != v.Class }
		if met(attacked[i]) {
			fooled++
		}
		if met(disturbed[i]) {
			noise++
		}
	}
	p.Fooled, p.Noise = float64(fooled)/float64(p.Images), float64(noise)/float64(p.Images)
	return p
}

// scrambled returns x with the differences of y at random pixels and with random signs: noise as long as y−x in every norm.
// Where [0, 1] leaves no room for a difference it takes the other sign.
func scrambled(s random.Stream, x, y []float64, channels int) []float64 {
	z := slices.Clone(x)
	pixels := len(x) / channels
	for p, q := range shuffled(s, pixels, pixels) {
		for c := range channels {
			i := p*channels + c
			d := y[q*channels+c] - x[q*channels+c]
			if s.Bits(pixels+i)&1 == 0 {
				d = -d
			}
			if z[i] += d; z[i] < 0 || z[i] > 1 {
				z[i] = min(max(x[i]-d, 0), 1)
			}
		}
	}
	return z
}

// shuffled returns n numbers of which the first k are drawn at random from 0 to n−1 without repetition (Fisher and Yates).
func shuffled(s random.Stream, n, k int) []int {
	order := make([]int, n)
	for p := range order {
		order[p] = p
	}
	for p := range k {
		q := p + s.Intn(p, n-p)
		order[p], order[q] = order[q], order[p]
	}
	return order
}
