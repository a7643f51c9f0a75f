// Package notebook reads and writes Jupyter notebooks: nbformat 4.0 to 4.5 in, 4.5 out.
//
// Everything the format defines is kept, metadata byte for byte; what it does not define is dropped, because a
// notebook with it would not be valid.
package notebook

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	ID             string                `json:"id"`        // 1 to 64 of a-z, A-Z, 0-9, - and _, unique in the notebook
	Type           string                `json:"cell_type"` // Markdown, Code or Raw
	Metadata       Metadata              `json:"metadata"`
	Source         string                `json:"source"`
	Line           int                   `json:"-"`           // of what was parsed, from 1, where Source begins; 0 for a new cell
	Attachments    map[string]MIMEBundle `json:"attachments"` // by file name
	Outputs        []*Output             `json:"outputs"`
	ExecutionCount *int                  `json:"execution_count"` // nil: not run
}

// NewCode is a code cell with tags.
func NewCode(source string, tags ...string) *Cell {
	c := &Cell{Type: Code, Source: source, Metadata: Metadata{}}
	if tags != nil {
		c.Metadata["tags"], _ = json.Marshal(tags) // Strings are JSON.
	}
	return c
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
	Type           string     `json:"output_type"`
	Name           string     `json:"name"`            // Stream: stdout or stderr
	Text           string     `json:"text"`            // Stream: what was printed
	Data           MIMEBundle `json:"data"`            // DisplayData and ExecuteResult
	Metadata       Metadata   `json:"metadata"`        // the same
	ExecutionCount *int       `json:"execution_count"` // ExecuteResult
	EName          string     `json:"ename"`           // Error
	EValue         string     `json:"evalue"`          // Error
	Traceback      []string   `json:"traceback"`       // Error
}

// Read reads the notebook in file; its errors begin with the file's name.
func Read(file string) (*Notebook, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a file", file)
	case info.Size() > MaxSize:
		return nil, fmt.Errorf("%s: larger than %d MiB: clear its outputs, or split it", file, MaxSize>>20)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
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
		return errors.New("a text must be a string or a list of strings")
	}
	*m = multiline(*s)
	return nil
}

// lines is text as nbformat writes it: a list of lines with their line ends.
func lines(s string) []string { return slices.AppendSeq([]string{}, strings.Lines(s)) }

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
		var syntax *json.SyntaxError
		line := 1
		if errors.As(err, &syntax) {
			line += bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n"))
		}
		return nil, fmt.Errorf("not a notebook: not JSON: %w (line %d)", err, line)
	}
	switch {
	case raw.Format == nil:
		return nil, errors.New("not a notebook: it has no nbformat field")
	case *raw.Format != 4:
		return nil, fmt.Errorf("nbformat is %d.%d, must be 4.0 to 4.5: save it again with a current Jupyter", *raw.Format, raw.Minor)
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
		nb.Cells[i] = &Cell{}
		if err := json.Unmarshal(r, nb.Cells[i]); err != nil {
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

// UnmarshalJSON reads a cell, and no fields that are not of its type.
func (c *Cell) UnmarshalJSON(b []byte) error {
	type plain Cell
	raw := struct {
		*plain
		Source  *multiline        `json:"source"`
		Outputs []json.RawMessage `json:"outputs"`
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	switch {
	case c.Type != Code && c.Type != Markdown && c.Type != Raw:
		return fmt.Errorf("cell_type is %q, must be code, markdown or raw", c.Type)
	case raw.Source == nil:
		return errors.New("source is missing")
	}
	c.Source, c.Metadata = string(*raw.Source), c.Metadata.orEmpty()
	tags, err := c.tags()
	if err != nil {
		return err
	}
	for i, t := range tags {
		if t == "" || strings.Contains(t, ",") || slices.Contains(tags[:i], t) {
			return fmt.Errorf("tag %d is %q, must be neither empty nor given before, and without a comma", i+1, t)
		}
	}
	if c.Type != Code {
		c.ExecutionCount = nil
		return nil
	}
	c.Attachments = nil
	for i, r := range raw.Outputs {
		o := &Output{}
		if err := json.Unmarshal(r, o); err != nil {
			return fmt.Errorf("output %d: %w", i+1, err)
		}
		c.Outputs = append(c.Outputs, o)
	}
	return nil
}

// UnmarshalJSON reads an output.
func (o *Output) UnmarshalJSON(b []byte) error {
	type plain Output
	raw := struct {
		*plain
		Text multiline `json:"text"`
	}{plain: (*plain)(o)}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	o.Text = string(raw.Text)
	switch o.Type {
	case Stream:
		if o.Name == "" {
			return errors.New("name is missing")
		}
	case DisplayData, ExecuteResult, Error:
	default:
		return fmt.Errorf("output_type is %q, must be stream, display_data, execute_result or error", o.Type)
	}
	return nil
}

func (m Metadata) orEmpty() Metadata {
	if m == nil {
		return Metadata{}
	}
	return m
}

// tags are the cell's tags.
func (c *Cell) tags() (tags []string, err error) {
	if raw, ok := c.Metadata["tags"]; ok && json.Unmarshal(raw, &tags) != nil {
		return nil, errors.New("tags must be a list of strings")
	}
	return tags, nil
}

// Tagged says whether the cell has the tag.
func (c *Cell) Tagged(tag string) bool {
	tags, _ := c.tags() // Those of a notebook that was read are tags.
	return slices.Contains(tags, tag)
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
	return Plain(b.String())
}

// Plain is text without a terminal's colours.
func Plain(text string) string { return colours.ReplaceAllString(text, "") }

// Language is the notebook's programming language in lower case, or "" where it does not say.
func (nb *Notebook) Language() string {
	var kernel struct{ Language string }
	var info struct{ Name string }
	_ = json.Unmarshal(nb.Metadata["kernelspec"], &kernel) // What is of another type says nothing.
	_ = json.Unmarshal(nb.Metadata["language_info"], &info)
	return strings.ToLower(cmp.Or(kernel.Language, info.Name))
}

// Title is the notebook's title: of its metadata, else its first Markdown heading, else "".
func (nb *Notebook) Title() string {
	var title string
	_ = json.Unmarshal(nb.Metadata["title"], &title) // What is no string is no title.
	for _, c := range nb.Cells {
		title = cmp.Or(title, c.Heading())
	}
	return title
}

// First is the first line of the source that is not GoNB's, trimmed and without a comment's slashes, and whether it is
// a comment.
func (c *Cell) First() (line string, comment bool) {
	for line := range strings.Lines(c.Source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "%") {
			line, comment = strings.CutPrefix(line, "//")
			return strings.TrimSpace(line), comment
		}
	}
	return "", false
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
		m["ename"], m["evalue"], m["traceback"] = o.EName, o.EValue, append([]string{}, o.Traceback...)
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

// Write writes the notebook into file, all of it or nothing, and makes the file's directory.
func (nb *Notebook) Write(file string) error {
	b, err := nb.Encode()
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), atomicfile.WriteFile(file, b, 0o644))
}
