package saliency

import (
	"context"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/layer"
)

// LRP is layer-wise relevance propagation: Bach et al., PLoS ONE 2015. Its map is the relevance of each number of the image,
// as layer.LRP shares it out, from the score down. What biases take is missing from the sum. The zero value is the ε-rule
// everywhere; layer.EpsilonPlus and layer.EpsilonGammaBox are what is in use for convolutional networks.
//
// It is what the gradient under the rule is: no multiplication by the image is left to do.
type LRP struct {
	Rule layer.LRP
}

// String names the rule of each kind of layer.
func (l LRP) String() string { return l.Rule.String() }

// Maps implements Method.
func (l LRP) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	return m.Gradient(ctx, o, l.Rule, x)
}

// DeepLIFT is what each number's difference from a baseline has of the score's difference: Shrikumar, Greenside and Kundaje,
// arXiv:1704.02685, by the rescale rule (layer.Rescale). The numbers of a map sum up to the score of the image minus that of
// the baseline, if the score is linear in a layer, as a logit is: what an objective makes of the network's values, like the
// probability of a class, has its own derivative.
type DeepLIFT struct {
	// Baseline has one number a channel, or a whole image, or one image for each; nil is black.
	Baseline []float64
}

// String names the method and its baseline.
func (d DeepLIFT) String() string { return "DeepLIFT(" + baselineName(d.Baseline) + ")" }

// Maps implements Method.
func (d DeepLIFT) Maps(ctx context.Context, m *interp.Model, o interp.Objective, x interp.Images) (interp.Maps, error) {
	base, err := baseline(d.Baseline, x)
	if err != nil {
		return interp.Maps{}, err
	}
	if x, err = m.Resolve(ctx, o, x); err != nil {
		return interp.Maps{}, err
	}
	l, err := loop(m, o, x, max(m.Batch(x)/2, 1), base.Arg()) // half of those that go through at once are references
	if err != nil {
		return interp.Maps{}, err
	}
	defer l.Close()
	r, err := l.Look(ctx, rescaled{o.Form}, layer.Rescale)
	if err != nil {
		return interp.Maps{}, err
	}
	out := x.Like()
	out.Score = r[1].Data
	for p, v := range r[0].Data {
		out.Pix[p] = v * (x.Pix[p] - base.Pix[p])
	}
	if !o.AsksClass() {
		out.Class = nil
	}
	return out, finite(out, "the images")
}

// rescaled is the multiplier of each number of the image against that of the reference, and the image's score.
type rescaled struct{ form interp.Form }

func (s rescaled) Build(net *interp.Net, a []*graph.Node) []*graph.Node {
	score := interp.Score(s.form, net.Beside(a[0], a[1]), a[2:])
	return []*graph.Node{graph.Gradient(graph.ReduceAllSum(score), a[0])[0], score}
}
