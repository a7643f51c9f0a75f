package gopls

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sourcegraph/jsonrpc2"
)

// document, place, position and span are the protocol's ways to name a file, a place in it, and a stretch.
type (
	document struct {
		URI string `json:"uri"`
	}
	place struct {
		Document document `json:"textDocument"`
		Position position `json:"position"`
	}
	position struct {
		Line      int `json:"line"`
		Character int `json:"character"`
	}
	span struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
)

// sent is a text as gopls has got it: with an insertion that does not change its lines.
type sent struct {
	file, text     string
	at, insertedBy int      // the place of the insertion, and its bytes
	paths          [][2]int // where the paths of imports begin and end in the original, without their quotes
	empty          bool     // there is no package clause, and gopls has not got it
}

// withImports inserts imports after the package clause, under no name.
func withImports(text string, imports []string) sent {
	file, _ := parser.ParseFile(token.NewFileSet(), "", text, parser.ImportsOnly)
	if file == nil || !file.Package.IsValid() {
		return sent{text: text, at: len(text), empty: true}
	}
	t := sent{at: int(file.Name.End() - file.FileStart)}
	for _, spec := range file.Imports {
		if spec.Path.Value == "" { // It is still to be typed.
			continue
		}
		start, path := int(spec.Path.Pos()-file.FileStart)+1, spec.Path.Value[1:]
		t.paths = append(t.paths, [2]int{start, start + len(strings.TrimRight(path, "\"`\r"))})
	}
	var insertion strings.Builder
	for _, path := range imports {
		fmt.Fprintf(&insertion, "; import _ %q", path)
	}
	t.text, t.insertedBy = text[:t.at]+insertion.String()+text[t.at:], insertion.Len()
	return t
}

// there is a place of the original text in the sent one, and here the reverse.
func (t sent) there(offset int) int {
	if offset > t.at {
		return offset + t.insertedBy
	}
	return offset
}

func (t sent) here(offset int) int {
	if offset > t.at {
		return max(t.at, offset-t.insertedBy)
	}
	return offset
}

// place is the offset in the original text as the protocol has it.
func (t sent) place(offset int, bytes bool) (place, error) {
	if size := len(t.text) - t.insertedBy; offset < 0 || offset > size {
		return place{}, fmt.Errorf("offset, %d, must be within the %d bytes of the text", offset, size)
	}
	return place{document{uri(t.file)}, positionOf(t.text, t.there(offset), bytes)}, nil
}

func uri(file string) string { return (&url.URL{Scheme: "file", Path: file}).String() }

// positionOf is the byte offset of text as a position, counted in bytes or in units of UTF-16.
func positionOf(text string, offset int, bytes bool) position {
	line := strings.LastIndexByte(text[:offset], '\n') + 1
	p := position{Line: strings.Count(text[:line], "\n")}
	if bytes {
		p.Character = offset - line
		return p
	}
	for _, r := range text[line:offset] {
		p.Character += units(r)
	}
	return p
}

// offsetOf is the reverse of positionOf; what lies after the end of a line is the end of the line.
func offsetOf(text string, p position, bytes bool) int {
	line := 0
	for range p.Line {
		next := strings.IndexByte(text[line:], '\n')
		if next < 0 {
			return len(text)
		}
		line += next + 1
	}
	end := len(text)
	if next := strings.IndexByte(text[line:], '\n'); next >= 0 {
		end = line + next
	}
	if bytes {
		return min(line+max(p.Character, 0), end)
	}
	for at, r := range text[line:end] {
		if p.Character <= 0 {
			return line + at
		}
		p.Character -= units(r)
	}
	return end
}

