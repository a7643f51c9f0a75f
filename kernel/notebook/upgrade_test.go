package notebook

import (
	"fmt"
	"strings"
	"testing"
)

// old is a notebook in format 3, with every kind of cell and output.
const old = `{"metadata":{"name":"A","signature":"s","kept":[1]},"nbformat":3,"nbformat_minor":0,"orig_nbformat":2,"worksheets":[{"cells":[
{"cell_type":"heading","level":2,"metadata":{},"source":["A\n","title"]},
{"cell_type":"markdown","metadata":{},"source":"text"},
{"cell_type":"html","metadata":{},"source":"<b>"},
{"cell_type":"code","collapsed":true,"language":"go","prompt_number":7,"metadata":{"x":1},"input":["x := 1\n","y"],"outputs":[
 {"output_type":"stream","stream":"stderr","text":["a\n","b"]},
 {"output_type":"stream","text":"c"},
 {"output_type":"display_data","png":"AAAA","html":["<i>\n","</i>"],"json":"{\"k\": 1}","metadata":{"w":1}},
 {"output_type":"pyout","prompt_number":7,"text":"3"},
 {"output_type":"pyerr","ename":"E","evalue":"v","traceback":["t"]}]}]},
{"metadata":{},"cells":[{"cell_type":"code","language":"go","outputs":[]},{"cell_type":"raw","source":"r"}]}]}`

func TestFormat3(t *testing.T) {
	nb, err := Parse([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range nb.Cells {
		got = append(got, fmt.Sprintf("%s %q", c.Type, c.Source))
		for _, o := range c.Outputs {
			s := o.Type + " " + o.Name + o.Text + o.EName + o.EValue + strings.Join(o.Traceback, "")
			for _, mime := range []string{"text/plain", "text/html", "image/png", "application/json"} {
				if v, ok := o.Data.Text(mime); ok {
					s += " " + mime + "=" + v
				}
			}
			got = append(got, s)
		}
	}
	want := []string{`markdown "## A title"`, `markdown "text"`, `markdown "<b>"`, `code "x := 1\ny"`,
		"stream stderra\nb", "stream stdoutc", `display_data  text/html=<i>` + "\n" + `</i> image/png=AAAA application/json={"k":1}`,
		"execute_result  text/plain=3", "error Evt", `code ""`, `raw "r"`}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("it is read as\n%q, want\n%q", got, want)
	}
	c := nb.Cells[3]
	if *c.ExecutionCount != 7 || *c.Outputs[3].ExecutionCount != 7 || string(c.Metadata["collapsed"]) != "true" || string(c.Metadata["x"]) != "1" || c.Line != 5 || nb.Cells[0].Line != 2 {
		t.Errorf("%+v", c)
	}
	if nb.Language() != "go" || string(nb.Metadata["kept"]) != "[1]" || nb.Metadata["name"] != nil {
		t.Errorf("metadata %s", nb.Metadata)
	}
	b, err := nb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkFormat(b); err != nil {
		t.Errorf("%v:\n%s", err, b)
	}
	for _, c := range []struct{ file, want string }{
		{`{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"code","input":["a","b"]}]}]}`, "line 1 of the list"},
		{`{"nbformat":3,"worksheets":{}}`, "worksheets is {}, must be"},
		{`{"nbformat":3,"worksheets":[{"cells":[{"cell_type":"heading","source":3}]}]}`, "source: it is 3, must be"},
	} {
		if _, err := Parse([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
}
