package notebook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

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

// converter is the command that turns notebooks of a format that it knows into format 4.
const converter = "jupyter nbconvert --to notebook --nbformat 4"

// Parse reads a notebook. Cells without an id, or with one that is invalid or used twice, get a new one that depends
// on nothing but the cell's place and text.
func Parse(b []byte) (*Notebook, error) {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := disguised(b); err != nil {
		return nil, err
	}
	var top object
	if err := json.Unmarshal(b, &top); err != nil {
		return nil, broken(b, err)
	}
	var format, minor int
	has, err := top.take("nbformat", &format, "a whole number")
	if _, err2 := top.take("nbformat_minor", &minor, "a whole number"); err == nil {
		err = err2
	}
	key := "cells"
	switch {
	case err != nil:
	case !has:
		err = errors.New("not a notebook: it has no nbformat field")
	case format > 4:
		err = fmt.Errorf("nbformat is %d.%d, must be 3 to 4.5: the Jupyter that wrote it may convert it: %s", format, minor, converter)
	case format < 3:
		err = fmt.Errorf("nbformat is %d, must be 3 to 4.5: convert it: %s", format, converter)
	case format == 3:
		key = "worksheets"
	}
	if err != nil {
		return nil, err
	}
	raws, err := top.cells(key)
	if err != nil {
		return nil, err
	}
	nb := &Notebook{Cells: make([]*Cell, len(raws)), minor: minor}
	if _, err := top.take("metadata", &nb.Metadata, "an object"); err != nil {
		return nil, err
	}
	nb.Metadata = nb.Metadata.orEmpty()
	nb.unknown = top
	if format == 3 {
		nb.upgrade(raws)
	}
	if _, err := nb.Metadata.claims(); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	at, line := 0, 1
	forward := func(by int) { // to where the next cell's source begins
		line += bytes.Count(b[at:at+by], []byte("\n"))
		at += by
	}
	forward(value(b, key))
	for i, raw := range raws {
		forward(max(bytes.Index(b[at:], raw), 0)) // b holds raw as it is
		c, err := parseCell(raw, format)
		if err != nil {
			var p misplaced
			if errors.As(err, &p) {
				forward(max(bytes.Index(raw, p.value), 0) + p.offset)
			}
			return nil, fmt.Errorf("cell %d, line %d: %w", i+1, line, err)
		}
		nb.Cells[i] = c
		if !validID.MatchString(c.ID) || used[c.ID] {
			c.ID = ""
		}
		used[c.ID] = true
		source := "source"
		if format == 3 && c.Type == Code {
			source = "input"
		}
		text := value(raw, source)
		forward(text)
		c.Line = line
		forward(len(raw) - text)
	}
	nb.identify()
	return nb, nil
}

// object is a JSON object whose fields are taken one by one, by their exact names. What is left in the end is not
// known to this package.
type object map[string]json.RawMessage

// take decodes a field and removes it. It says whether there was one; null is none. want says what the field must be.
func (o object) take(name string, to any, want string) (bool, error) {
	raw, ok := o[name]
	delete(o, name)
	if !ok || string(raw) == "null" {
		return false, nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return true, fmt.Errorf("%s is %s, must be %s", name, short(raw), want)
	}
	return true, nil
}

// short is the beginning of a text, for an error, which is printed.
func short(raw []byte) string {
	const enough = 40
	if len(raw) <= enough {
		return Plain(string(raw))
	}
	return Plain(strings.ToValidUTF8(string(raw[:enough]), "")) + "…"
}

// takeText is take for a text, which may be given as a list of its lines.
func (o object) takeText(name string, to *string) (bool, error) {
	raw, ok := o[name]
	delete(o, name)
	if !ok || string(raw) == "null" {
		return false, nil
	}
	lines, err := texts(raw)
	if err == nil {
		err = ended(raw, lines)
	}
	if err != nil {
		return true, fmt.Errorf("%s: %w", name, err)
	}
	*to = join(lines)
	return true, nil
}

// cells are the notebook's cells: a list, or, in format 3, lists in worksheets.
func (o object) cells(key string) (raws list, err error) {
	const cells = "a list of cells"
	if key == "cells" {
		if has, err := o.take(key, &raws, cells); err != nil || !has {
			return nil, cmp.Or(err, errors.New("not a notebook: it has no list of cells"))
		}
		return raws, nil
	}
	var sheets []object
	if _, err := o.take(key, &sheets, "a list of objects"); err != nil {
		return nil, err
	}
	for _, sheet := range sheets {
		var some list
		if _, err := sheet.take("cells", &some, cells); err != nil {
			return nil, err
		}
		raws = append(raws, some...)
	}
	return raws, nil
}

