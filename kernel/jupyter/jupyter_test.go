package jupyter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"lucigo/internal/project"
	"lucigo/kernel/build"
)

// TestMain lets the test program be a kernel that behaves as the environment says.
func TestMain(m *testing.M) {
	if how := os.Getenv("FAKE_KERNEL"); how != "" {
		fakeKernel(how)
		return
	}
	os.Exit(m.Run())
}

// fakeKernel serves the protocol's part that Execute uses, and then, at the first piece of code, does as how says.
func fakeKernel(how string) {
	if how == "exits" {
		os.Stderr.WriteString("cannot bind\n")
		os.Exit(3)
	}
	if how == "silent" {
		time.Sleep(time.Minute)
	}
	b, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var c struct{ IP, Key string }
	if err := json.Unmarshal(b, &c); err != nil {
		panic(err)
	}
	w := wire{[]byte(c.Key), "s"}
	ctx := context.Background()
	socks := map[int]zmq4.Socket{shellPort: zmq4.NewRouter(ctx), controlPort: zmq4.NewRouter(ctx), stdinPort: zmq4.NewRouter(ctx), iopubPort: zmq4.NewPub(ctx)}
	for port, s := range socks {
		if err := s.Listen("ipc://" + c.IP + "-" + string(rune('0'+port))); err != nil {
			panic(err)
		}
	}
	send := func(port int, to [][]byte, parent header, typ string, content any) {
		_, frames, err := w.encode(typ, content)
		if err != nil {
			panic(err)
		}
		frames[3], _ = json.Marshal(parent)
		frames[1] = w.sign(frames[2:6])
		socks[port].SendMulti(multipart(append(to, frames...)))
	}
	for {
		z, err := socks[shellPort].Recv()
		if err != nil {
			panic(err)
		}
		m, err := w.decode(z.Frames)
		if err != nil {
			panic(err)
		}
		to := z.Frames[:1]
		reply := map[string]any{"status": "ok", "execution_count": 1}
		idle := map[string]any{"execution_state": "idle"}
		if m.header.Type == "kernel_info_request" {
			send(shellPort, to, m.header, "kernel_info_reply", reply)
			send(iopubPort, nil, m.header, "status", idle)
			continue
		}
		print := func(parent header, text string) {
			send(iopubPort, nil, parent, "stream", map[string]any{"name": "stdout", "text": text})
		}
		print(m.header, "begin")
		switch how {
		case "dies":
			time.Sleep(50 * time.Millisecond) // The message must get out.
			os.Stderr.WriteString("panic: a bug\n")
			os.Exit(2)
		case "hangs":
			time.Sleep(time.Minute)
		case "forges":
			print(header{ID: "another"}, "not mine")
			w := wire{[]byte("wrong"), "s"}
			_, frames, _ := w.encode("stream", map[string]any{"name": "stdout", "text": "forged"})
			socks[iopubPort].SendMulti(multipart(frames))
		case "asks":
			send(stdinPort, to, m.header, "input_request", map[string]any{"prompt": "?"})
		}
		send(shellPort, to, m.header, "execute_reply", reply)
		time.Sleep(20 * time.Millisecond) // Outputs may come after the reply.
		print(m.header, "end")
		send(iopubPort, nil, m.header, "status", idle)
	}
}

func startFake(t *testing.T, how string) (*Kernel, error) {
	t.Helper()
	k, err := Start(t.Context(), Command{Argv: []string{os.Args[0], "{connection_file}"}, Dir: t.TempDir(), Env: append(os.Environ(), "FAKE_KERNEL="+how)})
	if err == nil {
		t.Cleanup(k.Stop)
	}
	return k, err
}

