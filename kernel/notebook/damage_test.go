package notebook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"lucigo/internal/hostile"
)

// TestDamaged: whatever else is in a file, the error says what, where, and what makes a notebook of it.
func TestDamaged(t *testing.T) {
	utf16 := func(order string) string {
		s := order
		for _, c := range "{\"nbformat\": 4}" {
			if order == "\xfe\xff" {
				s += "\x00" + string(c)
			} else {
				s += string(c) + "\x00"
			}
		}
		return s
	}
	for _, c := range []struct{ file, want string }{
		{"", "the file is empty"},
		{" \r\n", "the file is empty"},
		{"\xef\xbb\xbf", "the file is empty"},
		{utf16("\xff\xfe"), "it is UTF-16, must be UTF-8: iconv"},
		{utf16("\xfe\xff"), "it is UTF-16, must be UTF-8: iconv"},
		{utf16(""), "it is UTF-16, must be UTF-8: iconv"},
		{"{\n\"a\": \"\xe9\"}", "not UTF-8 (line 2)"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS, and the file is elsewhere: git lfs pull"},
		{"\n<!DOCTYPE html>\n<html>", "a web page (HTML): download the file itself"},
		{"<?xml version", "a web page"},
		{"PK\x03\x04\x00", "it is compressed: unpack it"},
		{"# A title\n\ntext", "a script or Markdown: jupytext --to ipynb"},
		{"// ---\n// jupyter:", "a script or Markdown"},
		{"import numpy as np\n", "a script or Markdown"},
		{"%PDF-1.4", "begins with {, and this with \"%PDF-1.4\" (line 1)"},
		{"[]", "begins with {, and this with \"[]\""},
		{"<<<<<<< HEAD\n{\"nbformat\": 4}", "a merge conflict is not resolved: there is a marker <<<<<<<: keep one side and remove the markers (line 1)"},
		{"{\n \"nbformat\": 4,\n<<<<<<< HEAD\n \"cells\": []\n=======\n \"cells\": []\n>>>>>>> b\n}", "marker <<<<<<<: keep one side and remove the markers (line 3)"},
		{"{\n \"cells\": []\r\n=======\r\n}", "marker =======: keep one side and remove the markers (line 3)"},
		{"{\n \"cells\": []\n>>>>>>> theirs\n}", "marker >>>>>>>: keep one side and remove the markers (line 3)"},
		{"{\n\"cells\": [\n 1,\n]}", "a comma before ], which JSON does not have: remove it (line 3)"},
		{"{\n\"cells\": [\n 1] ,}", "a comma before }, which JSON does not have: remove it (line 3)"},
		{"{\"cells\": [\n{\"x\": NaN}]}", "a number that JSON does not have (NaN, Infinity): clear the outputs of the cell (line 2)"},
		{"{\"cells\": [\n{\"x\": -Infinity}]}", "(NaN, Infinity)"},
		{"{\"nbformat\": 4,\n\"cells\": [", "the file ends too early"},
		{"{\"nbformat\": 4,\n\"cells\": \"x", "(line 2)"},
		{"{\"nbformat\": 4}\n}", "there is more after its end: remove that (line 2)"},
		{"{\"a\": \"x\ny\"}", "a line end or a control character in a text"},
		{"{'nbformat': 4}", "invalid character '\\''"},
	} {
		if _, err := Parse([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.file, err, c.want)
		}
	}
}

// cell is a notebook's file with one cell, whose source is given as JSON on the lines from the third.
func cell(typ, source string) []byte {
	return []byte("{\"nbformat\": 4, \"cells\": [\n{\"cell_type\": \"" + typ + "\", \"metadata\": {}, \"source\":\n" + source + "}]}")
}

// TestLines: lists whose items would be joined are refused, with the line; the line ends of all writers count.
func TestLines(t *testing.T) {
	for source, want := range map[string]string{
		`["a\n", "b"]`:                  "a\nb",
		`["a\r", "b\u2028", "\f", "c"]`: "a\rb\u2028\fc", // So Python cuts.
		`["a\r\n", "b"]`:                "a\r\nb",
		`["a", ""]`:                     "a",
		`["a\n", "", "b\n"]`:            "a\nb\n",
		`"a\nb"`:                        "a\nb",
		`[]`:                            "",
	} {
		if nb, err := Parse(cell("code", source)); err != nil || nb.Cells[0].Source != want {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
	for source, want := range map[string]string{
		"[\n\"a\\n\",\n\"b := 1\",\n\"c\"]": `cell 1, line 5: source: line 2 of the list, "b := 1", has no line end (\n), and is not the last`,
		`["a", "b"]`:                        `cell 1, line 3: source: line 1 of the list, "a"`,
		`["a", "", "b"]`:                    `line 1 of the list, "a"`,
		`["a\n", null]`:                     `source: it is ["a\n", null], must be a text or a list`,
	} {
		if _, err := Parse(cell("code", source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", source, err, want)
		}
	}
	outputs := func(json string) []byte {
		return []byte("{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": \"\",\n\"outputs\": [" + json + "]}]}")
	}
	for json, want := range map[string]string{
		"{\"output_type\": \"stream\", \"name\": \"stdout\",\n \"text\": [\n\"a\", \"b\"]}":                      `cell 1, line 4: output 1: text: line 1 of the list, "a"`,
		"{\"output_type\": \"display_data\", \"data\": {\"text/html\": [\"<b>\",\n\"</b>\"]}, \"metadata\": {}}": `cell 1, line 2: output 1: text/html: line 1 of the list, "<b>"`,
	} {
		if _, err := Parse(outputs(json)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", json, err, want)
		}
	}
	nb, err := Parse(outputs(`{"output_type": "display_data", "data": {"image/png": ["AA", "AA"], "application/x+json": ["a", "b"]}, "metadata": {}}`))
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := nb.Cells[0].Outputs[0].Data.Text("image/png"); s != "AAAA" {
		t.Errorf("base64 in pieces: %q", s)
	}
}

// TestConflicts: markers in cells are found, and text is no marker.
func TestConflicts(t *testing.T) {
	both := "<<<<<<< local\nx := 1\n=======\nx := 2\n>>>>>>> remote\n"
	for _, c := range []struct {
		typ, source string
		want        string
	}{
		{"code", "%%\n" + both, "<<<<<<<"},
		{"code", "x := 2\n>>>>>>> remote", ">>>>>>>"},
		{"markdown", "text\n" + both, "<<<<<<<"},
		{"markdown", `<span style="color:red">**<<<<<<< local**</span>`, "<<<<<<<"},
		{"raw", both, "<<<<<<<"},
		{"code", "s := `\n" + both + "`", ""},
		{"code", "/*\n" + both + "*/\n// a\n", ""},
		{"code", "fmt.Println(1 <<\n\t3)", ""},
		{"code", "// <<<<<<< x", ""},
		{"markdown", "Git writes\n```\n" + both + "```\nthere.", ""},
		{"markdown", "A title\n=======\ntext", ""},
		{"markdown", "on <<<<<<< see", ""},
	} {
		source, _ := json.Marshal(strings.SplitAfter(c.source, "\n"))
		source = []byte(strings.NewReplacer(`","`, "\",\n\"", `\u003c`, "<", `\u003e`, ">").Replace(string(source)))
		_, err := Parse(cell(c.typ, string(source)))
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), "there is a marker "+c.want) {
			t.Errorf("%s %q: %v, want %q", c.typ, c.source, err, c.want)
		}
		if line := 3 + strings.Count(c.source[:max(strings.Index(c.source, c.want), 0)], "\n"); err != nil && !strings.Contains(err.Error(), "line "+string(rune('0'+line))+":") {
			t.Errorf("%s %q: %v, want line %d", c.typ, c.source, err, line)
		}
	}
}

// maxAllocated is the most that may be allocated over all to read a notebook of a megabyte, whatever is let go meanwhile.
const maxAllocated = 64_000_000

// TestHostileNotebooks: whatever a megabyte holds, it is read in a moment, and takes 64 MB at most, over all: not only
// of what is held at once; errors stay short and command no terminal.
func TestHostileNotebooks(t *testing.T) {
	const n = 1_000_000
	many := func(s string) string { return strings.Repeat(s+",", n/(len(s)+1)) + s }
	numbered := func(format string) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	cell := func(source, tags, outputs string) string {
		return `{"cell_type":"code","metadata":{"tags":[` + tags + `]},"source":` + source + `,"outputs":[` + outputs + `]}`
	}
	display := func(data string) string {
		return cell(`""`, "", `{"output_type":"display_data","metadata":{},"data":{`+data+`}}`)
	}
	name := strings.Repeat("x", 20) + `\u001b]0;title\u0007` + strings.Repeat("y", n)
	old := func(cell string) string { return `{"cell_type":"code","language":"go",` + cell + "}" }
	for what, cells := range map[string]string{
		"cells": many(cell(`""`, "", "")), "objects": many("{}"), "lines": cell("["+many(`""`)+"]", "", ""),
		"tags":    cell(`""`, numbered(`"%d",`), ""),
		"outputs": cell(`""`, "", many(`{"output_type":"stream","name":"a","text":""}`)), "numbers": cell(`""`, "", many("0")),
		"types": display(numbered(`"a%d":"",`)), "lists": display(`"application/json":[` + many("[]") + "]"),
		"deep":      display(`"a+json":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)),
		"traceback": cell(`""`, "", `{"output_type":"error","ename":"","evalue":"","traceback":[`+many(`""`)+"]}"),
		"conflict":  cell(`"`+strings.Repeat("<<<<<<< ", n/8)+`"`, "", ""),
		"cell type": `{"cell_type":"` + name + `"}`, "output type": cell(`""`, "", `{"output_type":"`+name+`"}`),
		"media type": display(`"` + name + `":5`), "tag": cell(`""`, `"`+name+`,"`, ""),
		"pages": display(`"text/html":[` + many(`"\n"`) + "]"), "fields": `{"cell_type":"raw","source":"",` + numbered(`"a%d":0,`) + "}",
		"attachments": `{"cell_type":"raw","source":"","attachments":{` + numbered(`"a%d":{},`) + "}}",
		"old cells":   many(old(`"input":[]`)), "old sheets": `]},` + many(`{"cells":[]}`) + `,{"cells":[`,
		"old lines": old(`"input":[` + many(`"\n"`) + "]"), "old outputs": old(`"outputs":[` + many(`{"output_type":"pyout","text":""}`) + "]"),
		"old types": old(`"outputs":[{"output_type":"pyout",` + numbered(`"a%d":"",`) + "}]"), "old numbers": old(`"outputs":[` + many("0") + "]"),
		"old pages": old(`"outputs":[{"output_type":"pyout","html":[` + many(`"\n"`) + "]}]"),
	} {
		source := `{"nbformat":4,"nbformat_minor":5,"metadata":{},"cells":[` + cells + "]}"
		if strings.HasPrefix(what, "old") {
			source = `{"nbformat":3,"nbformat_minor":0,"metadata":{},"worksheets":[{"cells":[` + cells + "]}]}"
		}
		var err error
		if took := hostile.Allocated(func() { _, err = Parse([]byte(source)) }); took > maxAllocated {
			t.Errorf("%s: %d MB for a notebook of 1 MB", what, took/1_000_000)
		}
		if err != nil && (len(err.Error()) > 300 || strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "\x07")) {
			t.Errorf("%s: an error of %d bytes: %.300q", what, len(err.Error()), err)
		}
	}
}
