//go:build unix

package kept_test

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
	"lucigo/notebooks/internal/celltest"
	"lucigo/notebooks/kept"
	"lucigo/notebooks/subject"
)

func TestMain(m *testing.M) {
	celltest.Main(m, map[string]func() error{"index": func() error {
		ctx := context.Background()
		n, err := subject.Open(ctx, "scenes-dense")
		if err != nil {
			return err
		}
		if _, err := n.Subject(ctx, "", 1); err != nil { // the backend, from where it is
			return err
		}
		if err := os.Setenv("LUCIGO_CACHE", os.Getenv("SUBJECT_TEST_CACHE")); err != nil {
			return err
		}
		src, err := n.Data("", 40)
		if err != nil {
			return err
		}
		_, err = kept.Index(ctx, n.Model, src, "logits")
		_, again := kept.Index(ctx, n.Model, src, "logits")
		return errors.Join(err, again)
	}})
}

// The line is there before the first images are done; of an index that is kept there is none.
func TestIndexInNotebook(t *testing.T) {
	t.Setenv("SUBJECT_TEST_CACHE", t.TempDir())
	shown, printed, err := celltest.Run(t, "index", true)
	if err != nil || printed != "" || len(shown) < 2 {
		t.Fatalf("%v, %d outputs, printed %q", err, len(shown), printed)
	}
	for i, has := range map[int]string{0: "0 of 40 · ", len(shown) - 1: "40 of 40 · "} {
		if html := fmt.Sprint(shown[i].Data["text/html"]); !strings.Contains(html, has) {
			t.Errorf("output %d is %s", i, html)
		}
	}
	for _, d := range shown {
		if d.DisplayID != shown[0].DisplayID {
			t.Errorf("another line: %v", d.Data)
		}
	}
}

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
	n, err := subject.Open(ctx, "scenes-dense")
	if err != nil {
		t.Fatal(err)
	}
	m := n.Model
	h, w, c := m.Input()
	x := interp.Images{N: 1, H: h, W: w, C: c, Pix: make([]float64, h*w*c)}
	if _, err := m.Predict(ctx, x); err != nil { // the backend, from where it is
		t.Fatal(err)
	}
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	src := grey{Images: x, n: 600, last: 500, once: new(sync.Once), reads: new(atomic.Int64)}
	ix, err := kept.Index(ctx, m, src, "logits")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on from there") {
		t.Fatalf("interrupted: %v", err)
	}
	done, _ := ix.Scanned()
	if done == 0 || done > src.last {
		t.Errorf("%d images when it was interrupted", done)
	}
	src.last = src.n
	src.reads.Store(0)
	if ix, err = kept.Index(ctx, m, src, "logits"); err != nil {
		t.Fatal(err)
	}
	if all, _ := ix.Scanned(); all != src.n || int(src.reads.Load()) != src.n-done {
		t.Errorf("%d of %d images, %d of them read after %d", all, src.n, src.reads.Load(), done)
	}
}
