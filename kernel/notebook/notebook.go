// Package notebook reads and writes Jupyter notebooks: nbformat 4.0 to 4.5 in, 4.5 out.
//
// Everything the format defines is kept, metadata byte for byte; what it does not define is dropped, because a
// notebook with it would not be valid.
package notebook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"lucigo/internal/atomicfile"
)

// MaxSize is the size in bytes above which Read refuses a notebook.
const MaxSize = 256 << 20

// Notebook is a Jupyter notebook.
type Notebook struct {
	File     string // that Read read; "" for none
	Metadata Metadata
	Cells    []*Cell
}

// Metadata is a JSON object whose values this package passes on as they are.
type Metadata map[string]json.RawMessage

// The types of cells.
const (
	Markdown = "markdown"
	Code     = "code"
	Raw      = "raw"
)

// Cell is one cell; Outputs and ExecutionCount are a code cell's alone, Attachments the others'.
type Cell struct {
	ID             string // 1 to 64 of a-z, A-Z, 0-9, - and _, unique in the notebook
	Type           string // Markdown, Code or Raw
	Metadata       Metadata
	Source         string
	Line           int                   // of what was parsed, from 1, where Source begins; 0 for a new cell
	Attachments    map[string]MIMEBundle // by file name
	Outputs        []*Output
	ExecutionCount *int // nil: not run
}

// MIMEBundle holds one content in several representations, JSON by MIME type: strings, except for JSON types.
type MIMEBundle map[string]json.RawMessage

// Text is the representation of type mime as text; JSON that is not a string comes as it is written.
func (b MIMEBundle) Text(mime string) (string, bool) {
	raw, ok := b[mime]
	if !ok {
		return "", false
	}
	var s multiline
	if json.Unmarshal(raw, &s) == nil {
		return string(s), true
	}
	return string(raw), true
}

// The types of outputs.
const (
	Stream        = "stream"
	DisplayData   = "display_data"
	ExecuteResult = "execute_result"
	Error         = "error"
)

// Output is one output of a code cell; which fields it has depends on its type.
type Output struct {
	Type           string
	Name, Text     string     // Stream: stdout or stderr, and what was printed
	Data           MIMEBundle // DisplayData and ExecuteResult
	Metadata       Metadata   // the same
	ExecutionCount *int       // ExecuteResult
	EName, EValue  string     // Error
	Traceback      []string   // Error
}

// Read reads the notebook in file; its errors begin with the file's name.
func Read(file string) (*Notebook, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", file)
	}
	var b []byte
	if info.Size() <= MaxSize {
		if b, err = io.ReadAll(io.LimitReader(f, MaxSize+1)); err != nil {
			return nil, err
		}
	}
	if info.Size() > MaxSize || len(b) > MaxSize {
		return nil, fmt.Errorf("%s: larger than %d MiB: clear its outputs, or split it", file, MaxSize>>20)
	}
	nb, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	nb.File = file
	return nb, nil
}

// multiline is text that the format stores as a string or as a list of strings.
type multiline string

func (m *multiline) UnmarshalJSON(b []byte) error {
	var parts []string
	if err := json.Unmarshal(b, &parts); err == nil && len(b) > 0 && b[0] == '[' {
		*m = multiline(strings.Join(parts, ""))
		return nil
	}
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return errors.New("neither a string nor a list of strings")
	}
	*m = multiline(*s)
	return nil
}

// lines is text as nbformat writes it: a list of lines with their line ends.
func lines(s string) []string {
	l := slices.Collect(strings.Lines(s))
	if l == nil {
		return []string{}
	}
	return l
}

type cellJSON struct {
	ID             *string               `json:"id"`
	CellType       string                `json:"cell_type"`
	Metadata       Metadata              `json:"metadata"`
	Source         *multiline            `json:"source"`
	Attachments    map[string]MIMEBundle `json:"attachments"`
	Outputs        []outputJSON          `json:"outputs"`
	ExecutionCount *int                  `json:"execution_count"`
}

type outputJSON struct {
	OutputType     string     `json:"output_type"`
	Name           string     `json:"name"`
	Text           multiline  `json:"text"`
	Data           MIMEBundle `json:"data"`
	Metadata       Metadata   `json:"metadata"`
	ExecutionCount *int       `json:"execution_count"`
	EName          string     `json:"ename"`
	EValue         string     `json:"evalue"`
	Traceback      []string   `json:"traceback"`
}

