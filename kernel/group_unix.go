//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps what the terminal sends to its foreground processes from the command.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
