//go:build unix

package exemplar_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"

	"lucigo/interp"
	"lucigo/interp/exemplar"
	"lucigo/interp/interptest"
)

// zeiler are layers 1 to 5.
var zeiler = []string{"conv1/7x7_s2", "conv2/3x3", "mixed3b", "mixed4c", "mixed5b"}

// processor is the processor time that the process has used.
func processor(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkScan compares a scan of photographs on disk with a bare forward run of the same ones in memory,
// in turn; by the clock, and, for a machine that does other work too, by processor time. Photographs are
// 224×224 of 256, the batch 16.
func BenchmarkScan(b *testing.B) {
	interptest.Unchecked()
	ctx := context.Background()
	m, all := photographs(b)
	const batch, batches = 16, 10
	src := some{all, batch * batches}
	var inputs []*interp.Tensor
	for i := range batches {
		var images []interp.Images
		for j := range batch {
			x, err := src.Image(ctx, i*batch+j)
			if err != nil {
				b.Fatal(err)
			}
			images = append(images, x)
		}
		x, err := interp.Join(images...)
		if err != nil {
			b.Fatal(err)
		}
		t, err := m.Tensor(x.Arg())
		if err != nil {
			b.Fatal(err)
		}
		inputs = append(inputs, t)
	}
	forward := interp.StepOf(func(net *interp.Net, a []*Node) []*Node { return []*Node{net.Pass(a[0], nil).Logits()} })
	bare := func() {
		for _, x := range inputs {
			out, err := m.Run(ctx, forward, nil, x)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := out[0].Numbers(); err != nil {
				b.Fatal(err)
			}
			out[0].Close()
		}
	}
	scan := func() {
		if _, err := (exemplar.Scan{Layers: zeiler, Batch: batch}).Run(ctx, m, src); err != nil {
			b.Fatal(err)
		}
	}
	bare()
	scan()
	var spent, cpu [2]time.Duration
	rounds := 0
	for b.Loop() {
		for i, f := range []func(){bare, scan} {
			start, used := time.Now(), processor(b)
			f()
			spent[i] += time.Since(start)
			cpu[i] += processor(b) - used
		}
		rounds++
	}
	images := float64(rounds * src.n)
	b.ReportMetric(images/spent[0].Seconds(), "bare-images/s")
	b.ReportMetric(images/spent[1].Seconds(), "scan-images/s")
	b.ReportMetric(spent[0].Seconds()/spent[1].Seconds(), "of-bare")
	b.ReportMetric(cpu[0].Seconds()/cpu[1].Seconds(), "of-bare-by-cpu")
}

// BenchmarkScanParts tells what a photograph costs besides the network: reading it, on one core.
func BenchmarkScanParts(b *testing.B) {
	interptest.Unchecked()
	_, src := photographs(b)
	i := 0
	for b.Loop() {
		if _, err := src.Image(context.Background(), i%src.Len()); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
