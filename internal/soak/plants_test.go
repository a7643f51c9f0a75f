//go:build unix

package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestLawPlantsAreFound: of each thing that a soak looks for, one in five draws that have faults does a little, and the
// soak says so. Without any it says nothing.
func TestLawPlantsAreFound(t *testing.T) {
	var mu sync.Mutex // Two draws go on at once.
	var kept [][]byte
	var pipes []*os.File
	var end chan struct{}
	started := func(line string) error { return exec.Command("sh", "-c", line).Start() }
	for name, plant := range map[string]struct {
		do    func(ctx context.Context, d *draw) (string, error)
		found string
	}{
		"nothing": {nil, ""},
		"another answer": {func(context.Context, *draw) (string, error) { return "another", nil },
			"the answer is another, and was right"},
		"an error":  {func(context.Context, *draw) (string, error) { return "", errors.New("it fails") }, "it fails"},
		"no answer": {func(context.Context, *draw) (string, error) { <-end; return "right", nil }, "it does not end"},
		"memory": {func(context.Context, *draw) (string, error) {
			block := bytes.Repeat([]byte{1}, 10<<20)
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, block)
			return "right", nil
		}, "resident memory: "},
		"goroutines": {func(context.Context, *draw) (string, error) { go func() { <-end }(); return "right", nil }, "goroutines: "},
		"open files": {func(context.Context, *draw) (string, error) {
			r, w, err := os.Pipe()
			mu.Lock()
			defer mu.Unlock()
			pipes = append(pipes, r, w)
			return "right", err
		}, "open files: "},
		"a file": {func(_ context.Context, d *draw) (string, error) {
			return "right", os.WriteFile(filepath.Join(d.dir, ".answer.1.part"), nil, 0o600)
		}, `files are left: [".answer.1.part"]`},
		"a temporary file": {func(context.Context, *draw) (string, error) {
			f, err := os.CreateTemp("", "planted")
			return "right", errors.Join(err, f.Close())
		}, `files are left: ["planted`},
		"a process":                {func(context.Context, *draw) (string, error) { return "right", started("sleep 100") }, "sleep 100"},
		"a process of its own":     {func(context.Context, *draw) (string, error) { return "right", started("setsid sleep 101 &") }, "sleep 101"},
		"a child nobody waits for": {func(context.Context, *draw) (string, error) { return "right", started("exit 0") }, "a child that nobody waits for"},
	} {
		t.Run(name, func(t *testing.T) {
			end = make(chan struct{})
			right := func(ctx context.Context, d *draw) (string, error) {
				time.Sleep(time.Millisecond)
				if plant.do != nil && d.fault(5) {
					return plant.do(ctx, d)
				}
				return "right", os.WriteFile(filepath.Join(d.dir, "answer"), nil, 0o600)
			}
			s := &soak{tasks: []task{{"planted", 2, []string{"answer"}, right}}, length: time.Second, dir: home.dir, log: t.Logf, patient: 3 * time.Second}
			err := s.run(t.Context())
			if got := fmt.Sprint(err); plant.found == "" && err != nil || !strings.Contains(got, plant.found) {
				t.Errorf("%.2000s, want %s", got, plant.found)
			}
			close(end)
			for _, p := range pipes {
				p.Close()
			}
			kept, pipes = nil, nil
			clean(t)
		})
	}
}

// clean removes what the plants have left.
func clean(t *testing.T) {
	for _, pid := range members(home.dir) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for err := error(nil); err == nil; {
		_, err = syscall.Wait4(-1, nil, 0, nil)
	}
	files, _ := filepath.Glob(filepath.Join(home.temporary(), "*"))
	for _, f := range files {
		if err := os.RemoveAll(f); err != nil {
			t.Error(err)
		}
	}
}
