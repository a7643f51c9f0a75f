package interp_test

import (
	"fmt"
	"log"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
)

// edges is a network of one's own: it tells where a picture changes from left to right.
func edges(s *model.Scope, images *Node) *Node {
	x := layer.Conv(s.At("change"), images, 1, layer.Window{Size: [2]int{1, 2}})
	x = layer.At("change", layer.ReLU(x))
	return layer.Dense(s.At("logits"), layer.Flatten(x), 2)
}

// opened returns the network with weights that were chosen by hand.
func opened() *interp.Model {
	weights := interp.Weights{}
	for name, w := range map[string]struct {
		dims []int
		data []float32
	}{
		"/change/weights": {[]int{1, 2, 1, 1}, []float32{-1, 1}},
		"/change/biases":  {[]int{1}, []float32{0}},
		"/logits/weights": {[]int{2, 2}, []float32{1, -1, 0, 2}},
		"/logits/biases":  {[]int{2}, []float32{0, 0}},
	} {
		var err error
		if weights[name], err = interp.NewWeight(w.data, w.dims...); err != nil {
			log.Fatal(err)
		}
	}
	m, err := interp.New(interp.Spec{Name: "edges", Forward: edges, Input: [3]int{1, 3, 1}, Classes: []string{"left", "right"}, Weights: weights})
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// picture is dark on the left.
var picture = interp.Images{N: 1, H: 1, W: 3, C: 1, Pix: []float64{0, 0.5, 0.75}}

// A network of one's own, and what there is to look at.
func ExampleNew() {
	m := opened()
	layers, err := m.Layers()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range layers {
		fmt.Println(l.Name, l.Shape)
	}
	p, err := m.Predict(ctx, picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Name(0), p.Logits.Data)
	// Output:
	// change [1 2 1]
	// left [0.5 0]
}

// A network that was trained in a GoMLX store: here one whose variables are set by hand.
func ExampleFromStore() {
	store := model.NewStore()
	root := store.RootScope()
	change, logits := root.At("change"), root.At("logits")
	change.VariableWithValue("weights", [][][][]float32{{{{-1}}, {{1}}}})
	change.VariableWithValue("biases", []float32{0})
	logits.VariableWithValue("weights", [][]float32{{1, -1}, {0, 2}})
	logits.VariableWithValue("biases", []float32{0, 0})
	m, err := interp.FromStore(store, "edges", edges, [3]int{1, 3, 1}, []string{"left", "right"})
	if err != nil {
		log.Fatal(err)
	}
	g, err := m.Gradient(ctx, objective.Logit, nil, picture)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.ClassName(g.Class[0]), g.Score, g.Pix)
	// Output:
	// left [0.5] [-1 1 0]
}

// largest is the largest value of a layer. Its field is part of what its program is known by.
type largest struct{ layer string }

func (l largest) Build(net *interp.Net, args []*Node) []*Node {
	return []*Node{ReduceAllMax(net.Pass(args[0], nil).Layer(l.layer))}
}

// A computation of one's own inside the network: here the largest value of a layer. New weights, the same program.
func ExampleModel_Run() {
	m := opened()
	for _, slope := range []float32{1, 3} {
		w, err := interp.NewWeight([]float32{-slope, slope}, 1, 2, 1, 1)
		if err != nil {
			log.Fatal(err)
		}
		steeper, err := m.With(interp.Weights{"/change/weights": w})
		if err != nil {
			log.Fatal(err)
		}
		x, err := m.Tensor(picture.Arg())
		if err != nil {
			log.Fatal(err)
		}
		out, err := steeper.Run(ctx, largest{"change"}, nil, x)
		if err != nil {
			log.Fatal(err)
		}
		v, err := out[0].Numbers()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v[0])
		x.Close()
		out[0].Close()
	}
	compiled, _, _ := m.Programs()
	fmt.Println("compiled:", compiled)
	// Output:
	// 0.5
	// 1.5
	// compiled: 1
}
