//go:build unix

package session

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// dirPrefix begins the names of sessions' directories, in each of which tokenFile holds the session's token.
const (
	dirPrefix = "lucigo-cells-"
	tokenFile = "token"
)

// envSession marks the processes of a session: what a cell starts inherits it, unless it is given another environment.
const envSession = "LUCIGO_SESSION"

// guard is a process of its own that starts the processes of a session, each as the leader of a group. What outlives its
// parent becomes the guard's child (on Linux), so it finds all of them, whatever they have done to get away. When
// the kernel ends, in whatever way, it ends them and removes the session's files.
type guard struct {
	token string
	conn  *net.UnixConn
	cmd   *exec.Cmd

	mu      sync.Mutex   // held from an order to its answer
	answers chan started // closed when the guard has ended
}

// started is what became of an order.
type started struct {
	*child
	err error
}

// order is a program that the guard is to start. Its files come with the order.
type order struct {
	Path, Dir string
	Args, Env []string
}

// answer is what the guard says of an order, and later of the end of what it has started.
type answer struct {
	Pid    int
	Err    string // why nothing was started
	Ended  bool
	Status syscall.WaitStatus // of what has ended
}

// child is a process that the guard has started.
type child struct {
	pid    int
	ended  chan struct{} // closed when it has
	status status        // valid then
	err    error         // its end is not known
}

// wait waits for the process's end.
func (c *child) wait() (status, error) {
	<-c.ended
	return c.status, c.err
}

// signal sends a signal to the process's group.
func (c *child) signal(s syscall.Signal) { syscall.Kill(-c.pid, s) }

// status is how a process ended.
type status struct{ syscall.WaitStatus }

func (s status) well() bool { return s.Exited() && s.ExitStatus() == 0 }

func (s status) String() string {
	text := fmt.Sprintf("exit status %d", s.ExitStatus())
	if s.Signaled() {
		text = "signal: " + s.Signal().String()
	}
	if s.CoreDump() {
		text += " (core dumped)"
	}
	return text
}

// GuardArg is the argument with which the program that has a session starts itself as its guard, by Guard.
const GuardArg = "guard"

// startGuard starts this program again as the guard of the session of that token.
func startGuard(dir, token string) (*guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours, its, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer its.Close()
	cmd := exec.Command(self, GuardArg, dir, token)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // A signal for the kernel's group is not for it.
	cmd.Stdin = its
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("session: the guard does not start: %w", err)
	}
	g := &guard{token: token, conn: ours, cmd: cmd, answers: make(chan started)}
	go g.read()
	return g, nil
}

// socketPair returns one end of a connection, and the other as a file for another process.
func socketPair() (ours *net.UnixConn, its *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	its = os.NewFile(uintptr(fds[1]), "guard")
	if ours, err = connOf(os.NewFile(uintptr(fds[0]), "session")); err != nil {
		its.Close()
	}
	return ours, its, err
}

// connOf takes over a file that is one end of a connection.
func connOf(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// errLost is the error of processes when their guard was killed.
var errLost = errors.New("the process that starts the notebook's programs was killed: restart the kernel")

// reason is errLost where the guard was killed, with which the session's other processes end too, and else err.
func (g *guard) reason(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.answers: // closed: nobody waits for an answer
		return errLost
	default:
		return err
	}
}

// start starts a command whose files are open files or nil. The environment and the directory are the command's.
func (g *guard) start(cmd *exec.Cmd) (*child, error) {
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	o := order{Path: cmd.Path, Dir: cmd.Dir, Args: cmd.Args, Env: cmd.Environ()}
	if o.Dir == "" {
		var err error
		if o.Dir, err = os.Getwd(); err != nil {
			return nil, err
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	files := []*os.File{null, null, null}
	for i, f := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if f != nil {
			files[i] = f.(*os.File)
		}
	}
	var b strings.Builder
	if err := gob.NewEncoder(&b).Encode(o); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if send(g.conn, b.String(), append(files, cmd.ExtraFiles...)) != nil {
		return nil, errLost
	}
	s, ok := <-g.answers
	if !ok {
		return nil, errLost
	}
	return s.child, s.err
}

// output runs a command to its end, and returns what it has written by a second after that.
func (g *guard) output(ctx context.Context, cmd *exec.Cmd) ([]byte, status, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, status{}, err
	}
	defer r.Close()
	cmd.Stdout, cmd.Stderr = w, w
	c, err := g.start(cmd)
	w.Close()
	if err != nil {
		return nil, status{}, err
	}
	defer context.AfterFunc(ctx, func() { c.signal(syscall.SIGINT) })()
	go func() {
		<-c.ended
		r.SetReadDeadline(time.Now().Add(time.Second)) // A process that it has left may keep the pipe.
	}()
	out, _ := io.ReadAll(r)
	end, err := c.wait()
	return out, end, err
}

// read reads what the guard says, until it has ended.
func (g *guard) read() {
	children := map[int]*child{} // that run
	for dec := gob.NewDecoder(g.conn); ; {
		var a answer
		if dec.Decode(&a) != nil {
			break
		}
		c := children[a.Pid]
		switch {
		case a.Err != "":
			g.answers <- started{err: errors.New(a.Err)}
		case !a.Ended:
			c = &child{pid: a.Pid, ended: make(chan struct{})}
			children[a.Pid] = c // Its end may be the next that comes.
			g.answers <- started{child: c}
		case c != nil: // Others the guard has adopted.
			c.status = status{a.Status}
			close(c.ended)
			delete(children, a.Pid)
		}
	}
	close(g.answers)
	endMembers(g.token)
	for _, c := range children {
		c.err = errLost
		close(c.ended)
	}
}

func (g *guard) close() {
	g.conn.CloseWrite()
	g.cmd.Wait()
	g.conn.Close()
}
