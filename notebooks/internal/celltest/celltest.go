//go:build unix

// Package celltest runs a test binary as the program of a notebook's cell, with the test in the part of the kernel.
package celltest

import (
	"context"
	"encoding/gob"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// variable names the part of the test binary that runs as a cell.
const variable = "LUCIGO_TEST_CELL"

// Main is for TestMain: it runs the tests, or, where this process is a cell's program, its part. It
// exits as abruptly as a cell does; a part's error is printed and exits with 3.
func Main(m *testing.M, parts map[string]func() error) {
	name := os.Getenv(variable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := parts[name](); err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(3)
	}
	os.Exit(0)
}

// Run runs a part of the test binary as a cell, and returns what it displayed, what it printed and how
// it ended. A kernel that is not alive reads what is sent, and never answers.
func Run(t *testing.T, part string, alive bool) (shown []protocol.DisplayData, printed string, err error) {
	t.Helper()
	gob.Register(map[string]any{}) // as the kernel does
	dir := t.TempDir()
	to, from := filepath.Join(dir, "to"), filepath.Join(dir, "from")
	for _, pipe := range []string{to, from} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+part, protocol.GONB_PIPE_ENV+"="+to, protocol.GONB_PIPE_BACK_ENV+"="+from)
	done := make(chan []protocol.DisplayData, 1)
	go func() { done <- kernel(to, from, alive) }()
	out, err := cmd.CombinedOutput()
	select {
	case shown = <-done:
	case <-time.After(time.Minute):
		t.Fatalf("the program did not open its pipes; it printed %q", out)
	}
	return shown, string(out), err
}

// kernel collects what the cell's program displays until it ends.
func kernel(to, from string, alive bool) (shown []protocol.DisplayData) {
	r, err := os.Open(to)
	if err != nil {
		return nil
	}
	defer r.Close()
	w, err := os.OpenFile(from, os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	defer w.Close()
	in, out := gob.NewDecoder(r), gob.NewEncoder(w)
	for {
		var d protocol.DisplayData
		if in.Decode(&d) != nil {
			return shown
		}
		value, sync := d.Data[protocol.MIMECommValue].(protocol.CommValue)
		if !sync {
			shown = append(shown, d)
		} else if alive {
			out.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value.Value})
		}
	}
}
