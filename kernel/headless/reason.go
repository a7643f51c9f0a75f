package headless

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"lucigo/kernel/notebook"
)

var (
	// generated matches the directory in which GoNB compiles a cell, which is another one in every run.
	generated = regexp.MustCompile(`[^\s"'()\x1b]*/gonb_[0-9a-f]+/(main(?:_test)?\.go)`)

	// What GoNB says about places: in a compiler's message, and in a panic's stack.
	compileLine = regexp.MustCompile(`^Cell(?:\[\d+\]:)? Line (\d+)\n`)
	panicLine   = regexp.MustCompile(`\[\[ Cell (?:\[(\d+)\] )?Line (\d+) \]\]`)
)

// forgetPaths takes out of a cell's error messages where GoNB compiled it.
func forgetPaths(c *notebook.Cell) {
	clean := func(s string) string { return generated.ReplaceAllString(s, "$1") }
	for _, o := range c.Outputs {
		if o.Type == notebook.Stream && o.Name == "stderr" {
			o.Text = clean(o.Text)
		}
		if o.Type == notebook.Error {
			o.EValue = clean(o.EValue)
			for i := range o.Traceback {
				o.Traceback[i] = clean(o.Traceback[i])
			}
		}
	}
}

// reason tells from the outputs of a failed cell why it failed: the compiler's messages with the cell's own lines, or
// the panic's with the line where it happened.
func reason(c *notebook.Cell) error {
	value := "it failed"
	var compile []string
	for _, o := range c.Outputs {
		if o.Type != notebook.Error {
			continue
		}
		value = cmp.Or(strings.TrimSpace(o.EValue), value)
		for _, entry := range o.Traceback {
			if m := compileLine.FindStringSubmatch(entry); m != nil {
				lines := strings.Split(strings.TrimSpace(notebook.Plain(entry)), "\n")
				compile = append(compile, "line "+m[1]+": "+lines[len(lines)-1])
			}
		}
	}
	if compile != nil {
		return errors.New(strings.Join(compile, "\n"))
	}
	printed := c.Printed()
	if i := strings.LastIndex("\n"+printed, "\npanic: "); i >= 0 {
		value, _, _ = strings.Cut(printed[i:], "\n")
		if m := panicLine.FindStringSubmatch(printed[i:]); m != nil && m[1] != "" {
			value += fmt.Sprintf(" (line %s of [%s])", m[2], m[1])
		} else if m != nil {
			value += fmt.Sprintf(" (line %s)", m[2])
		}
	}
	return errors.New(value)
}
