//go:build unix

package session

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// members are the processes whose environment has the session's token.
func members(token string) []int {
	return processes("environ", func(env string) bool { return strings.Contains(env, envSession+"="+token+"\x00") })
}

// children are the processes that are this one's, where the system tells.
func children() (pids []int) {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	if files == nil { // It needs another look at each process there is, which takes longer.
		return processes("stat", func(stat string) bool {
			_, parent, _ := parseStat(stat)
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
		_, _, group := parseStat(stat)
		return group == pid
	}
}

// parseStat reads the state, the parent and the group of a process, or zeros.
func parseStat(stat string) (state string, parent, group int) {
	fmt.Sscan(stat[strings.LastIndexByte(stat, ')')+1:], &state, &parent, &group) // The program's name is in parentheses.
	return state, parent, group
}

// processes are those of which is holds for what the system tells in a file of that name, where it tells, without this
// process.
func processes(file string, is func(text string) bool) (pids []int) {
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