var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// Parse reads a notebook. Cells without an id, or with one that is invalid or used twice, get a new one that depends
// on nothing but the cell's place and text.
func Parse(b []byte) (*Notebook, error) {
	var raw struct {
		Format   *int              `json:"nbformat"`
		Minor    int               `json:"nbformat_minor"`
		Metadata Metadata          `json:"metadata"`
		Cells    []json.RawMessage `json:"cells"`
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := json.Unmarshal(b, &raw); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) {
			return nil, fmt.Errorf("not a notebook: %w", err)
		}
		return nil, fmt.Errorf("not a notebook: not JSON: %w%s", err, position(b, err))
	}
	switch {
	case raw.Format == nil:
		return nil, errors.New("not a notebook: it has no nbformat field")
	case *raw.Format != 4:
		return nil, fmt.Errorf("nbformat %d.%d is not supported, 4.0 to 4.5 is: save it again with a current Jupyter", *raw.Format, raw.Minor)
	case raw.Cells == nil:
		return nil, errors.New("not a notebook: it has no list of cells")
	}
	nb := &Notebook{Metadata: raw.Metadata.orEmpty(), Cells: make([]*Cell, len(raw.Cells))}
	used := map[string]bool{}
	at, line := 0, 1
	forward := func(by int) { // to where the next cell's source begins
		line += bytes.Count(b[at:at+by], []byte("\n"))
		at += by
	}
	forward(value(b, "cells"))
	for i, r := range raw.Cells {
		var c cellJSON
		err := json.Unmarshal(r, &c)
		if err == nil {
			nb.Cells[i], err = c.cell()
		}
		if err != nil {
			return nil, fmt.Errorf("cell %d: %w", i+1, err)
		}
		if id := nb.Cells[i].ID; !validID.MatchString(id) || used[id] {
			nb.Cells[i].ID = ""
		}
		used[nb.Cells[i].ID] = true
		if before, text := bytes.Index(b[at:], r), value(r, "source"); before >= 0 { // b holds r as it is
			forward(before + text)
			nb.Cells[i].Line = line
			forward(len(r) - text)
		}
	}
	nb.identify()
	return nb, nil
}

// value is where the value of a key begins in a JSON object: of a list, its first element.
func value(object []byte, key string) int {
	d := json.NewDecoder(bytes.NewReader(object))
	d.Token() // {
	for {
		name, err := d.Token()
		if err != nil { // It has no such key.
			return 0
		}
		if name == key {
			return len(object) - len(bytes.TrimLeft(object[d.InputOffset():], ": \t\r\n["))
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return 0
		}
	}
}

// identify gives ids to the cells that have none.
func (nb *Notebook) identify() {
	used := map[string]bool{}
	for _, c := range nb.Cells {
		used[c.ID] = true
	}
	for i, c := range nb.Cells {
		for n := 0; c.ID == ""; n++ {
			h := sha256.Sum256(fmt.Appendf(nil, "%d %d %s", i, n, c.Source))
			if id := hex.EncodeToString(h[:4]); !used[id] {
				c.ID, used[id] = id, true
			}
		}
	}
}

// position says where in b a syntax error is.
func position(b []byte, err error) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset > int64(len(b)) {
		return ""
	}
	before := b[:syntax.Offset]
	return fmt.Sprintf(" (line %d)", 1+bytes.Count(before, []byte("\n")))
}

func (c cellJSON) cell() (*Cell, error) {
	switch c.CellType {
	case Code, Markdown, Raw:
	default:
		return nil, fmt.Errorf("unknown cell_type %q", c.CellType)
	}
	if c.Source == nil {
		return nil, errors.New("it has no source")
	}
	cell := &Cell{Type: c.CellType, Metadata: c.Metadata.orEmpty(), Source: string(*c.Source)}
	if c.ID != nil {
		cell.ID = *c.ID
	}
	if err := cell.checkTags(); err != nil {
		return nil, err
	}
	if c.CellType != Code {
		cell.Attachments = c.Attachments
		return cell, nil
	}
	cell.ExecutionCount = c.ExecutionCount
	for i, o := range c.Outputs {
		out, err := o.output()
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i+1, err)
		}
		cell.Outputs = append(cell.Outputs, out)
	}
	return cell, nil
}

func (o outputJSON) output() (*Output, error) {
	switch o.OutputType {
	case Stream:
		if o.Name == "" {
			return nil, errors.New("a stream without a name")
		}
		return &Output{Type: Stream, Name: o.Name, Text: string(o.Text)}, nil
	case DisplayData, ExecuteResult:
		out := &Output{Type: o.OutputType, Data: o.Data, Metadata: o.Metadata.orEmpty()}
		if o.OutputType == ExecuteResult {
			out.ExecutionCount = o.ExecutionCount
		}
		return out, nil
	case Error:
		return &Output{Type: Error, EName: o.EName, EValue: o.EValue, Traceback: o.Traceback}, nil
	}
	return nil, fmt.Errorf("unknown output_type %q", o.OutputType)
}

func (m Metadata) orEmpty() Metadata {
	if m == nil {
		return Metadata{}
	}
	return m
}

