// Package jupyter is a client of a Jupyter kernel: it starts one, has it execute code, and stops it.
package jupyter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-zeromq/zmq4"

	"lucigo/kernel/jupyter/wire"
	"lucigo/kernel/tempdir"
)

// dirPrefix begins the names of kernels' directories.
const dirPrefix = "lucigo-kernel-"

// Command says how to start a kernel.
type Command struct {
	Argv []string // the program (absolute) and its arguments; "{connection_file}" is replaced by the connection file's path
	Dir  string   // the working directory: by convention the notebook's
	Env  []string // as in os/exec; nil: this process's
}

// ErrDied is the kernel process's end while something was asked of it.
var ErrDied = errors.New("the kernel died")

// ErrLimit is the end of the time that a piece of code was given.
var ErrLimit = errors.New("time limit")

// How long the kernel gets.
const (
	startLimit = time.Minute            // to start and answer
	limitGrace = 7 * time.Second        // to stop a cell past its limit (it kills the cell's processes before that)
	stopGrace  = 400 * time.Millisecond // to stop a cell, or itself, when the user is waiting
)

// backlog is how many messages wait while OnMessage or Tick is busy. A kernel drops messages that nobody takes; ours
// sends about 1,000 at once and 420 a second, so that nothing is lost in 7 seconds.
const backlog = 4096

// Kernel is a running kernel. Its methods are not for concurrent use.
type Kernel struct {
	session        wire.Session
	cmd            *exec.Cmd
	dir            tempdir.Dir // holds the sockets and the kernel's own temporary files
	log            tail
	exited         chan struct{} // closed when the process has ended
	exitErr        error         // valid then
	cancel         context.CancelFunc
	shell, control zmq4.Socket
	sockets        map[int]zmq4.Socket // all, by their ports
	received       chan received
	end            sync.Once
}

// received is what came on the socket of a port: a message, or why it is none.
type received struct {
	port int
	wire.Message
	err error
}

// Start starts a kernel and returns when it answers. ctx bounds the start alone.
func Start(ctx context.Context, c Command) (_ *Kernel, err error) {
	ctx, done := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("the kernel did not answer within %v", startLimit))
	defer done()
	// Sockets are files in a directory of our own: no port to collide on, nobody else can connect. A socket's path must
	// be short (104 bytes on some systems).
	base := os.TempDir()
	if len(base) > 60 {
		base = "/tmp"
	}
	tempdir.Sweep(base, dirPrefix, nil)
	dir, err := tempdir.Make(base, dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("starting the kernel: %w", err)
	}
	life, cancel := context.WithCancel(context.Background())
	k := &Kernel{session: wire.Session{Key: []byte(wire.NewID()), ID: wire.NewID()}, dir: dir,
		exited: make(chan struct{}), cancel: cancel, received: make(chan received, backlog)}
	defer func() {
		if err != nil {
			k.kill()
			err = fmt.Errorf("starting the kernel: %w", err)
		}
	}()
	if err := k.launch(c); err != nil {
		close(k.exited)
		return nil, err
	}
	id := zmq4.WithID(zmq4.SocketIdentity(k.session.ID))
	k.shell, k.control = zmq4.NewDealer(life, id), zmq4.NewDealer(life, id)
	iopub := zmq4.NewSub(life)
	k.sockets = map[int]zmq4.Socket{iopubPort: iopub, shellPort: k.shell, controlPort: k.control,
		stdinPort: zmq4.NewDealer(life, id)}
	for port, s := range k.sockets {
		if err := k.dial(ctx, s, port); err != nil {
			return nil, err
		}
		go k.pump(life, s, port)
	}
	if err := iopub.SetOption(zmq4.OptionSubscribe, ""); err != nil {
		return nil, err
	}
	return k, k.handshake(ctx)
}

// The "ports" are suffixes of the sockets' file names.
const (
	shellPort = iota + 1
	iopubPort
	stdinPort
	controlPort
	heartbeatPort
)

func (k *Kernel) socket(port int) string {
	return fmt.Sprintf("%s-%d", filepath.Join(k.dir.Path, "s"), port)
}

