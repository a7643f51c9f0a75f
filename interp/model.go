package interp

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp/engine"
	"lucigo/interp/layer"
	"lucigo/interp/near"
)

// Spec says what a Model is.
type Spec struct {
	// Name is the network's name, for captions and errors.
	Name string

	// Forward is the network: from images [N, H, W, C] in [0, 1] to logits [N, len(Classes)].
	Forward layer.Forward

	// Input is the height, width and channels of the images that the whole network takes. Its layers
	// take other sizes too, as far as the network's own arithmetic goes.
	Input [3]int

	// Classes are the names of the classes, in the order of the logits.
	Classes []string

	// Weights are the values of the variables that Forward makes. One that it does not read is an error
	// as soon as the whole network is built.
	Weights Weights

	// Store has the hyperparameters that Forward reads, if it reads any; nil is none.
	Store *model.Store
}

// Model is a classifier under inspection. It never changes: With, Float64, On and Budget return others,
// which share its compiled programs and every tensor that is the same. Safe for concurrent use.
type Model struct {
	spec    Spec
	weights Weights
	place   place // the zero backend is engine.Default, opened at the first run
	budget  int64
	spare   bool // weights that the network does not read are no error
	family  *family
}

// family is what models of one structure share.
type family struct {
	programs programs
	found    sync.Map // what Once keeps
}

// New returns the model of spec. It compiles nothing and opens no backend.
func New(spec Spec) (*Model, error) {
	switch {
	case spec.Name == "":
		return nil, errors.New("interp: Spec.Name is empty, must be the network's name")
	case spec.Forward == nil:
		return nil, fmt.Errorf("interp: %s: Spec.Forward is nil, must be the network", spec.Name)
	case slices.Min(spec.Input[:]) < 1:
		return nil, fmt.Errorf("interp: %s: Spec.Input is %v, must be at least 1×1×1", spec.Name, spec.Input)
	case len(spec.Classes) == 0:
		return nil, fmt.Errorf("interp: %s: Spec.Classes is empty, must name the classes", spec.Name)
	}
	spec.Classes = slices.Clone(spec.Classes)
	m := &Model{spec: spec, weights: maps.Clone(spec.Weights), place: place{dtype: dtypes.Float32}, family: &family{}}
	return m, nil
}

// FromStore returns the model that was trained in a GoMLX store: forward with the store's values, among
// which those of an optimizer may be. Name, Input and Classes are as in Spec.
func FromStore(store *model.Store, name string, forward layer.Forward, input [3]int, classes []string) (*Model, error) {
	w, err := WeightsOf(store)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m, err := New(Spec{Name: name, Forward: forward, Input: input, Classes: classes, Weights: w, Store: store})
	if err != nil {
		return nil, err
	}
	m.spare = true
	return m, nil
}

// Wrapped returns the model of another spec: change is given that of m, with the weights that m has now, and changes it, as to put
// a Forward around m's. The model computes where m does, and shares no program with it.
func (m *Model) Wrapped(change func(spec *Spec)) (*Model, error) {
	spec := m.spec
	spec.Weights, spec.Classes = m.Weights(), m.Classes()
	change(&spec)
	other, err := New(spec)
	if err != nil {
		return nil, err
	}
	other.place, other.budget, other.spare = m.place, m.budget, m.spare
	return other, nil
}

// Name returns the model's name.
func (m *Model) Name() string { return m.spec.Name }

// String returns the model's name, and its precision where it is not float32.
func (m *Model) String() string {
	if m.place.dtype == dtypes.Float64 {
		return m.spec.Name + " in float64"
	}
	return m.spec.Name
}

// Input returns the height, width and channels of the images that the whole network takes.
func (m *Model) Input() (h, w, c int) { return m.spec.Input[0], m.spec.Input[1], m.spec.Input[2] }

// Classes returns the names of the classes.
func (m *Model) Classes() []string { return slices.Clone(m.spec.Classes) }

