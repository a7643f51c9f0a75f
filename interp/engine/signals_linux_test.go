package engine_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"lucigo/interp/engine"
)

// A signal that interrupts one of XLA's own threads in a matrix product damages the heap: none does.
func TestXLAThreadsTakeNoSignals(t *testing.T) {
	xlaPlugin(t)
	all, err := engine.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if _, err := gradient(e.Backend); err != nil {
			t.Fatal(err)
		}
	}
	threads, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		field := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			field[name] = strings.TrimSpace(value)
		}
		if !strings.HasPrefix(field["Name"], "tf_") {
			continue
		}
		n++
		blocked, err := strconv.ParseUint(field["SigBlk"], 16, 64)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, s := range []syscall.Signal{syscall.SIGPROF, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD} {
			if blocked>>(s-1)&1 == 0 {
				t.Errorf("thread %s takes %v", field["Name"], s)
			}
		}
	}
	if n == 0 {
		t.Error("XLA has no threads of its own here")
	}
}
