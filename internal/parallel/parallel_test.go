package parallel

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// onCores runs a test on one core, on two and on more.
func onCores(t *testing.T, test func(t *testing.T, cores int)) {
	for _, cores := range []int{1, 2, 5} {
		t.Run(fmt.Sprintf("cores=%d", cores), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
			test(t, cores)
		})
	}
}

func TestEachOnce(t *testing.T) {
	onCores(t, func(t *testing.T, cores int) {
		for _, n := range []int{0, 1, 2, 7, 1000} {
			calls := make([]atomic.Int32, n)
			var running, most atomic.Int32
			For(n, func(i int) {
				now := running.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				runtime.Gosched()
				calls[i].Add(1)
				running.Add(-1)
			})
			for i := range calls {
				if c := calls[i].Load(); c != 1 {
					t.Errorf("piece %d of %d was done %d times", i, n, c)
				}
			}
			if running.Load() != 0 || int(most.Load()) > cores {
				t.Errorf("%d pieces ran at once on %d cores, and %d still run", most.Load(), cores, running.Load())
			}
		}
	})
}

// Pieces run at the same time: each waits for the other.
func TestAtOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	meet := make(chan int)
	For(2, func(i int) {
		select {
		case meet <- i:
		case <-meet:
		case <-time.After(time.Minute):
			t.Error("one piece waits for the other to end")
		}
	})
}

// The error is that of the first failing piece, also when a later one fails before it.
func TestFirstError(t *testing.T) {
	onCores(t, func(t *testing.T, cores int) {
		for range 100 {
			var calls atomic.Int32
			later := make(chan struct{})
			err := Each(t.Context(), 1000, func(i int) error {
				calls.Add(1)
				switch {
				case i == 3 && cores > 1:
					<-later
				case i == 4:
					close(later)
				case i < 3:
					return nil
				}
				return fmt.Errorf("piece %d", i)
			})
			if err == nil || err.Error() != "piece 3" {
				t.Fatalf("error %v, want that of piece 3", err)
			}
			if n := int(calls.Load()); n < 4 || n > 3+cores {
				t.Fatalf("%d pieces began on %d cores, though the fourth failed", n, cores)
			}
		}
	})
}

func TestContextEnds(t *testing.T) {
	onCores(t, func(t *testing.T, cores int) {
		ctx, cancel := context.WithCancel(t.Context())
		var calls atomic.Int32
		err := Each(ctx, 1000, func(i int) error {
			if calls.Add(1) == 10 {
				cancel()
			}
			return nil
		})
		if n := int(calls.Load()); !errors.Is(err, context.Canceled) || n < 10 || n > 9+cores {
			t.Errorf("error %v after %d calls on %d cores", err, n, cores)
		}
		if err := Each(ctx, 3, func(int) error { t.Error("a piece begins after the end"); return nil }); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		if err := Each(ctx, 1, func(int) error { cancel(); return nil }); err != nil {
			t.Errorf("all is done when ctx ends, and the error is %v", err)
		}
	})
}