// ClassName returns the name of class i, or its number where there is no such class.
func (m *Model) ClassName(i int) string {
	if i < 0 || i >= len(m.spec.Classes) {
		return fmt.Sprintf("class %d", i)
	}
	return m.spec.Classes[i]
}

// Class returns the index of the class of the given name. The error for one that does not exist lists
// the near ones.
func (m *Model) Class(name string) (int, error) {
	if i := slices.Index(m.spec.Classes, name); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%s: %w", m.spec.Name, near.Error("class", name, m.spec.Classes))
}

// Weights returns the model's weights.
func (m *Model) Weights() Weights { return maps.Clone(m.weights) }

// With returns the same network with other values for some of its weights. Nothing is compiled again.
func (m *Model) With(changes Weights) (*Model, error) {
	w, err := m.weights.With(changes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	other := *m
	other.weights = w
	return &other, nil
}

// Float64 returns the same network computing in float64.
func (m *Model) Float64() *Model {
	other := *m
	other.place.dtype = dtypes.Float64
	return &other
}

// On returns the same network on the given backend.
func (m *Model) On(backend compute.Backend) *Model {
	other := *m
	other.place.backend = backend
	return &other
}

// Budget returns the same network, whose batches are cut so that a step's working memory stays within
// about the given number of bytes; 0 is 1 GiB, or 8 on a GPU. Results do not depend on the cut.
func (m *Model) Budget(bytes int64) *Model {
	other := *m
	other.budget = bytes
	return &other
}

// at returns where the model computes.
func (m *Model) at() (place, error) {
	p := m.place
	if p.backend == nil {
		e, err := engine.Default()
		if err != nil {
			return p, err
		}
		p.backend = e.Backend
	}
	return p, nil
}

// Layer is a named layer and the shape of its value for one image of the model's input size: rows,
// columns, channels, or only the last where it has no positions.
type Layer struct {
	Name  string
	Shape []int
}

// Layers returns the model's layers in the order of the network. It builds the graph once, and compiles
// nothing. Weights that the network does not have, or does not read, are an error.
func (m *Model) Layers() ([]Layer, error) {
	s, err := m.structure()
	for _, v := range s.variables {
		err = cmp.Or(err, m.fits(v.Path, v.shape))
	}
	if err == nil {
		err = m.unread(s.paths())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.spec.Name, err)
	}
	layers := slices.Clone(s.layers) // whose shapes are kept
	for i := range layers {
		layers[i].Shape = slices.Clone(layers[i].Shape)
	}
	return layers, nil
}

// onGPU says whether the model computes on a GPU.
func (m *Model) onGPU() bool {
	p, err := m.at()
	return err == nil && layer.OnGPU(p.backend)
}

// filling is how many numbers of images cost less than another compilation: about one image of 256×256, or 55 on a GPU,
// which computes them faster and compiles for longer.
func (m *Model) filling() int {
	if m.onGPU() {
		return 11_000_000
	}
	return 200_000
}

// Batch returns how many images of x's size go through a step at once: a power of two, at most 16, or 64 on a GPU or where
// the images are small, whose working memory is within the budget (Room).
func (m *Model) Batch(x Images) int {
	room, filling, n := m.Room(x.Size()), m.filling(), 1
	for 2*n <= room && (n < middling || n < 64 && 2*n*x.Size() <= filling) {
		n *= 2
	}
	return n
}

// Room returns how many times a step's working memory, for an image of so many numbers, is within the budget.
// Measured on GoogLeNet, a gradient takes some 90 numbers for each number of the image.
func (m *Model) Room(numbers int) int {
	const each = 128
	budget := m.budget
	if budget == 0 {
		budget = 1 << 30
		if m.onGPU() {
			budget = 8 << 30
		}
	}
	return int(budget / int64(each*numbers*m.place.dtype.Size()))
}

// catch runs a graph builder, which panics, and returns its panic as an error. A panic that is no error
// of graph building (a nil dereference) goes on.
func catch(build func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	build()
	return nil
}
