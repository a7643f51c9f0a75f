package notebook

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestLawLayout: what is written is laid out as encoding/json does, says what it said, and has no escapes for HTML.
func TestLawLayout(t *testing.T) {
	nb := &Notebook{Metadata: Metadata{"a": json.RawMessage(`{"z":[],"b":{"c" : [1 ,-2.50e3,true,null , "x\"]}"], "d":{}}}`)}}
	tricky := json.RawMessage(`{"k\u003c":"a\u003cb\\u003c\\\u003e\u0026\"\u0022","l":["\u2028","é\u00e9"]}`)
	nb.Cells = []*Cell{NewCode("x < 1 && y"), {Type: Markdown, Source: "a\n\n\"b\"\n",
		Attachments: map[string]MIMEBundle{"p": {"image/png": json.RawMessage(`"AA"`)}}}, {Type: Raw}}
	nb.Cells[0].Outputs = []*Output{{Type: DisplayData,
		Data: MIMEBundle{"application/json": tricky, "x+json": json.RawMessage(`"text"`), "text/html": json.RawMessage(`"\u003cb>"`)}},
		{Type: Stream, Name: "stdout", Text: "a\n\tb"}, {Type: Error}}
	got, err := nb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Indent(&want, got, "", " "); err != nil || want.String() != string(got) {
		t.Errorf("%v: it is laid out as\n%s\nwant\n%s", err, got, want.String())
	}
	if bytes.Contains(bytes.ReplaceAll(got, []byte(`\\u003c`), nil), []byte(`\u003`)) || !bytes.Contains(got, []byte(`"<b>"`)) {
		t.Errorf("there are escapes:\n%s", got)
	}
	again, err := Parse(got)
	if err != nil {
		t.Fatal(err)
	}
	var before, after any
	if err := json.Unmarshal(tricky, &before); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again.Cells[0].Outputs[0].Data["application/json"], &after); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("%v: %v has become %v", err, before, after)
	}
	if s := again.Cells[0].Outputs[0].Data["x+json"]; string(s) != `"text"` {
		t.Errorf("a text that is JSON has become %s", s)
	}
}

// TestValuesThatAreNoTexts: what a kernel sends where the format has a text is written as one.
func TestValuesThatAreNoTexts(t *testing.T) {
	for value, want := range map[string]string{`5`: "5", `{"a":1}`: `{"a":1}`, `null`: "null", `[1]`: "[1]", `["a","b"]`: "ab"} {
		cell := NewCode("x")
		cell.Outputs = []*Output{{Type: DisplayData, Data: MIMEBundle{"text/html": json.RawMessage(value)}}}
		b, err := (&Notebook{Cells: []*Cell{cell}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkFormat(b); err != nil {
			t.Errorf("%s: %v", value, err)
		}
		again, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v:\n%s", value, err, b)
		} else if s, _ := again.Cells[0].Outputs[0].Data.Text("text/html"); s != want {
			t.Errorf("%s is read back as %q, want %q", value, s, want)
		}
	}
}

// TestDepthIsNoSize: a notebook is written in a small multiple of what was read, however deep it is nested.
func TestDepthIsNoSize(t *testing.T) {
	for _, c := range []struct{ open, inner, close string }{{"[", "", "]"}, {`{"a":`, "1", "}"},
		{"[", strings.Repeat("1,", 9000) + "1", "]"}} {
		deep := strings.Repeat(c.open, 9900) + c.inner + strings.Repeat(c.close, 9900)
		source := `{"nbformat":4,"nbformat_minor":5,"metadata":{"m":` + deep +
			`},"cells":[{"cell_type":"code","metadata":{},"source":"","outputs":[` +
			`{"output_type":"display_data","metadata":{},"data":{"application/json":` + deep + `}}]}]}`
		nb, err := Parse([]byte(source))
		if err != nil {
			t.Fatal(err)
		}
		b, err := nb.Encode()
		if err != nil || len(b) > 2*len(source) {
			t.Errorf("%v: %d bytes have become %d", err, len(source), len(b))
		}
		again, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(second, b) {
			t.Errorf("%v: written again, it differs", err)
		}
	}
}

// TestInvalidValues: JSON that is none is an error, and not written.
func TestInvalidValues(t *testing.T) {
	for _, raw := range []string{"{", `"a`, `"\`, "", "x"} {
		if _, err := (&Notebook{Metadata: Metadata{"a": json.RawMessage(raw)}}).Encode(); err == nil {
			t.Errorf("%q passes", raw)
		}
	}
}

// TestPlain: no command to a terminal is left in what a notebook prints, and no text is lost.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[31mb\x1b[0m\tc\n": "ab\tc\n", "\x1b]0;title\x07x": "x", "\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\": "link", "\x1b]52;c;AAAA": "",
		"\x1bcx": "x", "a\x1b": "a", "a\u009b31mb\x00\x08": "a31mb", "\r50 %": "\r50 %", "é → 漢": "é → 漢",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
