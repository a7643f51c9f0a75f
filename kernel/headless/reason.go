package headless

import (
	"errors"
	"regexp"
	"strings"

	"lucigo/kernel/notebook"
)

var (
	// generated matches the directory in which GoNB compiles a cell, which is another one in every run.
	generated = regexp.MustCompile(`[^\s"'()\x1b]*/gonb_[0-9a-f]+/(main(?:_test)?\.go)`)
	colours   = regexp.MustCompile(`\x1b\[[0-9;]*m`)

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
	var value string
	var compile []string
	printed := ""
	for _, o := range c.Outputs {
		switch o.Type {
		case notebook.Stream:
			printed += colours.ReplaceAllString(o.Text, "")
		case notebook.Error:
			value = strings.TrimSpace(o.EValue)
			for _, entry := range o.Traceback {
				if m := compileLine.FindStringSubmatch(entry); m != nil {
					lines := strings.Split(strings.TrimSpace(colours.ReplaceAllString(entry, "")), "\n")
					compile = append(compile, "line "+m[1]+": "+lines[len(lines)-1])
				}
			}
		}
	}
	if compile != nil {
		return errors.New(strings.Join(compile, "\n"))
	}
	if i := strings.LastIndex("\n"+printed, "\npanic: "); i >= 0 {
		message, _, _ := strings.Cut(printed[i:], "\n")
		if m := panicLine.FindStringSubmatch(printed[i:]); m != nil {
			message += " (line " + m[2]
			if m[1] != "" {
				message += " of [" + m[1] + "]"
			}
			message += ")"
		}
		return errors.New(message)
	}
	if value == "" {
		value = "it failed"
	}
	return errors.New(value)
}
