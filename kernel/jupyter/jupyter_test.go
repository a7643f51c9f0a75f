package jupyter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lucigo/internal/proc"
	"lucigo/internal/project"
	"lucigo/kernel/build"
	"lucigo/kernel/jupyter/jupytertest"
)

// TestMain lets the test program be a kernel, and a program that runs one.
func TestMain(m *testing.M) {
	jupytertest.Main()
	if flag := os.Getenv("RUNS_A_KERNEL"); flag != "" {
		runKernel(flag)
	}
	os.Exit(m.Run())
}

// runKernel starts a kernel whose cell writes its process number into a file and never ends.
func runKernel(flag string) {
	os.Unsetenv("RUNS_A_KERNEL")
	k, err := Start(context.Background(), Command{Argv: jupytertest.Argv(), Env: jupytertest.Env("")})
	if err == nil {
		_, err = k.Execute(context.Background(), Request{Code: "write " + flag + "\nhang"})
	}
	panic(err)
}

func startFake(t *testing.T, start string) (*Kernel, error) {
	t.Helper()
	k, err := Start(t.Context(), Command{Argv: jupytertest.Argv(), Dir: t.TempDir(), Env: jupytertest.Env(start)})
	if err == nil {
		t.Cleanup(k.Stop)
	}
	return k, err
}

// execute returns what the code printed, with the outcome.
func execute(ctx context.Context, k *Kernel, code string) (printed string, reply Reply, err error) {
	reply, err = k.Execute(ctx, Request{Code: code, CellID: "c1", Limit: time.Minute, OnMessage: func(typ string, content json.RawMessage) error {
		var m struct{ Text string }
		if err := json.Unmarshal(content, &m); err != nil {
			return err
		}
		printed += m.Text
		return nil
	}})
	return printed, reply, err
}

func TestExecute(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		printed, reply, err := execute(t.Context(), k, "print begin\nrequest\nlate end")
		if err != nil || printed != "begin\n{\"cellId\":\"c1\"} true\nend\n" || reply.Status != "ok" || reply.Count == nil || *reply.Count != n+1 {
			t.Errorf("printed %q, reply %+v, %v", printed, reply, err)
		}
	}
	if _, reply, err := execute(t.Context(), k, "raise E what happened"); err != nil || reply.Status != "error" || reply.EName != "E" || reply.EValue != "what happened" || len(reply.Traceback) != 1 {
		t.Errorf("an error: %+v, %v", reply, err)
	}
	var printed string
	if _, err := k.Execute(t.Context(), Request{Code: "request", MayErr: true, OnMessage: func(_ string, content json.RawMessage) error {
		printed += string(content)
		return nil
	}}); err != nil || !strings.Contains(printed, `{} false`) {
		t.Errorf("a cell that may err, and has no id: %s, %v", printed, err)
	}
	dir := k.dir.Path
	k.Stop()
	k.Stop() // Twice is once.
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, before the kernel started %d", runtime.NumGoroutine(), goroutines)
			break
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("its directory is left behind")
	}
	if _, _, err := execute(t.Context(), k, ""); !errors.Is(err, ErrDied) {
		t.Errorf("a stopped kernel: %v", err)
	}
}

func TestKernelThatDies(t *testing.T) {
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	printed, _, err := execute(t.Context(), k, "print begin\nexit panic: a bug")
	if !errors.Is(err, ErrDied) || !strings.Contains(err.Error(), "panic: a bug") || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("%v", err)
	}
	if printed != "begin\n" {
		t.Errorf("what it printed before is lost: %q", printed)
	}
	if _, _, err := execute(t.Context(), k, "print x"); !errors.Is(err, ErrDied) {
		t.Errorf("it must stay dead: %v", err)
	}
	if d := time.Since(begin); d > 30*time.Second {
		t.Errorf("it took %v to notice", d)
	}
}

func TestKernelThatDoesNotStart(t *testing.T) {
	_, err := startFake(t, "exits")
	if !errors.Is(err, ErrDied) || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("%v", err)
	}
	if _, err := Start(t.Context(), Command{Argv: []string{filepath.Join(t.TempDir(), "none")}}); err == nil || !strings.Contains(err.Error(), "starting the kernel") {
		t.Errorf("no such program: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = Start(ctx, Command{Argv: jupytertest.Argv(), Env: jupytertest.Env("silent")})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 30*time.Second {
		t.Errorf("a silent one: %v after %v", err, time.Since(begin))
	}
}

