//go:build unix

// Package proc tells of other processes what Linux says of them in /proc.
package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Where returns the processes, without this one, whose file of that name in /proc satisfies is. On another system there are
// none.
func Where(file string, is func(text string) bool) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/" + file)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !is(string(text)) {
			continue
		}
		var pid int
		if fmt.Sscanf(file, "/proc/%d/", &pid); pid > 1 && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ParseStat reads the state, the parent and the group of a process from its file stat, or zeros.
func ParseStat(stat string) (state string, parent, group int) {
	fmt.Sscan(stat[strings.LastIndexByte(stat, ')')+1:], &state, &parent, &group) // The program's name is in parentheses.
	return state, parent, group
}

// Alive says whether a process runs. One that has ended, and for whose end nobody waits, does not.
func Alive(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		state, _, _ := ParseStat(string(stat))
		return state != "Z"
	}
	return pid > 0 && syscall.Kill(pid, 0) == nil
}
