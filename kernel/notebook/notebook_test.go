package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lucigo/internal/hostile"
)

// checkFormat holds JSON against what nbformat 4.5 demands: field by field, nothing missing, nothing more except fields
// with the names given.
func checkFormat(b []byte, unknown ...string) error {
	var top map[string]any
	if err := json.Unmarshal(b, &top); err != nil {
		return err
	}
	fields := func(what string, o map[string]any, required string, optional ...string) error {
		need := strings.Fields(required)
		for _, f := range need {
			if _, ok := o[f]; !ok {
				return fmt.Errorf("%s has no %s", what, f)
			}
		}
		for f := range o {
			if !slices.Contains(need, f) && !slices.Contains(optional, f) && !slices.Contains(unknown, f) {
				return fmt.Errorf("%s has a field %s", what, f)
			}
		}
		return nil
	}
	multiline := func(v any) bool {
		list, ok := v.([]any)
		for _, s := range list {
			_, isString := s.(string)
			ok = ok && isString
		}
		return ok
	}
	if err := fields("the notebook", top, "metadata nbformat nbformat_minor cells"); err != nil {
		return err
	}
	if minor, _ := top["nbformat_minor"].(float64); top["nbformat"] != 4.0 || minor < 5 {
		return fmt.Errorf("format %v.%v", top["nbformat"], top["nbformat_minor"])
	}
	id := regexp.MustCompile(`^[a-zA-Z0-9-_]+$`)
	seen := map[string]bool{}
	for i, c := range top["cells"].([]any) {
		cell := c.(map[string]any)
		var err error
		switch cell["cell_type"] {
		case "code":
			err = fields("a code cell", cell, "id cell_type metadata source outputs execution_count")
		case "markdown", "raw":
			err = fields("a text cell", cell, "id cell_type metadata source", "attachments")
		default:
			err = fmt.Errorf("cell_type %v", cell["cell_type"])
		}
		if err != nil {
			return err
		}
		name, _ := cell["id"].(string)
		if !id.MatchString(name) || len(name) > 64 || seen[name] {
			return fmt.Errorf("cell %d: id %q is invalid or not unique", i, name)
		}
		seen[name] = true
		if _, ok := cell["metadata"].(map[string]any); !ok || !multiline(cell["source"]) {
			return fmt.Errorf("cell %d: metadata or source", i)
		}
		outputs, _ := cell["outputs"].([]any)
		if cell["cell_type"] == "code" && outputs == nil {
			return fmt.Errorf("cell %d: outputs are no list", i)
		}
		for _, o := range outputs {
			out := o.(map[string]any)
			switch out["output_type"] {
			case "stream":
				err = fields("a stream", out, "output_type name text")
				if err == nil && !multiline(out["text"]) {
					err = fmt.Errorf("text %v", out["text"])
				}
			case "display_data":
				err = fields("a display", out, "output_type data metadata")
			case "execute_result":
				err = fields("a result", out, "output_type data metadata execution_count")
			case "error":
				err = fields("an error", out, "output_type ename evalue traceback")
				if err == nil && !multiline(out["traceback"]) {
					err = fmt.Errorf("traceback %v", out["traceback"])
				}
			default:
				err = fmt.Errorf("output_type %v", out["output_type"])
			}
			if data, ok := out["data"].(map[string]any); ok {
				for mime, v := range data {
					if !strings.HasSuffix(mime, "json") && !multiline(v) {
						err = fmt.Errorf("%s: %v", mime, v)
					}
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

const sample = `{"nbformat":4,"nbformat_minor":2,"metadata":{"kernelspec":{"name":"x","display_name":"X","language":"Go"},"own":{"b":1.0,"a":[1]}},"future":1,"cells":[
{"cell_type":"markdown","metadata":{},"ours":"<i>","outputs":["misplaced"],"execution_count":8,"source":["# A title\n","text"],"attachments":{"a.png":{"image/png":"AAAA"}}},
{"cell_type":"code","metadata":{"tags":["parameters"],"x":1},"source":"var n = 1","execution_count":3,"outputs":[
 {"output_type":"stream","name":"stdout","text":["a\n","b"]},
 {"output_type":"display_data","data":{"text/html":["<b>\n","</b>"],"application/vnd.x+json":{"k":["\u003c=",1.50]}},"metadata":{"w":1}},
 {"output_type":"execute_result","data":{"text/plain":"3"},"metadata":{},"execution_count":3},
 {"output_type":"error","ename":"E","evalue":"v","extra":[],"traceback":["\u001b[31mt\u001b[0m"]}]},
{"cell_type":"code","id":"same","metadata":{},"source":[],"execution_count":null,"outputs":[]},
{"cell_type":"raw","id":"same","metadata":{},"source":""},
{"cell_type":"markdown","id":"not valid!","metadata":{},"source":"x"}]}`

func TestParse(t *testing.T) {
	nb, err := Parse([]byte("\xef\xbb\xbf" + sample)) // Some editors write a byte order mark.
	if err != nil {
		t.Fatal(err)
	}
	if len(nb.Cells) != 5 || nb.Language() != "go" || nb.Title() != "A title" {
		t.Fatalf("%d cells, language %q, title %q", len(nb.Cells), nb.Language(), nb.Title())
	}
	c := nb.Cells[1]
	if c.Source != "var n = 1" || !c.Tagged("parameters") || *c.ExecutionCount != 3 || len(c.Outputs) != 4 {
		t.Errorf("the code cell is read as %+v", c)
	}
	if s, _ := c.Outputs[1].Data.Text("text/html"); s != "<b>\n</b>" {
		t.Errorf("text/html is %q", s)
	}
	if s, _ := c.Outputs[1].Data.Text("application/vnd.x+json"); s != `{"k":["\u003c=",1.50]}` {
		t.Errorf("JSON is %q", s)
	}
	if nb.Cells[2].ID != "same" || nb.Cells[3].ID == "same" {
		t.Errorf("ids used twice: %q, %q", nb.Cells[2].ID, nb.Cells[3].ID)
	}
	if got := c.Printed(); got != "a\nbt\n" {
		t.Errorf("printed %q", got)
	}
}

// TestLawRoundTrip: what is written is valid, is read as the same, and is written the same again.
func TestLawRoundTrip(t *testing.T) {
	nb, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	first, err := nb.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkFormat(first, "future", "ours", "extra"); err != nil {
		t.Errorf("%v:\n%s", err, first)
	}
	again, err := Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("written again, it is:\n%s\nnot\n%s", second, first)
	}
	for _, kept := range []string{`"own": {`, `1.0`, `"attachments"`, `"a\n",`, `"<b>\n",`, `"x": 1`, `"<=",`, `1.50`, `"future": 1`, `"ours": "<i>"`, `"extra": []`} {
		if !bytes.Contains(first, []byte(kept)) {
			t.Errorf("%s is lost:\n%s", kept, first)
		}
	}
	for _, dropped := range []string{"misplaced", `"execution_count": 8`} {
		if bytes.Contains(first, []byte(dropped)) {
			t.Errorf("a field that the format has only elsewhere is kept: %s", dropped)
		}
	}
}

// A cell knows the line of the file that its source begins on: the one that holds its first line.
func TestLawCellsKnowTheirLines(t *testing.T) {
	nb := &Notebook{Metadata: Metadata{"cells": []byte(`[{"source":["first 0"]}]`), "source": []byte("\"first 1\"")}}
	for i := range 20 {
		c := &Cell{Type: Code, Source: fmt.Sprintf("first %d\nsource: [", i), Metadata: Metadata{"source": []byte(`["first 3"]`)}}
		if i%3 == 0 {
			c.Type, c.Source = Markdown, strings.TrimSuffix(c.Source, "\nsource: [")
		}
		if i%4 == 1 {
			c.Outputs = []*Output{{Type: Stream, Name: "stdout", Text: "first 2\nsource"}}
		}
		nb.Cells = append(nb.Cells, c, &Cell{Type: Code, Source: "equal cells"})
	}
	file := filepath.Join(t.TempDir(), "a.ipynb")
	if err := nb.Write(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(b), "\n")
	got, err := Read(file)
	if err != nil || got.File != file {
		t.Fatal(got.File, err)
	}
	last := 0
	for i, c := range got.Cells {
		first, _, _ := strings.Cut(c.Source, "\n")
		if c.Line <= last || !strings.HasPrefix(strings.TrimSpace(lines[c.Line-1]), strconv.Quote(first)[:len(first)+1]) {
			t.Errorf("cell %d, %q, is said to be on line %d: %s", i, first, c.Line, lines[c.Line-1])
		}
		last = c.Line
	}
	oneLine, err := Parse([]byte(`{"nbformat":4,"metadata":{},"cells":[{"cell_type":"code","metadata":{},"source":"a\nb"},{"cell_type":"raw","metadata":{},"source":""}]}`))
	if err != nil || oneLine.Cells[0].Line != 1 || oneLine.Cells[1].Line != 1 {
		t.Errorf("%+v, %v", oneLine.Cells, err)
	}
}

func TestFirst(t *testing.T) {
	for source, want := range map[string]string{
		"": " false", "%%\n\n": " false", "%%\n  // What it does. \nx()": "What it does. true", "%env A=1\n\tx := 1 // one\ny": "x := 1 // one false", "//": " true",
	} {
		line, comment := NewCode(source).First()
		if got := fmt.Sprint(line, " ", comment); got != want {
			t.Errorf("%q begins with %q, want %q", source, got, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"hello", "not JSON: a notebook begins with {"},
		{"{\n\"nbformat\": 4,\n oops}", "line 3"},
		{"[]", "not a notebook"},
		{`{"cells":[]}`, "no nbformat"},
		{`{"nbformat":2,"worksheets":[]}`, "nbformat is 2, must be 3 to 4.5: convert it: jupyter nbconvert --to notebook --nbformat 4"},
		{`{"nbformat":5,"cells":[]}`, "nbformat is 5.0, must be 3 to 4.5: the Jupyter that wrote it may convert it: jupyter nbconvert --to"},
		{`{"nbformat":"4","cells":[]}`, `nbformat is "4", must be a whole number`},
		{`{"nbformat":4,"cells":{}}`, "cells is {}, must be a list of cells"},
		{`{"Nbformat":4,"Cells":[]}`, "no nbformat"},
		{`{"nbformat":4,"metadata":{"lucigo":{"claims":"12"}},"cells":[]}`, `metadata: lucigo: claims is "12", must be a whole number`},
		{`{"nbformat":4,"metadata":{"lucigo":{"claims":-1}},"cells":[]}`, `claims is -1, must be at least 0`},
		{`{"nbformat":4}`, "no list of cells"},
		{`{"nbformat":4,"cells":[{"cell_type":"movie","source":""}]}`, `cell 1, line 1: cell_type is "movie", must be`},
		{`{"nbformat":4,"cells":[{"cell_type":"code"}]}`, "cell 1, line 1: source is missing"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":[1]}]}`, "cell 1, line 1: source: it is [1], must be a text or a list of its lines"},
		{`{"nbformat":4,"cells":[null]}`, `cell 1, line 1: cell_type is ""`},
		{`{"nbformat":4,"cells":[3]}`, `cell 1, line 1: it is 3, must be an object`},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[{"output_type":"display_data","data":{"image/png":1}}]}]}`, `output 1: image/png: it is 1, must be a text`},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","metadata":{"tags":"x"}}]}`, "must be a list of strings"},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","metadata":{"tags":["a","a"]}}]}`, `tag 2 is "a", must be neither`},
		{`{"nbformat":4,"cells":[{"cell_type":"code","source":"","outputs":[{"output_type":"x"}]}]}`, `cell 1, line 1: output 1: output_type is "x", must be`},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.text, err, c.want)
		}
	}
	file := filepath.Join(t.TempDir(), "x.ipynb")
	if err := os.WriteFile(file, []byte("%PDF-1.4"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.HasPrefix(err.Error(), file) {
		t.Errorf("the error does not begin with the file's name: %v", err)
	}
}

func TestReadBoundsSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.ipynb")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(MaxSize + 1); err != nil { // Sparse: no disk is used.
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("an enormous file: %v", err)
	}
}

