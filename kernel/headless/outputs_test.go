package headless

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"lucigo/kernel/notebook"
)

// collect feeds messages, given as type and JSON, to a cell.
func collect(t *testing.T, messages ...string) (*notebook.Cell, *outputs) {
	t.Helper()
	c := &notebook.Cell{Type: notebook.Code}
	o := &outputs{cell: c, displays: displays{}}
	for i := 0; i < len(messages); i += 2 {
		if err := o.add(messages[i], json.RawMessage(messages[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	return c, o
}

// text is the outputs in short: the streams' text, displays' text/plain, errors' names.
func text(c *notebook.Cell) string {
	var list []string
	for _, o := range c.Outputs {
		s, _ := o.Data.Text("text/plain")
		list = append(list, o.Name+o.Text+s+o.EName)
	}
	return strings.Join(list, "|")
}

func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		messages []string
		want     string
	}{
		{[]string{"stream", `{"name":"stdout","text":"a"}`, "stream", `{"name":"stdout","text":"b"}`, "stream", `{"name":"stderr","text":"c"}`, "stream", `{"name":"stdout","text":"d"}`}, "stdoutab|stderrc|stdoutd"},
		{[]string{"display_data", `{"data":{"text/plain":"x"},"metadata":{}}`, "error", `{"ename":"E","evalue":"v","traceback":[]}`}, "x|E"},
		{[]string{"display_data", `{"data":{"text/plain":"1"},"transient":{"display_id":"i"}}`, "update_display_data", `{"data":{"text/plain":"2"},"transient":{"display_id":"i"}}`}, "2"},
		{[]string{"update_display_data", `{"data":{"text/plain":"2"},"transient":{"display_id":"other"}}`}, ""},
		{[]string{"stream", `{"name":"stdout","text":"a"}`, "clear_output", `{"wait":false}`}, ""},
		{[]string{"stream", `{"name":"stdout","text":"a"}`, "clear_output", `{"wait":true}`}, "stdouta"},
		{[]string{"stream", `{"name":"stdout","text":"a"}`, "clear_output", `{"wait":true}`, "stream", `{"name":"stdout","text":"b"}`}, "stdoutb"},
	} {
		if cell, _ := collect(t, c.messages...); text(cell) != c.want {
			t.Errorf("%v gives %q, want %q", c.messages, text(cell), c.want)
		}
	}
}

func TestUpdateReachesEarlierCells(t *testing.T) {
	first, o := collect(t, "display_data", `{"data":{"text/plain":"1"},"transient":{"display_id":"i"}}`)
	second := &outputs{cell: &notebook.Cell{}, displays: o.displays}
	if err := second.add("update_display_data", json.RawMessage(`{"data":{"text/plain":"2"},"transient":{"display_id":"i"}}`)); err != nil {
		t.Fatal(err)
	}
	if text(first) != "2" || len(second.cell.Outputs) != 0 {
		t.Errorf("the first cell has %q, the second %q", text(first), text(second.cell))
	}
}

func TestTextIsBounded(t *testing.T) {
	c, o := collect(t)
	piece, _ := json.Marshal(map[string]string{"name": "stdout", "text": strings.Repeat("€", 1001)})
	for range 3 * maxText / len(piece) {
		if err := o.add("stream", piece); err != nil {
			t.Fatal(err)
		}
	}
	got := c.Outputs[0].Text
	if len(c.Outputs) != 1 || len(got) < maxText || len(got) > maxText+200 || strings.ContainsRune(got, utf8.RuneError) || !utf8.ValidString(got) || !strings.Contains(got[maxText-1:], "only the first 1024 KiB") {
		t.Errorf("%d outputs, %d bytes, ending %q", len(c.Outputs), len(got), got[len(got)-100:])
	}
	if strings.Count(got, "only the first") != 1 {
		t.Error("the notice is repeated")
	}
	if err := o.add("display_data", json.RawMessage(`{"data":{"text/plain":"x"}}`)); err != nil || len(c.Outputs) != 2 {
		t.Errorf("a display after much text is lost: %v", err)
	}
}

func TestTotalIsBounded(t *testing.T) {
	c, o := collect(t)
	picture, _ := json.Marshal(map[string]any{"data": map[string]string{"image/png": strings.Repeat("A", 1<<20)}})
	o.total = maxTotal - 3<<20
	var err error
	n := 0
	for ; err == nil && n < 10; n++ {
		err = o.add("display_data", picture)
	}
	if err == nil || !strings.Contains(err.Error(), "more than 128 MiB") || n != 3 || len(c.Outputs) != 2 {
		t.Errorf("after %d MiB of the last 3: %v, %d kept", n, err, len(c.Outputs))
	}
}

// A picture that changes in place may do so for as long as it likes: only what is kept counts.
func TestUpdatesAreNotAdded(t *testing.T) {
	content := func(megabytes int) json.RawMessage {
		b, _ := json.Marshal(map[string]any{"data": map[string]string{"image/png": strings.Repeat("A", megabytes<<20)},
			"transient": map[string]string{"display_id": "i"}})
		return b
	}
	c, o := collect(t, "display_data", string(content(1)))
	small, large := content(1), content(4)
	for i := range maxTotal>>20 + 20 {
		if err := o.add("update_display_data", small); err != nil {
			t.Fatalf("after %d updates of 1 MiB: %v", i, err)
		}
	}
	if o.total < 1<<20 || o.total > 2<<20 || len(c.Outputs) != 1 {
		t.Errorf("of a MiB in %d outputs %d bytes are counted", len(c.Outputs), o.total)
	}
	o.total = maxTotal - 3<<20
	if err := o.add("update_display_data", large); err == nil {
		t.Error("an update that is too large passes")
	}
}

// A cell may clear what it shows and show it anew for as long as it likes: what is cleared does not count, and is not
// kept for updates.
func TestClearedIsForgotten(t *testing.T) {
	other, o := collect(t, "display_data", `{"data":{"text/plain":"1"},"transient":{"display_id":"same"}}`)
	o = &outputs{cell: &notebook.Cell{}, displays: o.displays}
	picture := strings.Repeat("A", 1<<20)
	for i := range maxTotal>>20 + 20 {
		b, _ := json.Marshal(map[string]any{"data": map[string]string{"image/png": picture}, "transient": map[string]any{"display_id": []string{"same", "own"}[i%2]}})
		if err := errors.Join(o.add("clear_output", json.RawMessage(`{"wait":true}`)), o.add("display_data", b)); err != nil {
			t.Fatalf("after %d pictures of 1 MiB: %v", i, err)
		}
	}
	if len(o.cell.Outputs) != 1 || o.total > 2<<20 || len(o.displays) != 2 || len(o.displays["same"]) != 1 || len(o.displays["own"]) != 1 || len(o.ids) != 1 {
		t.Errorf("%d outputs, %d bytes, displays %v", len(o.cell.Outputs), o.total, o.displays)
	}
	if err := errors.Join(o.add("clear_output", json.RawMessage(`{}`)), o.add("update_display_data", json.RawMessage(`{"data":{"text/plain":"2"},"transient":{"display_id":"own"}}`)),
		o.add("update_display_data", json.RawMessage(`{"data":{"text/plain":"3"},"transient":{"display_id":"same"}}`))); err != nil {
		t.Fatal(err)
	}
	if len(o.cell.Outputs) != 0 || text(other) != "3" || len(o.displays) != 1 {
		t.Errorf("afterwards there are %d outputs, and the other cell shows %q", len(o.cell.Outputs), text(other))
	}
}

func TestMalformedMessage(t *testing.T) {
	_, o := collect(t)
	if err := o.add("stream", json.RawMessage(`{"text":3}`)); err == nil {
		t.Error("it passes")
	}
}

func TestClaims(t *testing.T) {
	cell, _ := collect(t,
		"display_data", `{"data":{"application/vnd.lucigo.claim+json":{"sentence":"s %v px","measured":0.5,"relation":">=","bound":0.4},"text/plain":"x"}}`,
		"display_data", `{"data":{"application/vnd.lucigo.claim+json":{"sentence":"no %v","measured":"NaN","relation":"<","bound":0.4}}}`,
		"display_data", `{"data":{"text/plain":"x"}}`)
	got, err := claims(cell)
	if err != nil || len(got) != 2 || got[0].String() != "s 0.5 px (required: at least 0.4)" || got[1].String() != "no NaN (required: less than 0.4)" {
		t.Errorf("%v, %v", got, err)
	}
	for _, c := range []struct {
		outcome Outcome
		want    string
	}{
		{Outcome{Claims: got[:1]}, ""},
		{Outcome{Claims: got}, "a claim fails: no NaN (required: less than 0.4)"},
		{Outcome{Claims: got[:1], Err: errors.New("x\ny")}, "x"},
	} {
		if s := c.outcome.Failure(); s != c.want {
			t.Errorf("%+v fails by %q, want %q", c.outcome, s, c.want)
		}
	}
	cell, _ = collect(t, "display_data", `{"data":{"application/vnd.lucigo.claim+json":{"sentence":3}}}`)
	if _, err := claims(cell); err == nil {
		t.Error("a claim that cannot be read passes")
	}
}

func TestNames(t *testing.T) {
	nb := &notebook.Notebook{Cells: []*notebook.Cell{
		{Type: notebook.Code, Source: "%%\nx := 1"},
		{Type: notebook.Markdown, Source: "```\n# no heading\n```\n## A heading"},
		{Type: notebook.Code, Source: "%%\n\n// What it does\nx := 1"},
		{Type: notebook.Code, Source: "y := 2"},
		{Type: notebook.Code, Source: "// " + strings.Repeat("é", 100)},
	}}
	var got []string
	for _, o := range Outcomes(nb) {
		got = append(got, o.Cell.Label)
	}
	want := []string{"x := 1", "What it does", "A heading", strings.Repeat("é", 59) + "…"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%q, want %q", got, want)
	}
	if s := (Cell{Number: 3, Label: "A heading"}).String(); s != "cell 3 (A heading)" {
		t.Error(s)
	}
}
