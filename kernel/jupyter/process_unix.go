//go:build unix

package jupyter

import (
	"os"
	"os/exec"
	"syscall"
)

// OwnGroup puts a command's process in a group of its own: what the terminal sends to its foreground processes, as at
// Ctrl-C, does not reach it, and the processes that it starts can be ended with it.
func OwnGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