// execute returns what the code printed, with the outcome.
func execute(ctx context.Context, k *Kernel, limit time.Duration) (printed string, reply Reply, err error) {
	reply, err = k.Execute(ctx, Request{Code: "x", Limit: limit, OnMessage: func(typ string, content json.RawMessage) error {
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
	k, err := startFake(t, "obeys")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		printed, reply, err := execute(t.Context(), k, time.Minute)
		if err != nil || printed != "beginend" || reply.Status != "ok" || reply.Count == nil || *reply.Count != 1 {
			t.Errorf("printed %q, reply %+v, %v", printed, reply, err)
		}
	}
	dir := k.dir
	k.Stop()
	k.Stop() // Twice is once.
	if _, err := os.Stat(dir); err == nil {
		t.Error("its directory is left behind")
	}
	if _, _, err := execute(t.Context(), k, 0); !errors.Is(err, ErrDied) {
		t.Errorf("a stopped kernel: %v", err)
	}
}

func TestKernelThatDies(t *testing.T) {
	k, err := startFake(t, "dies")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	printed, _, err := execute(t.Context(), k, time.Minute)
	if !errors.Is(err, ErrDied) || !strings.Contains(err.Error(), "panic: a bug") || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("%v", err)
	}
	if printed != "begin" {
		t.Errorf("what it printed before is lost: %q", printed)
	}
	if _, _, err := execute(t.Context(), k, time.Minute); !errors.Is(err, ErrDied) {
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
	_, err = Start(ctx, Command{Argv: []string{os.Args[0], "{connection_file}"}, Env: append(os.Environ(), "FAKE_KERNEL=silent")})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 30*time.Second {
		t.Errorf("a silent one: %v after %v", err, time.Since(begin))
	}
}

func TestCancelStopsAKernelThatDoesNotObey(t *testing.T) {
	k, err := startFake(t, "hangs")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var since time.Time
	var printed int
	_, err = k.Execute(ctx, Request{OnMessage: func(string, json.RawMessage) error { // It prints once, and hangs.
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
	k, err := startFake(t, "forges")
	if err != nil {
		t.Fatal(err)
	}
	printed, _, err := execute(t.Context(), k, time.Minute)
	if printed != "beginend" {
		t.Errorf("printed %q", printed)
	}
	if err == nil || !strings.Contains(err.Error(), "wrong signature") {
		t.Errorf("a forged message passes: %v", err)
	}
}

func TestInputIsRefused(t *testing.T) {
	k, err := startFake(t, "asks")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := execute(t.Context(), k, time.Minute); err == nil || !strings.Contains(err.Error(), "asks for input") {
		t.Errorf("%v", err)
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
	k, err := Start(t.Context(), Command{Argv: []string{real.Launcher(), "{connection_file}"}, Dir: t.TempDir(), Env: append(os.Environ(), "LUCIGO_ROOT="+root)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Stop()
	want := map[string]string{}
	for _, c := range []struct{ code, status string }{{"%%\npanic(1)", "error"}, {"%%\nfmt.Println(1)", "aborted"}, {"var x = 1", "aborted"}} {
		id, err := k.send(k.shell, "execute_request", map[string]any{"code": c.code, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true})
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
			if err := json.Unmarshal(m.content, &r); err != nil || r.Status != want[m.parent.ID] {
				t.Errorf("a reply of status %q, want %q: %v", r.Status, want[m.parent.ID], err)
			}
			delete(want, m.parent.ID)
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

func FuzzDecode(f *testing.F) {
	w := wire{[]byte("key"), "session"}
	_, frames, err := w.encode("status", map[string]any{"execution_state": "idle"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frames[1], frames[2], frames[3], frames[5])
	f.Add([]byte("sig"), []byte("{}"), []byte("null"), []byte("{"))
	f.Fuzz(func(t *testing.T, sig, head, parent, content []byte) {
		frames := [][]byte{delimiter, sig, head, parent, []byte("{}"), content}
		m, err := w.decode(frames)
		if err == nil {
			received{iopubPort, m, nil}.idle(m.parent.ID)
			if string(sig) != string(w.sign(frames[2:])) {
				t.Error("a message with another signature is taken")
			}
		}
		frames[1] = w.sign(frames[2:])
		if m, err := w.decode(frames); err == nil {
			received{iopubPort, m, nil}.idle(m.parent.ID)
		}
		for n := range frames {
			if _, err := w.decode(frames[:n]); err == nil {
				t.Errorf("%d frames are a message", n)
			}
		}
	})
}
