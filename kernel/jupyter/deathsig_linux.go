package jupyter

import (
	"os/exec"
	"syscall"
)

// EndWithParent has the system send a command's process a signal when the thread that starts it ends, however that
// happens. OwnGroup comes before it.
func EndWithParent(c *exec.Cmd, s syscall.Signal) { c.SysProcAttr.Pdeathsig = s }