// misplaced is an error at a place within a JSON value of the file.
type misplaced struct {
	value  json.RawMessage // as it is in the file
	offset int
	why    string
}

func (m misplaced) Error() string { return m.why }

// text is a text that the format stores as a string or as a list of its lines.
func text(raw json.RawMessage) (string, error) {
	lines, err := texts(raw)
	return join(lines), err
}

// texts returns the lines of a text that is stored as their list, or the one string that it is stored as. None is nil.
func texts(raw json.RawMessage) (lines []*string, err error) {
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		return []*string{&s}, json.Unmarshal(raw, &s)
	}
	if json.Unmarshal(raw, &lines) != nil || lines == nil || slices.Contains(lines, nil) {
		return nil, fmt.Errorf("it is %s, must be a text or a list of its lines", short(raw))
	}
	return lines, nil
}

func join(lines []*string) string {
	var b strings.Builder
	for _, s := range lines {
		b.WriteString(*s)
	}
	return b.String()
}

// lineEnds are the characters at which writers of notebooks cut a text into lines.
const lineEnds = "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029"

// ended returns an error if one of the lines of raw, a list, has no line end and is not the last: reading it would join
// lines that were apart.
func ended(raw json.RawMessage, lines []*string) error {
	open := -1 // a line without an end
	for i, s := range lines {
		if *s == "" {
			continue
		}
		if open >= 0 {
			at, n := 0, 0 // where it ends in raw, and the number of parts until there
			for part := range parts(raw) {
				at = cap(raw) - cap(part) + quoted(part)
				if n++; n > open {
					break
				}
			}
			return misplaced{raw, at, fmt.Sprintf("line %d of the list, %q, has no line end (\\n), and is not the last: "+
				"it would be joined with the next", open+1, short([]byte(*lines[open])))}
		}
		if last, _ := utf8.DecodeLastRuneInString(*s); !strings.ContainsRune(lineEnds, last) {
			open = i
		}
	}
	return nil
}

// value is where the value of a key begins in a JSON object: of a list, its first element.
func value(object []byte, key string) int {
	for part := range parts(object) {
		var name string
		rest := part[quoted(part):]
		if json.Unmarshal(part[:len(part)-len(rest)], &name) == nil && name == key {
			return cap(object) - cap(bytes.TrimLeft(rest, ": \t\r\n[")) // Both reach to object's end.
		}
	}
	return 0 // It has no such key.
}

// parts are what the commas of a JSON object or list separate, without the space before: elements, or keys with their
// values. They are slices of raw.
func parts(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		depth, begin := 0, 0
		for i := 0; i < len(raw); i++ {
			c := raw[i]
			switch c {
			case '"':
				i += quoted(raw[i:]) - 1
			case '{', '[':
				if depth++; depth == 1 {
					begin = i + 1
				}
			case '}', ']':
				depth--
			}
			if end := depth == 0 && (c == '}' || c == ']'); end || depth == 1 && c == ',' {
				part := bytes.TrimLeft(raw[begin:i], " \t\r\n")
				if len(part) > 0 && !yield(part) || end {
					return
				}
				begin = i + 1
			}
		}
	}
}

