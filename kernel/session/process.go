//go:build unix

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lucigo/kernel/source"
)

// grace is how long a process may go on after an interrupt before it is killed.
const grace = 5 * time.Second

// process runs a program for a cell.
type process struct {
	*run
	token    string // by which the program tells how far it has come; "" for others
	displays bool   // it speaks the protocol of displays
	dir      string // its working directory, or "" for this process's
	input    []byte // its standard input; nil for the user's

	stdin *os.File // where the user's input goes, or nil
	crash crash    // what it says on standard error when it ends by a panic
	last  tail     // of everything else that it prints
}

// end is how a process ended.
type end struct {
	*process
	status      status
	begun, done bool // it has initialised all; its main has returned
	interrupted bool
}

// pipe is a pipe of which a process has one end, and fd is the other, which never blocks.
type pipe struct {
	fd        int
	ours, its *os.File
}

// drain reads what is written after the cell has ended, until nobody can write any more: a child that lives on must not
// die of it.
func (p pipe) drain() {
	p.its.Close()
	if syscall.SetNonblock(p.fd, false) == nil {
		io.Copy(io.Discard, p.ours)
	}
	p.ours.Close()
}

// start runs a program to its end. It returns when the program has ended and what it had printed by then is out, even
// where a child of it lives on with its output.
func (p *process) start(program string, args []string) (*end, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = p.dir, p.environment()
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	in := func() (pipe, error) { // what the process writes
		r, w, err := os.Pipe()
		if err != nil {
			return pipe{}, err
		}
		fd := int(r.Fd())
		return pipe{fd, r, w}, syscall.SetNonblock(fd, true)
	}
	stdout, err1 := in()
	stderr, err2 := in()
	done, err3 := in()
	wake, err4 := in()
	open = append(open, done.ours, done.its, wake.ours, wake.its) // Files that are nil may be closed.
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	defer func() {
		go stdout.drain()
		go stderr.drain()
	}()
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout.its, stderr.its, []*os.File{done.its}
	switch {
	case p.input != nil || p.Input:
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		open = append(open, r, w)
		cmd.Stdin, p.stdin = r, w
	}
	var shows *displays
	if p.displays {
		var err error
		if shows, err = p.openDisplays(); err != nil {
			return nil, err
		}
		defer shows.close()
		cmd.Env = append(cmd.Env, "GONB_PIPE="+shows.path, "GONB_PIPE_BACK="+shows.back)
	}
	child, err := p.guard.start(cmd)
	if err != nil {
		return nil, err
	}
	if p.input != nil {
		go func() {
			p.stdin.Write(p.input)
			p.stdin.Close()
		}()
	} else if p.stdin != nil {
		ctx, stop := context.WithCancel(p.ctx)
		defer stop()
		go p.ask(ctx, child.pid)
	}

	go func() {
		<-child.ended
		wake.its.Close()
	}()
	stop := context.AfterFunc(p.ctx, func() {
		child.signal(syscall.SIGINT)
		if p.token == "" { // a shell that is just starting a command may lose the first
			time.AfterFunc(grace/2, func() { child.signal(syscall.SIGINT) })
		}
		time.AfterFunc(grace, func() { child.signal(syscall.SIGKILL) }) // Also what its program has left behind.
	})
	defer stop()
	p.pump(stdout.fd, stderr.fd, shows, wake.fd)
	status, err := child.wait()
	if err != nil {
		return nil, err
	}
	p.finish(status.well())
	e := &end{process: p, status: status, interrupted: p.ctx.Err() != nil}
	told := make([]byte, 512)
	if n, _ := syscall.Read(done.fd, told); n > 0 && p.token != "" {
		begun, ended := source.Begun(p.token), source.Ended(p.token)
		e.begun = strings.HasPrefix(string(told[:n]), begun)
		e.done = string(told[:n]) == begun+ended
	}
	return e, nil
}

// environment is that of the process.
func (p *process) environment() []string {
	env := p.env
	if wd, err := os.Getwd(); err == nil {
		env = append(env[:len(env):len(env)], "GONB_DIR="+wd)
	}
	return env
}

// pipeSize is more than a pipe holds, unless its program has enlarged it.
const pipeSize = 1 << 20

