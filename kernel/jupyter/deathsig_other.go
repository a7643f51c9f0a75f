//go:build !linux

package jupyter

import (
	"os/exec"
	"syscall"
)

// EndWithParent does nothing: this system cannot tell a process that its parent has ended.
func EndWithParent(*exec.Cmd, syscall.Signal) {}
