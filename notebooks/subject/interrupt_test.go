//go:build unix

package subject_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"lucigo/interp"
	"lucigo/notebooks/subject"
)

// grey is a data set of which image last, if there is one, interrupts the program and never comes.
type grey struct {
	interp.Images
	n, last int
	once    *sync.Once
	reads   *atomic.Int64
}

func (d grey) String() string    { return "grey" }
func (d grey) Len() int          { return d.n }
func (d grey) Name(i int) string { return fmt.Sprint(i) }

func (d grey) Image(ctx context.Context, i int) (interp.Images, error) {
	if i >= d.last {
		d.once.Do(func() { _ = syscall.Kill(os.Getpid(), syscall.SIGINT) })
		<-ctx.Done()
		return interp.Images{}, ctx.Err()
	}
	d.reads.Add(1)
	x := d.Images
	x.Key = []uint64{uint64(i)}
	return x, nil
}

// An interrupt ends a scan, and all that had been looked at is in the index.
func TestIndexIsInterrupted(t *testing.T) {
	ctx := context.Background()
	m, err := subject.Network(ctx, "scenes-dense")
	if err != nil {
		t.Fatal(err)
	}
	h, w, c := m.Input()
	x := interp.Images{N: 1, H: h, W: w, C: c, Pix: make([]float64, h*w*c)}
	if _, err := m.Predict(ctx, x); err != nil { // the backend, from where it is
		t.Fatal(err)
	}
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	src := grey{Images: x, n: 600, last: 500, once: new(sync.Once), reads: new(atomic.Int64)}
	ix, err := subject.Index(ctx, m, src, "logits")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("interrupted: %v", err)
	}
	done, _ := ix.Scanned()
	if done == 0 || done > src.last {
		t.Errorf("%d images when it was interrupted", done)
	}
	src.last = src.n
	src.reads.Store(0)
	if ix, err = subject.Index(ctx, m, src, "logits"); err != nil {
		t.Fatal(err)
	}
	if all, _ := ix.Scanned(); all != src.n || int(src.reads.Load()) != src.n-done {
		t.Errorf("%d of %d images, %d of them read after %d", all, src.n, src.reads.Load(), done)
	}
}
