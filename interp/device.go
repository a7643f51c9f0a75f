package interp

import (
	"context"
	"runtime"
	"sync"

	"github.com/gomlx/compute"
)

// places is room for as many at once as the channel has. Nothing that waits for a place begins after its context's end.
type places chan struct{}

// take waits for a place, which is the caller's to give back.
func (p places) take(ctx context.Context) error {
	select {
	case p <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := ctx.Err()
	if err != nil { // both were ready
		p.give()
	}
	return err
}

func (p places) give() { <-p }

// device bounds what goes on at once on a backend, however many ask and give up. What computes takes all of it, and cannot
// be stopped: so one runs at a time, and holds its place until it is done, even if nobody waits for it any more.
type device struct {
	running   places // one
	compiling places // one for each processor
	ahead     places // one, beside what is waited for
}

// devices has the device of every backend of this process: it is the same one for all models.
var devices sync.Map

func deviceOf(backend compute.Backend) *device {
	d, ok := devices.Load(backend)
	if !ok {
		d, _ = devices.LoadOrStore(backend, &device{make(places, 1), make(places, 1+runtime.GOMAXPROCS(0)), make(places, 1)})
	}
	return d.(*device)
}
