package page

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
)

// What a text of Markdown may have: the time that the parser takes grows with the square of these.
const (
	maxBrackets = 1000 // that open, in a paragraph
	maxMarks    = 5000 // of emphasis and formulas, the same
	maxNesting  = 40   // of quotes and lists that begin on one line
	maxIndent   = 200  // of lists
)

// maxExpanded is how much longer than its source prose may become: a reference may stand for a long address each time.
const maxExpanded = 100

var (
	nested  = regexp.MustCompile(`^[ \t]*(?:(?:>|[-+*][ \t]|[0-9]{1,9}[.)][ \t])[ \t]*){` + strconv.Itoa(maxNesting) + `}`)
	deep    = regexp.MustCompile(`^[ \t>]{` + strconv.Itoa(maxIndent) + `}[ \t>]*[-+*0-9]`)
	columns = regexp.MustCompile(`^[ \t>]*[-:|][-:| \t]*$`) // the line below a table's head
)

// costly says why a text would cost far more than its length, or nothing.
func costly(source string) string {
	var lines, size, cells, brackets, marks int // of the paragraph; its bytes, its columns
	for line := range strings.Lines(source + "\n\n") {
		text := strings.TrimSpace(line)
		switch {
		case brackets > maxBrackets:
			return fmt.Sprintf("a paragraph of it has more than %d brackets.", maxBrackets)
		case marks > maxMarks:
			return fmt.Sprintf("a paragraph of it has more than %d marks of emphasis and formulas.", maxMarks)
		case text == "" && lines*cells > size: // Each cell of a whole table takes two bytes.
			return "a table of it has columns without cells."
		case nested.MatchString(line), deep.MatchString(line):
			return "quotes or lists of it are nested too deep."
		case text == "":
			lines, size, cells, brackets, marks = 0, 0, 0, 0, 0
			continue
		}
		lines++
		size += len(line)
		brackets += strings.Count(line, "[")
		for _, mark := range []string{"*", "_", "~", "$"} {
			marks += strings.Count(line, mark)
		}
		if columns.MatchString(text) {
			cells = max(cells, strings.Count(text, "|"))
		}
	}
	return ""
}

// rendered takes what prose becomes, until it is more than it may be: then it panics with tooMuch.
type rendered struct {
	bytes.Buffer
	left int
}

type tooMuch struct{}

func (r *rendered) Write(b []byte) (int, error) {
	if r.left -= len(b); r.left < 0 {
		panic(tooMuch{})
	}
	return r.Buffer.Write(b)
}

// headings gives each heading of a page an id of its own: its text in lower case, and a number where that is taken.
type headings map[string]int // how many have asked for an id; 0: it is free

// Generate makes an id of a heading's text.
func (h headings) Generate(text []byte, _ ast.NodeKind) []byte {
	id := bytes.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == ' ', r == '\t', r == '-', r == '_':
			return '-'
		}
		return -1
	}, bytes.TrimSpace(text))
	if len(id) == 0 {
		id = []byte("heading")
	}
	base := string(id)
	name := base
	for h[name] > 0 {
		name = fmt.Sprintf("%s-%d", base, h[base])
		h[base]++
	}
	h[name]++
	return []byte(name)
}

// Put takes an id that the text itself gives.
func (h headings) Put(id []byte) { h[string(id)]++ }

var _ parser.IDs = headings{}
