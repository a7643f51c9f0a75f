//go:build unix

package session

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// crash separates what the Go runtime says when it ends a program, which becomes the failure of the cell, from what the
// program writes to standard error.
type crash struct {
	held  []byte
	begun bool // held begins with a crash
	lost  int  // bytes of held's middle that are left out
}

// crashes begin a line where the runtime ends a program.
var crashes = []string{"panic: ", "fatal error: ", "runtime: goroutine stack exceeds", "unexpected fault address",
	"SIGSEGV: ", "SIGABRT: ", "SIGBUS: ", "SIGFPE: ", "SIGILL: ", "SIGTRAP: ", "SIGQUIT: "}

// most that is held of a crash.
const crashSize = 1 << 20

// add takes in text and returns what of it is no crash. The beginning of a line that could be one is held back.
func (c *crash) add(b []byte) (text []byte) {
	c.held = append(c.held, b...)
	if c.begun {
		c.bound()
		return nil
	}
	for at := 0; ; {
		line, _, whole := bytes.Cut(c.held[at:], []byte("\n"))
		for _, begin := range crashes {
			if bytes.HasPrefix(line, []byte(begin)) {
				text = slices.Clone(c.held[:at])
				c.held, c.begun = slices.Clone(c.held[at:]), true
				return text
			}
		}
		if whole {
			at += len(line) + 1
			continue
		}
		maybe := func(begin string) bool { return strings.HasPrefix(begin, string(line)) }
		if !slices.ContainsFunc(crashes, maybe) { // An empty line keeps nothing back.
			at += len(line)
		}
		text = slices.Clone(c.held[:at])
		c.held = append(c.held[:0], c.held[at:]...)
		return text
	}
}

// stack begins the stack of a goroutine, which every crash has.
const stack = "\ngoroutine "

// bound leaves out what is too much: the last stacks, or the middle of the message that comes before them.
func (c *crash) bound() {
	switch {
	case len(c.held) <= crashSize:
	case bytes.Contains(c.held[:crashSize], []byte(stack)):
		c.held, c.lost = c.held[:crashSize], c.lost+len(c.held)-crashSize
	default:
		end := len(c.held) - crashSize/4
		c.lost += end - crashSize/2
		c.held = append(c.held[:crashSize/2], c.held[end:]...)
	}
}

// is says whether it is a crash.
func (c *crash) is() bool { return c.begun && bytes.Contains(c.held, []byte(stack)) }

// rest is what was held and is no crash: nothing is, where the program has ended well.
func (c *crash) rest(well bool) []byte {
	c.begun = c.begun && !well
	switch {
	case c.is():
		return nil
	case c.lost > 0:
		return fmt.Appendf(c.held, "\n(%d bytes of this are left out)\n", c.lost)
	}
	return c.held
}

func (c *crash) text() string { return strings.ToValidUTF8(string(c.held), "\ufffd") }

var (
	frame      = regexp.MustCompile(`(?m)^(\S.*)\n\t(?:[^\s:]*/)?cell\[(\d+)\]:(\d+)`)
	signalLine = regexp.MustCompile(`(?m)^\[signal .*\n?`)
)

// again takes the place of calls that are the same as the one before.
const again = "…"

// crashed is the failure of a program that ended so.
func (r *run) crashed(text string) error {
	said, stacks, _ := strings.Cut(text, stack)
	said, _, _ = strings.Cut(said, "\n\nruntime stack:")
	said = strings.TrimSpace(signalLine.ReplaceAllString(said, ""))
	said = strings.TrimSuffix(said, " [recovered, repanicked]")
	if i := strings.Index(said, "fatal error: "); i > 0 { // The runtime has explained it before.
		said = said[i:]
	}
	if message := []rune(said); len(message) > 2000 {
		said = string(message[:2000]) + "…"
	}
	f := &Failure{Name: "Panic", Value: said}
	if strings.HasPrefix(said, "fatal error: ") || !strings.HasPrefix(said, "panic: ") {
		f.Name = "FatalError"
	}
	first, _, _ := strings.Cut(stacks, "\n"+stack)
	frames := frame.FindAllStringSubmatch(first, -1)
	if frames == nil { // Another goroutine may be the cell's.
		frames = frame.FindAllStringSubmatch(stacks, 1)
	}
	f.Traceback = []string{bold + said + plain}
	for i, m := range frames {
		cell, line := number(m[2]), number(m[3])
		place := where(r.Number, cell, line)
		if i == 0 {
			f.Value += " (" + place + ")"
		}
		called := strings.TrimPrefix(strings.TrimPrefix(m[1], "created by "), "main.")
		called = strings.TrimPrefix(called, Module+".")
		if open := strings.LastIndexByte(called, '('); open > 0 {
			called = called[:open]
		}
		if rest, ok := strings.CutPrefix(called, r.entry); ok && (rest == "" || rest[0] == '.') {
			called = "main" + rest
		}
		entry := place + ", in " + called
		if code := strings.TrimSpace(r.line(cell, line)); code != "" {
			entry += "\n    " + code
		}
		if n := len(f.Traceback); n > 2 && entry == f.Traceback[n-2] { // It calls itself.
			if last := f.Traceback[n-1]; last == entry || last == again {
				f.Traceback[n-1] = again
				continue
			}
		}
		if f.Traceback = append(f.Traceback, entry); len(f.Traceback) > 20 {
			break
		}
	}
	if frames == nil {
		lines := strings.SplitN(stacks, "\n", 30)
		f.Traceback = append(f.Traceback, "goroutine "+strings.Join(lines[:len(lines)-1], "\n"))
	}
	return f
}
