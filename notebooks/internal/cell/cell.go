// Package cell writes to the output of the notebook cell that runs the program, or to standard output
// where no notebook does.
package cell

import (
	"encoding/gob"
	"errors"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// patience is how long the notebook may take to accept one output.
const patience = 30 * time.Second

func init() {
	gob.Register(map[string]any{}) // for Output.Value; the kernel's side registers it too
}

// Output is one thing to display, in several forms for different readers.
type Output struct {
	HTML string // for the page
	Text string // for readers without a page, and for standard output; a newline is added there

	// Value is data of media type Type for programs that read the notebook, of strings, booleans,
	// finite numbers, and maps of these. Nil is none.
	Type  string
	Value map[string]any

	Result bool // it is the cell's result rather than something that is displayed
}

// resultType marks an output as the cell's result.
const resultType = "application/vnd.lucigo.result"

// InNotebook says whether a notebook runs this program.
func InNotebook() bool { return gonbui.IsNotebook }

// Display writes o below what the cell has written so far. It returns when the notebook has it, so that
// nothing is lost when the program ends.
func Display(o Output) error { return send("", o, patience) }

// Update writes o in the place of the last output with this id, or below when it is the first.
func Update(id string, o Output) error { return send(id, o, patience) }

// ID returns an id for Update that no other output has.
func ID() string { return gonbui.UniqueId() }

// Escape returns s for use as text or as a quoted attribute of HTML, with what no page may hold, such as
// control characters, replaced by U+FFFD.
func Escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, s))
}

func send(id string, o Output, patience time.Duration) error {
	if !InNotebook() {
		if _, err := fmt.Println(o.Text); err != nil {
			return fmt.Errorf("cell: %w", err)
		}
		return nil
	}
	data := map[protocol.MIMEType]any{protocol.MIMETextPlain: o.Text}
	if o.HTML != "" {
		data[protocol.MIMETextHTML] = o.HTML
	}
	if o.Result {
		data[resultType] = ""
	}
	if o.Value != nil {
		data[protocol.MIMEType(o.Type)] = o.Value
	}
	done := make(chan error, 1)
	go func() { // it waits for ever on a kernel that has gone
		gonbui.SendData(&protocol.DisplayData{Data: data, DisplayID: id})
		gonbui.Sync()
		done <- gonbui.Error()
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("cell: the notebook did not take an output (restart the kernel): %w", err)
		}
		return nil
	case <-time.After(patience):
		return errors.New("cell: the notebook did not take an output in time: restart the kernel")
	}
}
