// Peers measures BVLC GoogLeNet here and in PyTorch with captum, interleaved, and prints a Markdown table:
//
//	go run ./testdata/peers -weights bvlc_googlenet.safetensors -python PYTHON
//
// PYTHON is an interpreter with torch, captum and safetensors. Both sides live in processes of their own,
// and one waits while the other works.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"lucigo/interp"
	"lucigo/interp/attack/physical"
	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/models/googlenet"
)

var rows = []string{"forward 1", "forward 8", "forward 32", "gradient 1", "gradient 8", "gradient 32", "smooth", "integrated", "photographs"}

func main() {
	weights := flag.String("weights", "", "the file of BVLC GoogLeNet's weights")
	python := flag.String("python", "python3", "an interpreter with torch, captum and safetensors")
	script := flag.String("script", "testdata/peers/googlenet.py", "PyTorch's side")
	device := flag.String("device", "cpu", "PyTorch's device: cpu or cuda")
	rounds := flag.Int("rounds", 7, "measurements of each side and row, after one that is not counted")
	serve := flag.Bool("serve", false, "be this side: answer names of rows on standard input")
	flag.Parse()
	run := func() error { return table(*weights, *python, *script, *device, *rounds) }
	if *serve {
		run = func() error { return answer(*weights) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// table measures every row on both sides in turn.
func table(weights, python, script, device string, rounds int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ours, err := start(self, "-serve", "-weights", weights)
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := start(python, script, weights, device)
	if err != nil {
		return err
	}
	defer theirs.stop()
	fmt.Printf("%s, %s\n\n| median ms (least–greatest of %d) | LuciGo | PyTorch, captum | ratio |\n|---|---|---|---|\n", processor(), device, rounds)
	for _, row := range rows {
		var ms [2][]float64
		for round := range rounds + 1 {
			for i, side := range []*side{ours, theirs} {
				t, err := side.ask(row)
				if err != nil {
					return fmt.Errorf("%s: %w", row, err)
				}
				if round > 0 { // the first compiles here and chooses the fastest setting there
					ms[i] = append(ms[i], t)
				}
			}
		}
		for i := range ms {
			slices.Sort(ms[i])
		}
		us, them := ms[0][rounds/2], ms[1][rounds/2]
		fmt.Printf("| %s | %.0f (%.0f–%.0f) | %.0f (%.0f–%.0f) | %.2f |\n", row,
			us, ms[0][0], ms[0][rounds-1], them, ms[1][0], ms[1][rounds-1], them/us)
	}
	us, err := ours.ask("memory")
	if err != nil {
		return err
	}
	them, err := theirs.ask("memory")
	if err != nil {
		return err
	}
	fmt.Printf("| peak memory of all, MiB | %.0f | %.0f | %.2f |\n", us, them, them/us)
	return nil
}

// side is a process that measures what it is asked.
type side struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func start(name string, args ...string) (*side, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &side{cmd, in, bufio.NewScanner(out)}, cmd.Start()
}

func (s *side) ask(row string) (number float64, err error) {
	if _, err := fmt.Fprintln(s.in, row); err != nil {
		return 0, err
	}
	if !s.out.Scan() {
		return 0, fmt.Errorf("%s ended", s.cmd.Path)
	}
	_, err = fmt.Sscan(s.out.Text(), &number)
	return number, err
}

func (s *side) stop() {
	s.in.Close()
	s.cmd.Wait()
}

// answer is this side.
func answer(weights string) error {
	ctx := context.Background()
	m, err := googlenet.Open(weights)
	if err != nil {
		return err
	}
	if _, err := engine.Default(); err != nil {
		return err
	}
	seed := uint64(0)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "memory" {
			var used syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
				return err
			}
			fmt.Println(float64(used.Maxrss) / 1024)
			continue
		}
		what, n := lines.Text(), 1
		fmt.Sscanf(lines.Text(), "%s %d", &what, &n)
		x := interp.Images{N: n, H: googlenet.Size, W: googlenet.Size, C: 3, Pix: make([]float64, n*googlenet.Size*googlenet.Size*3)}
		for i := range x.Pix {
			x.Pix[i] = float64(i*7919%1000) / 1000
		}
		x = x.Asked(340)
		begin := time.Now()
		switch what {
		case "forward":
			_, err = m.Predict(ctx, x)
		case "gradient":
			_, err = m.Gradient(ctx, objective.Logit, nil, x)
		case "smooth":
			_, err = saliency.SmoothGrad{}.Maps(ctx, m, objective.Logit, x)
		case "integrated":
			_, err = saliency.IntegratedGradients{}.Maps(ctx, m, objective.Logit, x)
		case "photographs":
			seed++
			_, err = physical.Paint{Steps: 1, Seed: seed}.Fit(ctx, m, objective.LogProbOf(340), x, physical.Camera{H: x.H, W: x.W})
		default:
			err = fmt.Errorf("no row %q", what)
		}
		if err != nil {
			return err
		}
		fmt.Println(1e3 * time.Since(begin).Seconds())
	}
	return lines.Err()
}

// processor is the name that the system has for the processor.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	name, n := "a processor of unknown name", 0
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			name = strings.TrimSpace(value)
			n++
		}
	}
	return fmt.Sprintf("%s, %d cores", name, n)
}
