//go:build unix

package session

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lucigo/internal/proc"
)

// members are the processes whose environment has the session's token.
func members(token string) []int {
	return proc.Where("environ", func(env string) bool { return strings.Contains(env, envSession+"="+token+"\x00") })
}

// children are the processes that are this one's, where the system tells.
func children() (pids []int) {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	if files == nil { // It needs another look at each process there is, which takes longer.
		return proc.Where("stat", func(stat string) bool {
			_, parent, _ := proc.ParseStat(stat)
			return parent == os.Getpid()
		})
	}
	for _, file := range files { // A thread's, each.
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// inGroup says of what the system tells of a process whether it is one of a group.
func inGroup(pid int) func(stat string) bool {
	return func(stat string) bool {
		_, _, group := proc.ParseStat(stat)
		return group == pid
	}
}
