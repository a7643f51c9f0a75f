package jupyter

import "syscall"

// dieWithParent has the system kill the process when the thread that started it ends, however that happens.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
