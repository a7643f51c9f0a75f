// Package notebook reads and writes Jupyter notebooks: nbformat 3 to 4.5 in, 4.5 out.
//
// Everything is kept, metadata byte for byte, and fields that this package does not know too; but a field that the
// format has only elsewhere is dropped, such as the outputs of a Markdown cell.
package notebook

import (
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
	"unicode"

	"lucigo/internal/atomicfile"
)

// MaxSize is the size in bytes above which Read refuses a notebook.
const MaxSize = 256 << 20

// Notebook is a Jupyter notebook.
type Notebook struct {
	File     string // that Read read; "" for none
	Metadata Metadata
	Cells    []*Cell

	minor   int    // of the format that was read
	unknown object // fields that this package does not know
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

	unknown object
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
	if s, err := text(raw); err == nil {
		return s, true
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
	Name           string     // Stream: stdout or stderr
	Text           string     // Stream: what was printed
	Data           MIMEBundle // DisplayData and ExecuteResult
	Metadata       Metadata   // the same
	ExecutionCount *int       // ExecuteResult
	EName          string     // Error
	EValue         string     // Error
	Traceback      []string   // Error

	unknown object
}

var validID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

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

// sequences are a terminal's control sequences: CSI … letter, OSC … BEL or ST, and others of two characters.
var sequences = regexp.MustCompile("\x1b\\[[0-9;:?]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b.?")

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

// Plain is text without a terminal's colours and its other control sequences, and without characters that are none of
// a text's: what a notebook holds must not reach the user's terminal as commands.
func Plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return -1
		}
		return r
	}, sequences.ReplaceAllString(text, ""))
}

// Language is the notebook's programming language in lower case, or "" where it does not say.
func (nb *Notebook) Language() string {
	var kernel struct{ Language string }
	var info struct{ Name string }
	_ = json.Unmarshal(nb.Metadata["kernelspec"], &kernel) // What is of another type says nothing.
	_ = json.Unmarshal(nb.Metadata["language_info"], &info)
	return strings.ToLower(cmp.Or(kernel.Language, info.Name))
}

// Claims is the number of claims that the notebook says it makes, in its metadata: "lucigo": {"claims": 12}. 0 is none.
func (nb *Notebook) Claims() int {
	n, _ := nb.Metadata.claims() // That of a notebook that was read is a number.
	return n
}

func (m Metadata) claims() (n int, err error) {
	var ours object
	if json.Unmarshal(m["lucigo"], &ours) != nil {
		return 0, nil
	}
	if _, err := ours.take("claims", &n, "a whole number"); err != nil || n < 0 {
		return 0, fmt.Errorf("metadata: lucigo: %w", cmp.Or(err, fmt.Errorf("claims is %d, must be at least 0", n)))
	}
	return n, nil
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

// First is the first line of the source that is no command (%…), trimmed and without a comment's slashes, and whether
// it is a comment.
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

// Write writes the notebook into file, all of it or nothing, and makes the file's directory.
func (nb *Notebook) Write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return atomicfile.Write(file, 0o644, func(f *os.File) error {
		if err := nb.encode(f); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return nil
	})
}