func TestCancelStopsAKernelThatDoesNotObey(t *testing.T) {
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var since time.Time
	var printed int
	_, err = k.Execute(ctx, Request{Code: "print x\nhang", OnMessage: func(string, json.RawMessage) error { // It prints once, and hangs.
		printed++
		since = time.Now()
		cancel()
		return nil
	}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the kernel was killed") {
		t.Errorf("%v", err)
	}
	if d := time.Since(since); d > 30*time.Second { // It gets less than a second, and would hang for a minute.
		t.Errorf("it took %v", d)
	}
	if printed != 1 {
		t.Errorf("%d messages", printed)
	}
}

func TestForeignMessagesAreNotOutputs(t *testing.T) {
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	printed, _, err := execute(t.Context(), k, "print begin\nforeign\nforge\nprint end")
	if printed != "begin\nend\n" {
		t.Errorf("printed %q", printed)
	}
	if err == nil || !strings.Contains(err.Error(), "wrong signature") {
		t.Errorf("a forged message passes: %v", err)
	}
}

func TestInputIsRefused(t *testing.T) {
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t.Context(), k, "ask\nwait"); err == nil || !strings.Contains(err.Error(), "asks for input") {
		t.Errorf("%v", err)
	}
}

// TestTick: whoever waits for a long cell is told so, and what a tick does is done before the next message comes.
func TestTick(t *testing.T) {
	k, err := startFake(t, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ticks := 0
	if _, err = k.Execute(ctx, Request{Code: "wait", Tick: func() {
		ticks++
		cancel()
	}}); !errors.Is(err, context.Canceled) || ticks == 0 {
		t.Errorf("%v after %d ticks", err, ticks)
	}
	if _, _, err := execute(t.Context(), k, "print x"); err != nil {
		t.Errorf("a kernel that obeyed an interrupt: %v", err)
	}
}

// TestKilledRunnerLeavesNoKernel: a runner that is killed cannot end its kernel, nor remove its directory; the system
// does the one, and the next runner the other.
func TestKilledRunnerLeavesNoKernel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell a process that its parent has ended")
	}
	flag := filepath.Join(t.TempDir(), "flag")
	temp, err := os.MkdirTemp("", "t") // Its name must be short.
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	t.Setenv("TMPDIR", temp)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RUNS_A_KERNEL="+flag)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for deadline := time.Now().Add(time.Minute); pid == 0; time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(flag)
		pid, _ = strconv.Atoi(string(b))
		if time.Now().After(deadline) {
			t.Error("the cell does not begin")
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if pid == 0 {
		return
	}
	for deadline := time.Now().Add(time.Minute); proc.Alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("the kernel, process %d, lives on", pid)
			syscall.Kill(pid, syscall.SIGKILL)
			return
		}
	}
	// Its directory goes when the next kernels start, whose own stay.
	for n := range 2 {
		k, err := startFake(t, "")
		if err != nil {
			t.Fatal(err)
		}
		defer k.Stop()
		if left, err := os.ReadDir(temp); err != nil || len(left) != n+1 {
			t.Errorf("%d directories are there, %v, want those of %d kernels", len(left), err, n+1)
		}
	}
}

// TestStopOnError: after a cell that fails, the requests that wait are answered and do not run, and later ones run.
func TestStopOnError(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts a kernel")
	}
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	real := build.Kernel{Dir: filepath.Join(t.TempDir(), "k"), Root: root}
	if err := real.Build(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	k, err := Start(t.Context(), Command{Argv: []string{real.Command(), "{connection_file}"}, Dir: t.TempDir(), Env: append(os.Environ(), "LUCIGO_ROOT="+root)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Stop()
	want := map[string]string{}
	for _, c := range []struct{ code, status string }{{"%%\npanic(1)", "error"}, {"%%\nfmt.Println(1)", "aborted"}, {"var x = 1", "aborted"}} {
		id, err := k.send(k.shell, "execute_request", nil, map[string]any{"code": c.code, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true})
		if err != nil {
			t.Fatal(err)
		}
		want[id] = c.status
	}
	for limit := time.After(2 * time.Minute); len(want) > 0; {
		select {
		case m := <-k.received:
			if m.err != nil {
				t.Fatal(m.err)
			}
			if m.port != shellPort {
				continue
			}
			var r Reply
			if err := json.Unmarshal(m.Content, &r); err != nil || r.Status != want[m.Parent.ID] {
				t.Errorf("a reply of status %q, want %q: %v", r.Status, want[m.Parent.ID], err)
			}
			delete(want, m.Parent.ID)
		case <-limit:
			t.Fatalf("no reply to %d requests", len(want))
		}
	}
	if reply, err := k.Execute(t.Context(), Request{Code: "%%\nfmt.Println(1)"}); err != nil || reply.Status != "ok" {
		t.Errorf("afterwards: %+v, %v", reply, err)
	}
}

func TestTail(t *testing.T) {
	var log tail
	for range 100 {
		log.Write([]byte(strings.Repeat("x", 999) + "\n"))
	}
	log.Write([]byte("last\n"))
	if s := log.String(); len(s) > tailSize || !strings.HasSuffix(s, "x\nlast") {
		t.Errorf("%d bytes, the end %q", len(s), s[len(s)-10:])
	}
}
