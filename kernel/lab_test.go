package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"lucigo/kernel/build"
	"lucigo/kernel/jupyter"
)

// testLab runs the lab command with a script in Jupyter's place, and types Ctrl-C: Jupyter gets one signal.
func testLab(t *testing.T) {
	env, err := labDir()
	if err != nil {
		t.Fatal(err)
	}
	lab := program(env, "jupyter-lab")
	if err := os.MkdirAll(filepath.Dir(lab), 0o777); err != nil {
		t.Fatal(err)
	}
	k, err := build.Find(".")
	if err != nil {
		t.Fatal(err)
	}
	digest := fmt.Sprintf("%x", sha256.Sum256(nil))
	if err := errors.Join(os.WriteFile(k.Completion(), nil, 0o666),
		os.WriteFile(k.Completion()+".sha256", []byte(digest), 0o666)); err != nil { // It would be built.
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	script := `#!/bin/sh
log='` + log + `'
trap 'echo interrupted >> "$log"' INT
trap 'sleep 0.2; echo "terminated" >> "$log"; exit 0' TERM
echo "$@" >> "$log"
for i in $(seq 500); do sleep 0.05; done
`
	if err := os.WriteFile(lab, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "lab", "--no-browser", "--port", "1234")
	cmd.Env = append(os.Environ(), "LUCIGO_TEST_COMMAND=1")
	jupyter.OwnGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		b, _ := os.ReadFile(log)
		return string(b)
	}
	for !strings.Contains(read(), "\n") && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	first, rest, _ := strings.Cut(read(), "\n")
	if !strings.Contains(first, "--port 1234") || !strings.Contains(first, "--no-browser") || rest != "terminated\n" {
		t.Errorf("Jupyter is started with %q, and gets %q", first, rest)
	}
	if runtime.GOOS == "linux" { // By force: Jupyter is told to end all the same.
		os.Remove(log)
		cmd := exec.CommandContext(ctx, os.Args[0], "lab", "--no-browser", "--port", "1234")
		cmd.Env = append(os.Environ(), "LUCIGO_TEST_COMMAND=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for !strings.Contains(read(), "\n") && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
		for !strings.Contains(read(), "terminated") && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
		}
		if !strings.Contains(read(), "terminated") {
			t.Error("Jupyter outlives the command that is killed")
		}
	}
	if _, err := os.Stat(filepath.Join(env, "share", "jupyter", "kernels", "lucigo", "kernel.json")); err != nil {
		t.Error(err)
	}
}
