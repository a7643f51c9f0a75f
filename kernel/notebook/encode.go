package notebook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Encode is the notebook as nbformat 4.5 JSON, laid out as Jupyter does: keys sorted, indented by one space, texts
// as lists of lines.
func (nb *Notebook) Encode() ([]byte, error) {
	var b bytes.Buffer
	err := nb.encode(&b)
	return b.Bytes(), err
}

// encode writes what Encode returns, and holds one output of it at a time.
func (nb *Notebook) encode(w io.Writer) error {
	nb.identify()
	l := layout{Writer: bufio.NewWriter(w)}
	l.object(nb.unknown.joined(map[string]any{"nbformat": 4, "nbformat_minor": max(nb.minor, 5),
		"metadata": nb.Metadata.orEmpty(), "cells": nb.Cells}), 0)
	l.WriteByte('\n')
	if l.err != nil {
		return l.err
	}
	return l.Flush()
}

func (c *Cell) fields() map[string]any {
	o := map[string]any{"id": c.ID, "cell_type": c.Type, "metadata": c.Metadata.orEmpty(), "source": lines(c.Source)}
	if c.Type == Code {
		o["outputs"], o["execution_count"] = c.Outputs, c.ExecutionCount
	} else if c.Attachments != nil {
		o["attachments"] = c.Attachments
	}
	return c.unknown.joined(o)
}

func (o *Output) fields() map[string]any {
	m := map[string]any{"output_type": o.Type}
	switch o.Type {
	case Stream:
		m["name"], m["text"] = o.Name, lines(o.Text)
	case DisplayData, ExecuteResult:
		data := map[string]any{}
		for mime, raw := range o.Data {
			data[mime] = raw
			if !isJSON(mime) { // What a kernel sends there may be no text.
				s, _ := o.Data.Text(mime)
				data[mime] = lines(s)
			}
		}
		m["data"], m["metadata"] = data, o.Metadata.orEmpty()
		if o.Type == ExecuteResult {
			m["execution_count"] = o.ExecutionCount
		}
	case Error:
		m["ename"], m["evalue"], m["traceback"] = o.EName, o.EValue, append([]string{}, o.Traceback...)
	}
	return o.unknown.joined(m)
}

// lines is text as nbformat writes it: a list of lines with their line ends.
func lines(s string) []string { return slices.AppendSeq([]string{}, strings.Lines(s)) }

// joined is fields together with those of o that are not among them.
func (o object) joined(fields map[string]any) map[string]any {
	for name, raw := range o {
		if _, ok := fields[name]; !ok {
			fields[name] = raw
		}
	}
	return fields
}

// layout writes JSON, laid out.
type layout struct {
	*bufio.Writer
	err error // of a value that cannot be written
}

// maxIndent is the depth below which all is on one line: with an indent of its depth before every element, 20 KB of
// brackets would become 100 MB.
const maxIndent = 16

// newline begins an element, or the end of a list of elements, of which each has a line of its own down to maxIndent.
func (l *layout) newline(elements, indent int) {
	if elements <= maxIndent {
		l.WriteByte('\n')
		for range indent {
			l.WriteByte(' ')
		}
	}
}

func (l *layout) object(fields map[string]any, depth int) {
	l.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			l.WriteByte(',')
		}
		l.newline(depth+1, depth+1)
		l.value(name, depth+1)
		l.WriteString(": ")
		l.value(fields[name], depth+1)
	}
	l.newline(depth+1, depth)
	l.WriteByte('}')
}

// list writes a list of n objects.
func (l *layout) list(n, depth int, fields func(i int) map[string]any) {
	l.WriteByte('[')
	for i := range n {
		if i > 0 {
			l.WriteByte(',')
		}
		l.newline(depth+1, depth+1)
		l.object(fields(i), depth+1)
	}
	if n > 0 {
		l.newline(depth+1, depth)
	}
	l.WriteByte(']')
}

func (l *layout) value(v any, depth int) {
	switch v := v.(type) {
	case []*Cell:
		l.list(len(v), depth, func(i int) map[string]any { return v[i].fields() })
	case []*Output:
		l.list(len(v), depth, func(i int) map[string]any { return v[i].fields() })
	default:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil && l.err == nil {
			l.err = fmt.Errorf("notebook: a value cannot be written: %w", err)
		}
		l.json(b.Bytes(), depth)
	}
}

// json lays out a text of JSON.
func (l *layout) json(b []byte, depth int) {
	empty := false // a { or [ is open that nothing has followed
	for len(b) > 0 {
		c, n := b[0], 1
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			b = b[1:]
			continue
		case c == '}' || c == ']':
			if depth--; !empty {
				l.newline(depth+1, depth)
			}
		case empty:
			l.newline(depth, depth)
		}
		empty = c == '{' || c == '['
		switch c {
		case '{', '[':
			depth++
			l.WriteByte(c)
		case ',':
			l.WriteByte(c)
			l.newline(depth, depth)
		case ':':
			l.WriteString(": ")
		case '"':
			n = l.text(b)
		default:
			l.WriteByte(c)
		}
		b = b[n:]
	}
}

// unescaped are the escapes that JSON needs only within HTML.
var unescaped = map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}

// text writes the string that b begins with, and returns its length.
func (l *layout) text(b []byte) int {
	from, at := 0, 1
	for ; b[at] != '"'; at++ {
		if b[at] != '\\' {
			continue
		}
		if c, ok := unescaped[string(b[at:min(at+6, len(b))])]; ok {
			l.Write(b[from:at])
			l.WriteByte(c)
			from = at + 6
			at += 5
		} else {
			at++ // What is escaped is no end.
		}
	}
	l.Write(b[from : at+1])
	return at + 1
}
