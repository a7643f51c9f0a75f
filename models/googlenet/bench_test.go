package googlenet

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// BenchmarkOpen reads the weights of a file that the system has in memory.
func BenchmarkOpen(b *testing.B) {
	path := weightFile(b)
	for b.Loop() {
		if _, err := Open(path); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGradient is the gradient of a logit at the image, from pixels on the host to numbers on the
// host, once everything is compiled.
func BenchmarkGradient(b *testing.B) {
	interptest.Unchecked()
	m := open(b)
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprintf("batch%d", n), func(b *testing.B) {
			x := interptest.ImagesOf(n, Size, Size, 3, 1).Asked(340)
			gradient := func() {
				if _, err := m.Gradient(b.Context(), objective.Logit, nil, x); err != nil {
					b.Fatal(err)
				}
			}
			gradient()
			for b.Loop() {
				gradient()
			}
		})
	}
}

// BenchmarkSmoothGrad is SmoothGrad with its defaults, 50 noisy copies of one image.
func BenchmarkSmoothGrad(b *testing.B) {
	interptest.Unchecked()
	m := open(b)
	x := interptest.ImagesOf(1, Size, Size, 3, 1).Asked(340)
	smooth := func() {
		if _, err := (saliency.SmoothGrad{}).Maps(b.Context(), m, objective.Logit, x); err != nil {
			b.Fatal(err)
		}
	}
	smooth()
	for b.Loop() {
		smooth()
	}
}

// child is set in the processes that BenchmarkWarmProcess starts, to the weight file.
const child = "GOOGLENET_BENCHMARK_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(child); path != "" {
		if err := oneGradient(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// oneGradient does what a cell does, and prints how many seconds each stage took.
func oneGradient(path string) error {
	interptest.Unchecked()
	at := time.Now()
	stage := func(name string) {
		fmt.Printf("%s %g\n", name, time.Since(at).Seconds())
		at = time.Now()
	}
	m, err := Open(path)
	if err != nil {
		return err
	}
	stage("weights")
	if _, err := engine.Default(); err != nil {
		return err
	}
	stage("backend")
	x := interp.Images{N: 1, H: Size, W: Size, C: 3, Pix: make([]float64, Size*Size*3)}.Asked(340)
	if _, err := m.Gradient(context.Background(), objective.Logit, nil, x); err != nil {
		return err
	}
	stage("first-gradient")
	if _, err := m.Gradient(context.Background(), objective.Logit, nil, x); err != nil {
		return err
	}
	stage("second-gradient")
	return nil
}

// BenchmarkWarmProcess is a new process that opens the network and takes one input gradient, with the
// weights in the system's memory and the compiled program in the compile cache: ns/op is from its start to
// its first gradient.
func BenchmarkWarmProcess(b *testing.B) {
	path := weightFile(b)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	run := func() (total time.Duration, stages map[string]float64) {
		cmd := exec.CommandContext(b.Context(), self)
		cmd.Env = append(os.Environ(), child+"="+path)
		begin := time.Now()
		out, err := cmd.Output()
		total = time.Since(begin)
		if err != nil {
			b.Fatalf("%s: %v", filepath.Base(self), err)
		}
		stages = map[string]float64{}
		for line := range strings.Lines(string(out)) {
			var name string
			var seconds float64
			if _, err := fmt.Sscan(line, &name, &seconds); err == nil {
				stages[name] = seconds
			}
		}
		return total - time.Duration(stages["second-gradient"]*1e9), stages
	}
	run() // fills the compile cache
	var sum time.Duration
	split := map[string]float64{}
	n := 0
	for b.Loop() {
		total, stages := run()
		n++
		sum += total
		for name, s := range stages {
			split[name] += s
		}
	}
	b.ReportMetric(float64(sum.Nanoseconds())/float64(n), "ns/op")
	for name, s := range split {
		b.ReportMetric(1e3*s/float64(n), name+"-ms")
	}
}
