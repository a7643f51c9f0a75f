package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install"
)

// Much of an engine is decided once per process, by its environment. So the test binary starts itself again as a
// child that opens the default engine, computes a gradient and reports.

const envChild = "LUCIGO_ENGINE_TEST_CHILD"

// A report is what a child has to say.
type report struct {
	Err      string
	Kind     string
	Name     string
	Notice   string
	Gradient []float32
	Cache    engine.CacheStats

	stdout string // besides the report
}

func TestMain(m *testing.M) {
	if os.Getenv(envChild) != "" {
		child()
		return
	}
	os.Exit(m.Run())
}

const reportMark = "\nREPORT "

func child() {
	var r report
	e, err := engine.Default()
	if err == nil {
		r.Kind, r.Name, r.Notice = e.Kind().String(), e.String(), e.Notice()
		r.Gradient, err = gradient(e.Backend)
		r.Cache = e.CacheStats()
	}
	if err != nil {
		r.Err = err.Error()
	}
	out, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	fmt.Print(reportMark, string(out))
}

// gradient compiles and runs x ↦ d/dx Σ x³ at 1, 2, 3.
func gradient(backend compute.Backend) ([]float32, error) {
	exec, err := graph.NewExec(backend, func(x *graph.Node) *graph.Node {
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(x, graph.Mul(x, x))), x)[0]
	})
	if err != nil {
		return nil, err
	}
	out, err := exec.Call([]float32{1, 2, 3})
	if err != nil {
		return nil, err
	}
	return tensors.CopyFlatData[float32](out[0])
}

var wantGradient = []float32{3, 12, 27}

// run starts a child with these variables, and with none of the others that the engine reads, and wants it to write
// nothing on standard error: what lands there in a notebook looks like a failure.
func run(t testing.TB, env ...string) report {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		ours := strings.HasPrefix(name, "LUCIGO_") && name != "LUCIGO_CACHE"
		if !ours && !strings.HasPrefix(name, "XLA_") && !strings.HasPrefix(name, "TF_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, envChild+"=1", "GOMLX_NO_AUTO_INSTALL=1")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("the child died: %v\n%s\n%s", err, &stdout, &stderr)
	}
	if stderr.Len() > 0 {
		t.Errorf("the child wrote on standard error:\n%s", &stderr)
	}
	var r report
	rest, text, _ := strings.Cut(stdout.String(), reportMark)
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("no report: %v\n%s", err, &stdout)
	}
	r.stdout = rest
	return r
}

// right fails unless the child computed the gradient.
func (r report) right(t testing.TB) report {
	t.Helper()
	if r.Err != "" || !slices.Equal(r.Gradient, wantGradient) {
		t.Errorf("gradient %v, error %q; want %v", r.Gradient, r.Err, wantGradient)
	}
	return r
}

// counts fails unless the child's cache counted so.
func (r report) counts(t testing.TB, hits, misses, refused, stored int) {
	t.Helper()
	r.right(t)
	if c := r.Cache; c.Hits != hits || c.Misses != misses || c.Refused != refused || c.Stored != stored {
		t.Errorf("hits %d, misses %d, refused %d, stored %d (%s); want %d, %d, %d, %d",
			c.Hits, c.Misses, c.Refused, c.Stored, c.Problem, hits, misses, refused, stored)
	}
}

// xlaPlugin returns the file of the plugin for the processor, or skips the test where there is none.
func xlaPlugin(t testing.TB) string {
	t.Helper()
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind() == engine.XLACPU {
			return e.PluginFile()
		}
	}
	t.Skip("XLA is not on this machine: ", all[0].Notice())
	return ""
}