// quoted is the length of the string that b begins with, or 0.
func quoted(b []byte) int {
	for i := 1; len(b) > 0 && b[0] == '"' && i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// list is a JSON list whose elements are read one by one. They are not copied, and no room is left over.
type list []json.RawMessage

func (l *list) UnmarshalJSON(raw []byte) error {
	if raw[0] != '[' {
		return errors.New("it is no list")
	}
	raw = bytes.Clone(raw) // It is the decoder's.
	n := 0
	for range parts(raw) {
		n++
	}
	*l = make(list, 0, n)
	for part := range parts(raw) {
		*l = append(*l, bytes.TrimRight(part, " \t\r\n"))
	}
	return nil
}

// parseCell reads a cell, and no fields that are of another type of cell.
func parseCell(raw json.RawMessage, format int) (*Cell, error) {
	var o object
	if json.Unmarshal(raw, &o) != nil {
		return nil, fmt.Errorf("it is %s, must be an object", short(raw))
	}
	if format == 3 {
		o.upgradeCell()
	}
	c := &Cell{}
	var outputs list
	o.take("id", &c.ID, "a text") // Another is replaced.
	_, err := o.take("cell_type", &c.Type, "a text")
	switch {
	case err != nil:
		return nil, err
	case c.Type != Code && c.Type != Markdown && c.Type != Raw:
		return nil, fmt.Errorf("cell_type is %q, must be code, markdown or raw", short([]byte(c.Type)))
	}
	source := o["source"]
	if has, err := o.takeText("source", &c.Source); err != nil || !has {
		return nil, cmp.Or(err, errors.New("source is missing"))
	}
	if marker := conflict(c); marker != "" {
		return nil, misplaced{source, max(bytes.Index(source, []byte(marker)), 0), unresolved(marker)}
	}
	for _, err := range []error{
		second(o.take("metadata", &c.Metadata, "an object")),
		second(o.take("attachments", &c.Attachments, "an object of contents by file name")),
		second(o.take("execution_count", &c.ExecutionCount, "a whole number")),
		second(o.take("outputs", &outputs, "a list")),
	} {
		if err != nil {
			return nil, err
		}
	}
	c.Metadata = c.Metadata.orEmpty()
	c.unknown = o
	if err := c.checkTags(); err != nil {
		return nil, err
	}
	if c.Type != Code {
		c.ExecutionCount = nil
		for name, content := range c.Attachments {
			if err := content.check(); err != nil {
				return nil, fmt.Errorf("attachment %s: %w", short([]byte(name)), err)
			}
		}
		return c, nil
	}
	c.Attachments = nil
	for i, r := range outputs {
		o, err := parseOutput(r, format)
		if err != nil {
			return nil, fmt.Errorf("output %d: %w", i+1, err)
		}
		c.Outputs = append(c.Outputs, o)
	}
	return c, nil
}

func second(_ bool, err error) error { return err }

func (c *Cell) checkTags() error {
	tags, err := c.tags()
	if err != nil {
		return err
	}
	given := map[string]bool{}
	for i, t := range tags {
		if t == "" || strings.Contains(t, ",") || given[t] {
			return fmt.Errorf("tag %d is %q, must be neither empty nor given before, and without a comma", i+1, short([]byte(t)))
		}
		given[t] = true
	}
	return nil
}

// parseOutput reads an output.
func parseOutput(raw json.RawMessage, format int) (*Output, error) {
	var f object
	if json.Unmarshal(raw, &f) != nil {
		return nil, fmt.Errorf("it is %s, must be an object", short(raw))
	}
	o := &Output{}
	if format == 3 {
		o.Data = MIMEBundle(f.upgradeOutput())
	}
	errs := []error{second(f.take("output_type", &o.Type, "a text"))}
	switch o.Type {
	case Stream:
		errs = append(errs, second(f.take("name", &o.Name, "a text")), second(f.takeText("text", &o.Text)))
		if o.Name == "" {
			errs = append(errs, errors.New("name is missing"))
		}
	case ExecuteResult:
		errs = append(errs, second(f.take("execution_count", &o.ExecutionCount, "a whole number")))
		fallthrough
	case DisplayData:
		errs = append(errs, second(f.take("data", &o.Data, "an object")),
			second(f.take("metadata", &o.Metadata, "an object")), o.Data.check())
	case Error:
		errs = append(errs, second(f.take("ename", &o.EName, "a text")), second(f.take("evalue", &o.EValue, "a text")),
			second(f.take("traceback", &o.Traceback, "a list of texts")))
	default:
		errs = append(errs, fmt.Errorf("output_type is %q, must be stream, display_data, execute_result or error",
			short([]byte(o.Type))))
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	for _, elsewhere := range []string{"name", "text", "data", "metadata", "execution_count", "ename", "evalue", "traceback"} {
		delete(f, elsewhere) // Other types of outputs have it.
	}
	o.unknown = f
	return o, nil
}

// isJSON says whether a representation may be any JSON; others are texts.
func isJSON(mime string) bool { return strings.HasSuffix(mime, "json") }

// check returns an error if a representation is not what its type says.
func (b MIMEBundle) check() error {
	for mime, raw := range b {
		if isJSON(mime) {
			continue
		}
		lines, err := texts(raw)
		hasLines := strings.HasPrefix(mime, "text/") || strings.HasSuffix(mime, "xml") // Others are base64.
		if err == nil && hasLines {
			err = ended(raw, lines)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", short([]byte(mime)), err)
		}
	}
	return nil
}
