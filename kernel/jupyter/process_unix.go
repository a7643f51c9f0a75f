//go:build unix

package jupyter

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup puts the process in a group of its own: Ctrl-C in the terminal must reach it by our hand only, and the
// processes it starts must end with it.
func ownGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
