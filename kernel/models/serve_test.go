package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "lucigo/interp/interptest" // checks programs
	"lucigo/models/scenes"

	"lucigo/interp/attack/api"
)

// TestMain is also the command.
func TestMain(m *testing.M) {
	if os.Getenv("MODELS_TEST_CHILD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), "MODELS_TEST_CHILD=1")
	return c
}

// The command serves a network to another process until it is asked to stop, and then ends well.
func TestServe(t *testing.T) {
	ctx := context.Background()
	c := command(t, "serve", "scenes-dense", "--listen", "127.0.0.1:0", "--scores", "--ledger", filepath.Join(t.TempDir(), "ledger"))
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	_, address, ok := strings.Cut(strings.TrimSpace(line), " is at ")
	if err != nil || !ok {
		t.Fatalf("it says %q, %v", line, err)
	}
	o, err := api.Dial(ctx, address, api.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	m, err := scenes.Dense()
	if err != nil {
		t.Fatal(err)
	}
	x := scenes.Task{}.Images(1, 8, 64)
	x.Class = nil
	got, err := o.Ask(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range p.Top1() {
		if got.Labels[i] != want || len(got.Scores[i]) != len(m.Classes()) {
			t.Errorf("image %d is %d, want %d", i, got.Labels[i], want)
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("asked to stop: %v", err)
	}
}

func TestServeErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, args := range map[string][]string{
		"choose another address": {"scenes-dense", "--listen", l.Addr().String()},
		"scenes-dense":           {"scenes-dens"},
		"no such file":           {"digits:" + filepath.Join(t.TempDir(), "none")},
		"Server.Rate is -1":      {"scenes-dense", "--listen", "127.0.0.1:0", "--rate=-1"},
	} {
		out, err := command(t, append([]string{"serve"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %s %v, want %q", args, out, err, want)
		}
	}
}
