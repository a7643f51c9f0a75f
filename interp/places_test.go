package interp

import (
	"context"
	"testing"
)

// ending is a context that ends between two looks at it.
type ending struct {
	context.Context
	looks int
}

func (e *ending) Err() error {
	if e.looks++; e.looks > 1 {
		return context.Canceled
	}
	return nil
}

// A place is taken, or an error is returned: never both, or the device would be held for ever.
func TestPlacesAreNotLost(t *testing.T) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{context.Background(), done, &ending{Context: context.Background()}} {
		p := make(places, 1)
		if err := p.take(ctx); (err == nil) != (len(p) == 1) {
			t.Errorf("%v: %d places are taken", err, len(p))
		}
	}
}