// units is the number of units of UTF-16 that a rune has.
func units(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// candidate is an item as gopls sends it.
type candidate struct {
	Label    string `json:"label"`
	Kind     int    `json:"kind"`
	Detail   string `json:"detail"`
	SortText string `json:"sortText"`
	Format   int    `json:"insertTextFormat"`
	Edit     *struct {
		NewText string `json:"newText"`
		Range   span   `json:"range"`
	} `json:"textEdit"`
}

// kinds are the protocol's kinds of items, by number.
var kinds = [...]string{"", "text", "method", "function", "constructor", "field", "variable", "class", "interface",
	"module", "property", "unit", "value", "enum", "keyword", "snippet", "color", "file", "reference", "folder",
	"enum member",
	"constant", "struct", "event", "operator", "type parameter"}

func (s *session) complete(ctx context.Context, t sent, offset int) (Completion, error) {
	done := Completion{Start: offset, End: offset}
	at, err := t.place(offset, s.utf8)
	inPath := func(path [2]int) bool { return path[0] <= offset && offset <= path[1] }
	if err != nil || t.empty || slices.ContainsFunc(t.paths, inPath) {
		return done, err
	}
	if err := s.write(ctx, t.file, t.text); err != nil {
		return done, err
	}
	var reply struct {
		Items []candidate `json:"items"`
	}
	var raw json.RawMessage
	if err := s.call(ctx, "textDocument/completion", at, &raw); err != nil {
		return done, err
	}
	into := any(&reply)
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") { // The protocol allows a bare list too.
		into = &reply.Items
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return done, err
	}
	slices.SortStableFunc(reply.Items, func(a, b candidate) int { return cmp.Compare(a.SortText, b.SortText) })
	known := map[string]bool{}
	for _, c := range reply.Items {
		name := c.name()
		if name == "" || known[name] || c.isTest() || c.isInternal() {
			continue
		}
		start := t.here(offsetOf(t.text, c.Edit.Range.Start, s.utf8))
		end := t.here(offsetOf(t.text, c.Edit.Range.End, s.utf8))
		switch {
		case start > offset || end < offset:
			continue
		case len(done.Items) == 0:
			done.Start, done.End = start, end
		case start != done.Start || end != done.End:
			continue
		}
		known[name] = true
		done.Items = append(done.Items, Item{name, c.kind(), c.Detail})
	}
	return done, nil
}

var word = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_]*$|^"?[\w./~-]+"?$`) // a name, a part of an import's path

// name is what an item puts in, without an operator before it or what may follow it; "" if there is no such thing.
func (c candidate) name() string {
	if c.Edit == nil || c.Format == snippet {
		return ""
	}
	for _, text := range []string{strings.TrimLeft(c.Edit.NewText, "&*"), c.Label} {
		if word.MatchString(text) {
			return text
		}
	}
	return ""
}

const snippet = 2 // a text with places to fill in

func (c candidate) kind() string {
	if c.Kind < 0 || c.Kind >= len(kinds) {
		return ""
	}
	return kinds[c.Kind]
}

// isTest says whether an item is a function that go test runs.
func (c candidate) isTest() bool {
	for prefix, parameter := range map[string]string{"Test": "*testing.T)", "TestMain": "*testing.M)",
		"Benchmark": "*testing.B)", "Fuzz": "*testing.F)"} {
		rest, ok := strings.CutPrefix(c.Label, prefix)
		first, _ := utf8.DecodeRuneInString(rest)
		if ok && !unicode.IsLower(first) && strings.HasSuffix(c.Detail, parameter) {
			return true
		}
	}
	return false
}

// isInternal says whether an item is a package that a cell may not import.
func (c candidate) isInternal() bool {
	path := strings.Trim(c.Detail, `"`)
	return c.kind() == "module" && slices.Contains(strings.Split(path, "/"), "internal")
}

// beforeCall is the offset; or, where it is after an opening parenthesis with nothing but spaces around it, the end of
// what is before that.
func beforeCall(text string, offset int) int {
	before := strings.TrimRight(text[:offset], " \t")
	next, _ := utf8.DecodeRuneInString(text[offset:])
	if strings.HasSuffix(before, "(") && !unicode.IsLetter(next) && next != '_' {
		return len(strings.TrimRight(before, "( \t"))
	}
	return offset
}

func (s *session) hover(ctx context.Context, t sent, offset int) (string, error) {
	at, err := t.place(offset, s.utf8)
	if err != nil || t.empty {
		return "", err
	}
	if err := s.write(ctx, t.file, t.text); err != nil {
		return "", err
	}
	at.Position = positionOf(t.text, beforeCall(t.text, t.there(offset)), s.utf8)
	var reply *struct {
		Contents struct {
			Value string `json:"value"`
		} `json:"contents"`
	}
	err = s.call(ctx, "textDocument/hover", at, &reply)
	if refused := (*jsonrpc2.Error)(nil); errors.As(err, &refused) && refused.Code == 0 {
		return "", nil // So gopls says that there is nothing, within some strings and comments.
	}
	if err != nil || reply == nil {
		return "", err
	}
	return reply.Contents.Value, nil
}