func TestWriteReplacesWhole(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.ipynb")
	nb := &Notebook{Cells: []*Cell{{Type: Code, Source: "a\n<b>"}}}
	for range 2 {
		if err := nb.Write(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(file)
	if err != nil || got.Cells[0].Source != "a\n<b>" {
		t.Errorf("read back: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files are left, want 1", len(entries))
	}
	if b, _ := os.ReadFile(file); !bytes.Contains(b, []byte("<b>")) {
		t.Error("HTML is escaped in JSON")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(old))
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":["var x = ",1]}]}`))
	f.Add([]byte(`{"nBformAt":4,"Cells":[{"Cell_tYpe":"code","sourCe":"","outputs":[{"output_tYpe":"display_data","dAtA":{"":0}}]}]}`))
	f.Add([]byte(`{"nbformat":4,"cells":[{"cell_type":"code","source":["a\n","<<<<<<< b\n","=======\n",">>>>>>>\n"],}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var nb *Notebook
		var err error
		if took := hostile.Allocated(func() { nb, err = Parse(b) }); took > maxAllocated && len(b) <= 1_000_000 {
			t.Fatalf("%d bytes for a notebook of %d", took, len(b))
		}
		if err != nil {
			return
		}
		out, err := nb.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := checkFormat(out, nb.unknownNames()...); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(second, out) {
			t.Fatalf("written again, it is:\n%s\nnot\n%s", second, out)
		}
		list, err := nb.Parameters()
		if err == nil && len(list) > 0 {
			_ = nb.Inject(map[string]string{list[0].Name: "1"}) // Any error will do, no panic.
		}
	})
}

// unknownNames are the names of the fields that the package does not know, and keeps.
func (nb *Notebook) unknownNames() []string {
	names := slices.Collect(maps.Keys(nb.unknown))
	for _, c := range nb.Cells {
		names = slices.AppendSeq(names, maps.Keys(c.unknown))
		for _, o := range c.Outputs {
			names = slices.AppendSeq(names, maps.Keys(o.unknown))
		}
	}
	return names
}
