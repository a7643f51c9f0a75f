package interp_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

// slow is a backend on which every run waits until it is let go.
type slow struct {
	compute.Backend
	begun chan bool
	let   chan bool
	runs  atomic.Int32
}

func newSlow(t *testing.T) *slow {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		t.Fatal(err)
	}
	return &slow{Backend: backend, begun: make(chan bool, 1000), let: make(chan bool, 1000)}
}

func (s *slow) Builder(name string) compute.Builder { return slowBuilder{s.Backend.Builder(name), s} }

type slowBuilder struct {
	compute.Builder
	of *slow
}

func (b slowBuilder) Compile() (compute.Executable, error) {
	e, err := b.Builder.Compile()
	return slowExecutable{e, b.of}, err
}

type slowExecutable struct {
	compute.Executable
	of *slow
}

func (e slowExecutable) Execute(in []compute.Buffer, donate []bool, d compute.DeviceNum) ([]compute.Buffer, error) {
	e.of.runs.Add(1)
	e.of.begun <- true
	<-e.of.let
	return e.Executable.Execute(in, donate, d)
}

// compilations are of objectives whose graph takes as long to build as the test wants.
type compilations struct {
	begun          atomic.Int32
	first, release chan bool
}

func newCompilations() *compilations {
	return &compilations{first: make(chan bool, 1000), release: make(chan bool)}
}

func (c *compilations) objective(name string) interp.Objective {
	return interp.Objective{Name: name, Form: interp.FormOf(func(p *layer.Pass, _ []*Node) *Node {
		c.begun.Add(1)
		c.first <- true
		<-c.release
		return ReduceMean(p.Images, 1, 2, 3)
	})}
}

// goroutines waits until there are at most so many.
func goroutines(t *testing.T, most int) {
	t.Helper()
	for begin := time.Now(); runtime.NumGoroutine() > most; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%d goroutines are left, want %d", runtime.NumGoroutine(), most)
		}
	}
}

// Of 200 runs that are given up, the one that had begun holds the device; the others, of models of two structures, never
// begin and leave nothing.
func TestRunsThatAreGivenUpDoNotPileUp(t *testing.T) {
	device := newSlow(t)
	models := []*interp.Model{interptest.Branchy().On(device), interptest.Smooth().On(device)}
	for _, m := range models { // so that no compilation is in the way
		device.let <- true
		if _, err := m.Predict(ctx, interptest.Images(m, 1, 1)); err != nil {
			t.Fatal(err)
		}
		<-device.begun
	}
	device.runs.Store(0)
	before := runtime.NumGoroutine()

	ended, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			m := models[i%2]
			if _, err := m.Predict(ended, interptest.Images(m, 1, 1)); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want %v", err, context.Canceled)
			}
		})
	}
	<-device.begun
	cancel()
	wg.Wait() // though the device is not done
	goroutines(t, before+1)

	next := make(chan error)
	go func() {
		_, err := models[1].Predict(ctx, interptest.Images(models[1], 1, 1))
		next <- err
	}()
	select {
	case <-device.begun:
		t.Error("a run began beside one that was given up")
	case <-time.After(50 * time.Millisecond):
	}
	device.let <- true
	<-device.begun
	device.let <- true
	if err := <-next; err != nil {
		t.Error(err)
	}
	if n := device.runs.Load(); n != 2 {
		t.Errorf("%d runs began, want 2", n)
	}
	goroutines(t, before)
}

// Of 200 steps that are given up while they wait for a compilation, those whose compilation had not begun are not
// compiled, and leave nothing.
func TestCompilationsThatAreGivenUpDoNotPileUp(t *testing.T) {
	device := newSlow(t)
	close(device.let)
	m := interptest.Branchy().On(device)
	x := interptest.Images(m, 1, 1)
	c := newCompilations()
	before := runtime.NumGoroutine()
	ended, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := m.Gradient(ended, c.objective(fmt.Sprint(i)), nil, x); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want %v", err, context.Canceled)
			}
		})
	}
	<-c.first
	cancel()
	wg.Wait()
	most := 1 + runtime.GOMAXPROCS(0)
	goroutines(t, before+2*most) // a compilation is a goroutine, and the network in it another
	close(c.release)
	goroutines(t, before)
	if n := int(c.begun.Load()); n > most {
		t.Errorf("%d compilations began, want at most %d", n, most)
	}
	if _, held, _ := m.Programs(); held > most {
		t.Errorf("%d programs are held", held)
	}
	if n := device.runs.Load(); n != 0 {
		t.Errorf("%d runs began, though all had been given up", n)
	}
}

// What gives up a compilation leaves it to those who wait for it too.
func TestAnotherWaitsForACompilationThatIsGivenUp(t *testing.T) {
	device := newSlow(t)
	close(device.let)
	m := interptest.Branchy().On(device)
	x := interptest.Images(m, 1, 1)
	c := newCompilations()
	o := c.objective("slow")
	ended, cancel := context.WithCancel(ctx)
	go func() { <-c.first; cancel() }()
	if _, err := m.Gradient(ended, o, nil, x); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	other := make(chan error)
	go func() {
		_, err := m.Gradient(ctx, o, nil, x)
		other <- err
	}()
	close(c.release)
	if err := <-other; err != nil {
		t.Error(err)
	}
	if compiled, _, _ := m.Programs(); compiled != 1 {
		t.Errorf("%d compilations of one step", compiled)
	}
}
