package gopls

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon is the one gopls of a user on a machine. It listens on a socket, and holds a lock on a file as long as it
// lives; the file contains its process's number. Gopls can start such a process by itself (-remote=auto), but then each
// client has a process in between, and nobody knows which one to end when it hangs.
type daemon struct {
	program  string
	env      []string
	files    string        // path of the socket, the lock and the log, without their endings
	idle     time.Duration // it ends when it has had no connection for this long
	patience time.Duration // a process that has been too slow has this long to prove that it is alive
}

func newDaemon(program string, env []string) (daemon, error) {
	program, err := exec.LookPath(program)
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return daemon{}, err
	}
	tmp := os.TempDir()
	if len(tmp) > 50 { // A socket's path has about 100 bytes at most.
		tmp = "/tmp"
	}
	dir := filepath.Join(tmp, fmt.Sprintf("lucigo-gopls-%d", os.Getuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return daemon{}, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return daemon{}, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Getuid() || info.Mode() != os.ModeDir|0o700 {
		return daemon{}, fmt.Errorf("directory, %s, must be this user's alone", dir)
	}
	key := sha256.Sum256([]byte(program))
	files := filepath.Join(dir, fmt.Sprintf("%x", key[:6]))
	return daemon{program, env, files, 5 * time.Second, 5 * time.Second}, nil // A kernel restarts in less.
}

// dial connects to the process, and starts it if there is none.
func (d daemon) dial(ctx context.Context) (net.Conn, error) {
	var exited chan error // of the process that was started here
	for {
		conn, err := net.Dial("unix", d.files+".socket")
		if err == nil {
			return conn, nil
		}
		select {
		case err := <-exited:
			return nil, d.failed(err)
		default:
		}
		if exited == nil {
			if exited, err = d.start(); err != nil {
				return nil, err
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// start starts the process, unless there is one already or somebody else is starting it: then exited is nil.
func (d daemon) start() (exited chan error, err error) {
	lock, err := os.OpenFile(d.files+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // The process keeps it.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if info, err := lock.Stat(); err == nil && time.Since(info.ModTime()) > d.patience {
			d.kill() // It has lost its socket.
		}
		return nil, nil
	}
	if err := lock.Truncate(0); err != nil { // From here on nobody takes what is there for the process's number.
		return nil, err
	}
	if err := os.Remove(d.files + ".socket"); err != nil && !errors.Is(err, os.ErrNotExist) { // A killed one leaves it.
		return nil, err
	}
	log, err := os.Create(d.files + ".log") // A file, because gopls outlives the reader of a pipe.
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(d.program, "serve", "-listen=unix;"+d.files+".socket", "-listen.timeout="+d.idle.String())
	cmd.Dir = filepath.Dir(d.files)
	// Gopls takes itself for the process with which it reports on its use: it neither starts that one nor counts.
	cmd.Env = append([]string{"GOGC=50"}, d.env...) // two thirds of the memory, at a fifth more time
	cmd.Env = append(cmd.Env, "GO_TELEMETRY_CHILD=2")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // An interrupt of a kernel's group is not for it.
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited = make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	_, err = lock.WriteAt([]byte(strconv.Itoa(cmd.Process.Pid)), 0)
	return exited, err
}

// failed is the error of a process that has ended before it listened: its status and its last line.
func (d daemon) failed(status error) error {
	if status == nil {
		status = errors.New("exit status 0")
	}
	log, err := os.Open(d.files + ".log")
	if err != nil {
		return status
	}
	defer log.Close()
	const tail = 4 << 10
	if size, err := log.Seek(0, io.SeekEnd); err == nil {
		log.Seek(max(0, size-tail), io.SeekStart)
	}
	b, _ := io.ReadAll(io.LimitReader(log, tail))
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return fmt.Errorf("%s ended: %w: %s", d.program, status, lines[len(lines)-1])
}

// kill ends a process that hangs.
func (d daemon) kill() {
	lock, err := os.Open(d.files + ".lock")
	if err != nil {
		return
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		return // Nobody holds it.
	}
	b, err := io.ReadAll(io.LimitReader(lock, 20))
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(string(b)); err == nil && pid > 1 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
