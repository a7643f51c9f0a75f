//go:build !unix

package jupyter

import (
	"os"
	"os/exec"
)

// OwnGroup does nothing here: there are no process groups.
func OwnGroup(*exec.Cmd) {}

func killGroup(p *os.Process) { p.Kill() }
