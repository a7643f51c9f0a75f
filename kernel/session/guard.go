//go:build unix

package session

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// dirPrefix begins the names of sessions' directories, in each of which tokenFile holds the session's token.
const (
	dirPrefix = "lucigo-cells-"
	tokenFile = "token"
)

// envSession marks the processes of a session: all that a cell starts inherit it.
const envSession = "LUCIGO_SESSION"

// guard ends a session's processes and removes its files, also when the kernel is killed: a process of its own waits
// for the end of the pipe that this one holds.
type guard struct {
	token string
	pipe  io.WriteCloser
	cmd   *exec.Cmd
}

// GuardArg is the argument with which the program that has a session starts itself as its guard, by Guard.
const GuardArg = "guard"

// startGuard starts this program again as the guard of the session of that token.
func startGuard(dir, token string) (*guard, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, GuardArg, dir, token)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // A signal for the kernel's group is not for it.
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("session: the guard does not start: %w", err)
	}
	return &guard{token, pipe, cmd}, nil
}

// start starts a command that leads a process group, which ends with the session.
func (g *guard) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Fprintf(g.pipe, "%d\n", cmd.Process.Pid)
	return nil
}

// run starts a command and waits for it.
func (g *guard) run(cmd *exec.Cmd) error {
	if err := g.start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

func (g *guard) close() {
	g.pipe.Close()
	g.cmd.Wait()
}

// Guard is the guard's main: it waits until standard input ends, and then kills the processes of the session of that
// token and removes its directory.
func Guard(dir, token string) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	group := map[int]bool{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var pid int
		if _, err := fmt.Sscan(lines.Text(), &pid); err == nil && pid > 1 {
			group[pid] = true
			for pid := range group { // Numbers of groups that have ended may come again.
				if syscall.Kill(-pid, 0) == syscall.ESRCH {
					delete(group, pid)
				}
			}
		}
	}
	for pid := range group {
		syscall.Kill(-pid, syscall.SIGKILL)
	}
	endMembers(token)
	if strings.HasPrefix(filepath.Base(dir), dirPrefix) {
		os.RemoveAll(dir)
	}
}

// endMembers kills the processes of the session of that token.
func endMembers(token string) {
	for range 20 { // One may start another meanwhile.
		all := members(token)
		if len(all) == 0 {
			break
		}
		for _, pid := range all {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// endLeft kills the processes of a session whose kernel and guard were both killed.
func endLeft(dir string) {
	if token, err := os.ReadFile(filepath.Join(dir, tokenFile)); err == nil && len(token) > 0 {
		endMembers(string(token))
	}
}

// members are the processes whose environment has the session's token, where the system tells.
func members(token string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		env, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(env), envSession+"="+token+"\x00") {
			continue
		}
		var pid int
		if fmt.Sscanf(file, "/proc/%d/environ", &pid); pid > 1 && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
