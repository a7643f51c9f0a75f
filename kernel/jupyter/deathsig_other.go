//go:build !linux

package jupyter

import "syscall"

// dieWithParent does nothing: this system cannot tell a process that its parent has ended.
func dieWithParent(*syscall.SysProcAttr) {}