// launch writes the connection file and starts the process.
func (k *Kernel) launch(c Command) error {
	b, err := json.Marshal(map[string]any{"transport": "ipc", "ip": filepath.Join(k.dir.Path, "s"), "key": string(k.session.Key), "signature_scheme": "hmac-sha256",
		"shell_port": shellPort, "iopub_port": iopubPort, "stdin_port": stdinPort, "control_port": controlPort, "hb_port": heartbeatPort, "kernel_name": "lucigo"})
	if err != nil {
		return err
	}
	connection := filepath.Join(k.dir.Path, "kernel-"+wire.NewID()+".json")
	if err := os.WriteFile(connection, b, 0o600); err != nil {
		return err
	}
	args := make([]string, len(c.Argv))
	for i, a := range c.Argv {
		args[i] = strings.ReplaceAll(a, "{connection_file}", connection)
	}
	k.cmd = exec.Command(args[0], args[1:]...)
	k.cmd.Dir, k.cmd.Env = c.Dir, c.Env
	k.cmd.Env = append(k.cmd.Environ(), "TMPDIR="+k.dir.Path) // The directory goes, and with it what a killed kernel leaves.
	k.cmd.Stdout, k.cmd.Stderr = &k.log, &k.log
	k.cmd.WaitDelay = time.Second // A process that outlives the kernel must not hide its end.
	OwnGroup(k.cmd)
	EndWithParent(k.cmd, syscall.SIGKILL)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // For good: the kernel dies with the thread that started it.
		err := k.cmd.Start()
		started <- err
		if err == nil {
			k.exitErr = k.cmd.Wait()
			close(k.exited)
		}
	}()
	return <-started
}

// dial connects to the kernel's socket once the kernel has made it.
func (k *Kernel) dial(ctx context.Context, s zmq4.Socket, port int) error {
	for {
		_, err := os.Stat(k.socket(port))
		if err == nil {
			return s.Dial("ipc://" + k.socket(port))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-k.exited:
			return k.died()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// pump passes on what a socket receives, until life ends.
func (k *Kernel) pump(life context.Context, s zmq4.Socket, port int) {
	for {
		z, err := s.Recv()
		if err != nil { // The kernel has closed it: its process ends too, or is ended.
			select {
			case <-k.exited:
			case <-life.Done():
			case <-time.After(time.Second):
				k.killGroup()
			}
			return
		}
		if port == controlPort { // Nobody waits for an answer there.
			continue
		}
		m, err := k.session.Decode(z.Frames)
		select {
		case k.received <- received{port, m, err}:
		case <-life.Done():
			return
		}
	}
}

// handshake repeats a question until its answer and its publication both arrive: a subscription takes effect some
// time after it is made.
func (k *Kernel) handshake(ctx context.Context) (err error) {
	var id string
	ask, patience := time.After(0), 10*time.Millisecond
	for replied, idle := false, false; !replied || !idle; {
		select {
		case <-ask:
			if id, err = k.send(k.shell, "kernel_info_request", nil, struct{}{}); err != nil {
				return err
			}
			patience = min(2*patience, time.Second)
			replied, idle, ask = false, false, time.After(patience)
		case m := <-k.received:
			if m.err != nil {
				return m.err
			}
			replied = replied || m.answers(id)
			idle = idle || m.idle(id)
		case <-k.exited:
			return k.died()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (k *Kernel) send(s zmq4.Socket, typ string, metadata map[string]any, content any) (id string, err error) {
	id, frames, err := k.session.Encode(typ, wire.Header{}, metadata, content)
	if err != nil {
		return "", err
	}
	return id, s.SendMulti(zmq4.NewMsgFrom(frames...))
}

// answers says whether m is the reply to a request.
func (m received) answers(id string) bool { return m.port == shellPort && m.Parent.ID == id }

// idle says whether m is the last that is published of a request.
func (m received) idle(id string) bool {
	var c struct {
		State string `json:"execution_state"`
	}
	return m.port == iopubPort && m.Parent.ID == id && m.Header.Type == "status" &&
		json.Unmarshal(m.Content, &c) == nil && c.State == "idle"
}

// died is the error of a dead kernel, with the last it said.
func (k *Kernel) died() error {
	why := "exit status 0"
	if k.exitErr != nil {
		why = k.exitErr.Error()
	}
	if log := k.log.String(); log != "" {
		why += "; its last words:\n" + log
	}
	return fmt.Errorf("%w: %s", ErrDied, why)
}

// Stop ends the kernel: politely, or after a moment by force, with all processes it started.
func (k *Kernel) Stop() {
	if _, err := k.send(k.control, "shutdown_request", nil, map[string]any{"restart": false}); err == nil {
		select {
		case <-k.exited:
		case <-time.After(stopGrace):
		}
	}
	k.kill()
}

func (k *Kernel) kill() {
	k.end.Do(func() {
		k.killGroup()
		<-k.exited
		k.cancel()
		for _, s := range k.sockets {
			s.Close() // It is of no more use, whatever comes of it.
		}
		k.dir.Remove() // What cannot be removed only takes room.
	})
}

// killGroup ends the process, if there is one, and those that it started.
func (k *Kernel) killGroup() {
	if k.cmd != nil && k.cmd.Process != nil {
		syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// OwnGroup puts a command's process in a group of its own: what the terminal sends to its foreground processes, as at
// Ctrl-C, does not reach it, and the processes that it starts can be ended with it.
func OwnGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if extra := len(t.b) - tailSize; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(strings.TrimSpace(string(t.b)), "")
}