// Tags are the cell's tags.
func (c *Cell) Tags() []string {
	var tags []string
	if raw, ok := c.Metadata["tags"]; ok {
		_ = json.Unmarshal(raw, &tags) // Parse has checked it.
	}
	return tags
}

// Tagged says whether the cell has the tag.
func (c *Cell) Tagged(tag string) bool { return slices.Contains(c.Tags(), tag) }

// checkTags refuses tags that are no list of different strings without commas: the format's rule.
func (c *Cell) checkTags() error {
	raw, ok := c.Metadata["tags"]
	if !ok {
		return nil
	}
	var tags []string
	if err := json.Unmarshal(raw, &tags); err != nil {
		return errors.New("its tags are not a list of strings")
	}
	for i, t := range tags {
		if t == "" || strings.Contains(t, ",") || slices.Contains(tags[:i], t) {
			return fmt.Errorf("invalid tag %q: empty, with a comma, or given twice", t)
		}
	}
	return nil
}

var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// Printed is the text that the cell printed and the errors it ended with, as one text without a terminal's colours.
func (c *Cell) Printed() string {
	var b strings.Builder
	for _, o := range c.Outputs {
		switch o.Type {
		case Stream:
			b.WriteString(o.Text)
		case Error:
			b.WriteString(strings.Join(o.Traceback, "\n") + "\n")
		}
	}
	return colours.ReplaceAllString(b.String(), "")
}

// Language is the notebook's programming language in lower case, or "" where it does not say.
func (nb *Notebook) Language() string {
	for _, field := range []struct{ object, name string }{{"kernelspec", "language"}, {"language_info", "name"}} {
		var o map[string]json.RawMessage
		var s string
		if json.Unmarshal(nb.Metadata[field.object], &o) == nil && json.Unmarshal(o[field.name], &s) == nil && s != "" {
			return strings.ToLower(s)
		}
	}
	return ""
}

// Title is the notebook's title: of its metadata, else its first Markdown heading, else "".
func (nb *Notebook) Title() string {
	var s string
	if json.Unmarshal(nb.Metadata["title"], &s) == nil && s != "" {
		return s
	}
	for _, c := range nb.Cells {
		if h := c.Heading(); h != "" {
			return h
		}
	}
	return ""
}

// Heading is the text of the first heading (#, ##, …) in a Markdown cell, or "".
func (c *Cell) Heading() string {
	if c.Type != Markdown {
		return ""
	}
	fenced := false
	for line := range strings.Lines(c.Source) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if text := strings.TrimLeft(line, "#"); !fenced && text != line && strings.HasPrefix(text, " ") {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// Encode is the notebook as nbformat 4.5 JSON, laid out as Jupyter does: keys sorted, indented by one space, texts
// as lists of lines.
func (nb *Notebook) Encode() ([]byte, error) {
	nb.identify()
	cells := make([]any, len(nb.Cells))
	for i, c := range nb.Cells {
		o := map[string]any{"id": c.ID, "cell_type": c.Type, "metadata": c.Metadata.orEmpty(), "source": lines(c.Source)}
		if c.Type == Code {
			outputs := make([]any, len(c.Outputs))
			for j, out := range c.Outputs {
				outputs[j] = out.encode()
			}
			o["outputs"], o["execution_count"] = outputs, c.ExecutionCount
		} else if c.Attachments != nil {
			o["attachments"] = c.Attachments
		}
		cells[i] = o
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(map[string]any{"nbformat": 4, "nbformat_minor": 5, "metadata": nb.Metadata.orEmpty(), "cells": cells})
	return b.Bytes(), err
}

func (o *Output) encode() map[string]any {
	m := map[string]any{"output_type": o.Type}
	switch o.Type {
	case Stream:
		m["name"], m["text"] = o.Name, lines(o.Text)
	case DisplayData, ExecuteResult:
		data := map[string]any{}
		for mime, raw := range o.Data {
			data[mime] = unescaped(raw)
			var s multiline
			if json.Unmarshal(raw, &s) == nil && !strings.HasSuffix(mime, "json") {
				data[mime] = lines(string(s))
			}
		}
		m["data"], m["metadata"] = data, o.Metadata.orEmpty()
		if o.Type == ExecuteResult {
			m["execution_count"] = o.ExecutionCount
		}
	case Error:
		traceback := o.Traceback
		if traceback == nil {
			traceback = []string{}
		}
		m["ename"], m["evalue"], m["traceback"] = o.EName, o.EValue, traceback
	}
	return m
}

// unescaped is raw decoded, so that it is encoded again without the escapes (\u003c) that HTML would need.
func unescaped(raw json.RawMessage) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return raw
	}
	return v
}

// Write writes the notebook into file, all of it or nothing.
func (nb *Notebook) Write(file string) error {
	b, err := nb.Encode()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return atomicfile.WriteFile(file, b, 0o644)
}
