//go:build unix

package session

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lucigo/internal/proc"
)

// answer asks the user, and gives the process what they type. Where there is no answer, its input is at its end.
func (p *process) answer(prompt string, password bool) (ok bool) {
	if p.stdin == nil || p.input != nil {
		return false
	}
	text, err := p.run.out.Input(p.ctx, prompt, password)
	if err == nil {
		p.last.add([]byte("\n")) // The prompt is answered.
		_, err = p.stdin.WriteString(text + "\n")
	}
	if err != nil {
		p.stdin.Close()
	}
	return err == nil
}

// ask asks the user whenever a process of the group waits for standard input, where the system tells that.
func (p *process) ask(ctx context.Context, group int) {
	info, err := p.stdin.Stat()
	if err != nil {
		return
	}
	for wait := 50 * time.Millisecond; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if !waitsForInput(group, info) {
			wait = min(wait*5/4, 400*time.Millisecond)
			continue
		}
		if !p.answer(p.last.partial(), p.password) {
			return
		}
		wait = 50 * time.Millisecond
	}
}

// waitsForInput says whether a process of the group is in a read of the pipe that is its standard input.
func waitsForInput(group int, pipe os.FileInfo) bool {
	for _, pid := range proc.Where("stat", inGroup(group)) {
		if in, err := os.Stat(fmt.Sprintf("/proc/%d/fd/0", pid)); err != nil || !os.SameFile(in, pipe) {
			continue
		}
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		for _, task := range tasks {
			if call, err := os.ReadFile(task); err == nil && readsInput(string(call)) {
				return true
			}
		}
	}
	return false
}

// readsInput says whether the line that the system has for a thread's call is that of read(0, …).
func readsInput(call string) bool {
	field := strings.Fields(call)
	return len(field) > 1 && field[0] == readCall && field[1] == "0x0"
}
