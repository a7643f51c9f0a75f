package headless

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
)

// What is kept of outputs. Beyond maxText of the text that a cell prints the rest is dropped with a notice, and the cell
// goes on; a cell with which the notebook's outputs become more than maxTotal is interrupted. What takes the place of an
// earlier output counts instead of it: a display may be updated any number of times.
const (
	maxText  = 1 << 20
	maxTotal = 128 << 20
	perPiece = 256 // what an output counts for besides its content
)

// displays finds, by display id, the outputs that update_display_data may change: those of any cell of the notebook.
type displays map[string][]*notebook.Output

// outputs collects what one cell publishes, as the outputs of its cell.
type outputs struct {
	cell     *notebook.Cell
	displays displays
	ids      []string         // of the displays among the cell's outputs
	raised   *notebook.Output // the last error that was published
	clear    bool             // before the next output: a clear_output with wait came
	text     int              // bytes of text kept
	size     int              // of the message that is being added
	total    int              // bytes received, less those of outputs that were replaced or cleared
	before   int              // the same, of the cells before
	cut      bool             // text has been dropped
}

// add takes one message; its error means that the cell must be stopped.
func (o *outputs) add(typ string, content json.RawMessage) error {
	o.size = len(content) + perPiece
	o.total += o.size
	if o.before+o.total > maxTotal {
		return fmt.Errorf("it put out more than %d MiB, with the cells before it", maxTotal>>20)
	}
	var m struct {
		Name, Text string
		Data       notebook.MIMEBundle
		Metadata   notebook.Metadata
		Count      *int `json:"execution_count"`
		EName      string
		EValue     string
		Traceback  []string
		Wait       bool
		Transient  struct {
			DisplayID string `json:"display_id"`
		}
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return fmt.Errorf("its %s message is malformed: %w", typ, err)
	}
	switch typ {
	case "stream":
		o.print(m.Name, m.Text)
	case "display_data", "execute_result":
		out := &notebook.Output{Type: typ, Data: m.Data, Metadata: m.Metadata}
		if typ == notebook.ExecuteResult {
			out.ExecutionCount = m.Count
		}
		o.append(out)
		if id := m.Transient.DisplayID; id != "" {
			o.displays[id], o.ids = append(o.displays[id], out), append(o.ids, id)
		}
	case "update_display_data":
		for i, out := range o.displays[m.Transient.DisplayID] {
			if i == 0 { // all hold the same content, once
				o.total -= size(out) + perPiece
			}
			out.Data, out.Metadata = maps.Clone(m.Data), maps.Clone(m.Metadata)
		}
	case "error":
		o.raised = &notebook.Output{Type: notebook.Error, EName: m.EName, EValue: m.EValue, Traceback: m.Traceback}
		o.append(o.raised)
	case "clear_output":
		o.clear = true
		if !m.Wait {
			o.wipe()
		}
	}
	return nil
}

// size is how many bytes a display's content has.
func size(out *notebook.Output) (n int) {
	for _, part := range []map[string]json.RawMessage{out.Data, out.Metadata} {
		for _, value := range part {
			n += len(value)
		}
	}
	return n
}

// wipe clears the outputs if that was asked for. What is cleared is forgotten: a cell may clear and draw for ever.
func (o *outputs) wipe() {
	if !o.clear {
		return
	}
	cleared := map[*notebook.Output]bool{}
	for _, out := range o.cell.Outputs {
		cleared[out] = true
	}
	for _, id := range o.ids {
		o.displays[id] = slices.DeleteFunc(o.displays[id], func(out *notebook.Output) bool { return cleared[out] })
		if len(o.displays[id]) == 0 {
			delete(o.displays, id)
		}
	}
	o.cell.Outputs, o.ids, o.clear, o.text, o.cut, o.total = nil, nil, false, 0, false, o.size
}

func (o *outputs) append(out *notebook.Output) {
	o.wipe()
	o.cell.Outputs = append(o.cell.Outputs, out)
}

// print adds text to a stream; pieces that follow each other on one stream are one output.
func (o *outputs) print(name, text string) {
	o.wipe()
	if o.cut {
		return
	}
	if rest := maxText - o.text; len(text) > rest {
		for rest > 0 && text[rest]&0xC0 == 0x80 { // Not within a character.
			rest--
		}
		text = text[:rest] + fmt.Sprintf("\n… (only the first %d KiB of the text that this cell prints are kept)\n", maxText>>10)
		o.cut = true
	}
	o.text += len(text)
	if n := len(o.cell.Outputs); n > 0 && o.cell.Outputs[n-1].Type == notebook.Stream && o.cell.Outputs[n-1].Name == name {
		o.cell.Outputs[n-1].Text += text
		return
	}
	o.append(&notebook.Output{Type: notebook.Stream, Name: name, Text: text})
}

// keepError sees to it that the error with which the cell's code ended is among the outputs, and returns it: a kernel
// may have told it in its reply alone, or the code may have cleared it.
func (o *outputs) keepError(r jupyter.Reply) *notebook.Output {
	if o.raised == nil {
		value := cmp.Or(r.EValue, "it failed: its status is "+strconv.Quote(r.Status))
		name := cmp.Or(r.EName, "Error")
		o.raised = &notebook.Output{Type: notebook.Error, EName: name, EValue: value, Traceback: r.Traceback}
	}
	if !slices.Contains(o.cell.Outputs, o.raised) {
		o.append(o.raised)
	}
	return o.raised
}

// fail adds an error that is not the code's own: a limit, an interruption, a dead kernel.
func (o *outputs) fail(err error) {
	o.append(&notebook.Output{Type: notebook.Error, EName: "Stopped", EValue: err.Error(), Traceback: []string{err.Error()}})
}