// pump hands on what the process prints and displays, in order, until wake is closed and nothing is left of what was
// written by then. Text that was printed before a display is read before it.
func (p *process) pump(stdout, stderr int, shows *displays, wake int) {
	const events = unix.POLLIN | unix.POLLHUP | unix.POLLERR
	fds := []unix.PollFd{
		{Fd: int32(stdout), Events: unix.POLLIN}, {Fd: int32(stderr), Events: unix.POLLIN},
		{Fd: int32(wake), Events: unix.POLLIN}, {Fd: -1, Events: unix.POLLIN},
	}
	if shows != nil {
		fds[3].Fd = int32(shows.fd)
	}
	buf := make([]byte, 64<<10)
	sinks := []func([]byte){
		func(b []byte) { p.last.add(b); p.print("stdout", b) },
		func(b []byte) { p.errors(b) },
	}
	var late [4]int // what was read of each after the end: the process's children may write for ever
	for timeout := -1; ; {
		n, err := unix.Poll(fds, timeout)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return // The process has ended, and nothing is left.
		}
		if fds[2].Revents&events != 0 {
			fds[2].Fd, timeout = -1, 0
		}
		count := func(i, n int) {
			if timeout < 0 {
				return
			}
			if late[i] += n; late[i] > pipeSize {
				fds[i].Fd = -1
			}
		}
		read := false
		for i, sink := range sinks {
			if fds[i].Revents&events == 0 {
				continue
			}
			n, err := unix.Read(int(fds[i].Fd), buf)
			if n > 0 {
				read = true
				sink(buf[:n])
				count(i, n)
			} else if err != unix.EAGAIN && err != unix.EINTR {
				fds[i].Fd = -1
			}
		}
		if !read && fds[3].Revents&events != 0 {
			n, err := unix.Read(int(fds[3].Fd), buf)
			if n > 0 {
				shows.take(buf[:n])
				count(3, n)
			} else if err != unix.EAGAIN && err != unix.EINTR {
				fds[3].Fd = -1
			}
		}
	}
}

// errors takes in what the process writes to standard error.
func (p *process) errors(b []byte) {
	if text := p.crash.add(b); len(text) > 0 {
		p.last.add(text)
		p.print("stderr", text)
	}
}

// finish prints what was held back and is not a crash, of a process that has ended well or not.
func (p *process) finish(well bool) {
	if text := p.crash.rest(well); len(text) > 0 {
		p.last.add(text)
		p.print("stderr", text)
	}
}

// tail is the end of a text. It is safe for concurrent use.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b[max(0, len(b)-tailSize):]...)
	if len(t.text) > 2*tailSize {
		t.text = append(t.text[:0], t.text[len(t.text)-tailSize:]...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "\ufffd")
}

// line is the last line that is not empty.
func (t *tail) line() string {
	lines := strings.Split(strings.TrimSpace(t.String()), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if r := []rune(line); len(r) > 300 {
		line = string(r[:300]) + "…"
	}
	return line
}

// partial is the line that has no end yet: a prompt, perhaps.
func (t *tail) partial() string {
	text := t.String()
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// why says how a process ended otherwise than well.
func (e *end) why() string {
	text := e.status.String()
	if e.status.Signaled() && e.status.Signal() == syscall.SIGKILL {
		text += " (perhaps the machine has too little memory for it)"
	}
	if line := e.last.line(); line != "" {
		text += ": " + line
	}
	return text
}

// noTests is what package testing writes where it finds no test.
const noTests = "testing: warning: no tests to run"

// verdict is the failure that the cell's program ended in, or nil.
func (r *run) verdict(e *end, cell *source.Cell) error {
	switch {
	case e.interrupted:
		return interrupted()
	case e.crash.is():
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.crashed(e.crash.text())
	case cell.Test && !e.status.well():
		if failed := e.failedTests(); failed != "" {
			return failure("TestError", failed)
		}
		return failure("TestError", e.why())
	case !e.status.well():
		return failure("ExitError", e.why())
	case cell.Test && strings.Contains(e.last.String(), noTests):
		return failure("TestError", "there is no test to run: a test is a func TestName(t *testing.T)")
	case e.done:
		return nil
	case cell.TestMain() && e.begun && e.last.line() == "PASS": // It ends the program itself.
		return nil
	}
	return failure("ExitError", "os.Exit(0): the program ended before the cell did")
}

// failedTests names the tests that failed, as far as the end of the output tells.
func (e *end) failedTests() string {
	var names []string
	for line := range strings.Lines(e.last.String()) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok && !strings.HasPrefix(line, " ") {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	if names == nil {
		return ""
	}
	return "tests failed: " + strings.Join(names, ", ")
}

// shell is a command of the shell.
func shell(command string) (program string, args []string) {
	for _, name := range []string{"bash", "sh"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, []string{"-c", command}
		}
	}
	return "/bin/sh", []string{"-c", command}
}

// program runs a program that is no cell's, which what names for the user.
func (r *run) program(what string, p *process, program string, args []string) error {
	if filepath.Base(program) == program {
		path, err := exec.LookPath(program)
		if err != nil {
			return failure("CommandError", fmt.Sprintf("%s: there is no program %s", what, program))
		}
		program = path
	}
	e, err := p.start(program, args)
	switch {
	case err != nil:
		return failure("CommandError", what+": "+err.Error())
	case e.interrupted:
		return interrupted()
	case !e.status.well():
		return failure("CommandError", what+": "+e.why())
	}
	return nil
}
