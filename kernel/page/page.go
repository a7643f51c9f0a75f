// Package page writes a notebook as a web page that needs nothing but itself: no script, no font and no picture comes
// from elsewhere, and mathematics is MathML.
//
// Markdown is rendered without raw HTML, and text is escaped. HTML that a cell put out is in the page as it is, because
// it is the notebook's own figures; the page's policy keeps it from running scripts and from loading anything.
package page

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"lucigo/kernel/notebook"
)

// Info is what a page says besides the notebook.
type Info struct {
	File   string // the notebook's; pictures that its prose names are looked for beside it, and put into the page
	Note   string // a line below the title, such as when and how it ran; "" for none
	Broken string // what went wrong, set apart; "" for nothing
	Cell   string // the id of the cell that Halt is about; "" for none
	Halt   string // appears after Cell, set apart, such as that the run stopped there
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// view is what the template sees.
type view struct {
	*markdown
	Info
	Title string
	Style template.CSS
	Cells []*notebook.Cell
}

// output is an output as the page shows it.
type output struct {
	Kind string // html, text, stderr, error, image
	HTML template.HTML
}

// foldAbove is the number of lines above which a cell's code is folded.
const foldAbove = 30

// Is says whether what a file begins with is a page that Render made.
func Is(head []byte) bool {
	return bytes.Contains(head, []byte(`<meta name="generator" content="LuciGo">`))
}

// Render writes the page. Between cells it heeds ctx.
func Render(ctx context.Context, w io.Writer, nb *notebook.Notebook, info Info) error {
	title := cmp.Or(nb.Title(), strings.TrimSuffix(filepath.Base(info.File), ".ipynb"))
	b := bufio.NewWriter(w)
	err := pageTemplate.Execute(b, view{newMarkdown(ctx, info.File), info, title, template.CSS(pageCSS), nb.Cells})
	return cmp.Or(err, b.Flush())
}

// Prose renders a Markdown cell.
func (m *markdown) Prose(c *notebook.Cell) (template.HTML, error) {
	return m.render(c.Source, c.Attachments)
}

// Code renders the source of a code cell.
func (m *markdown) Code(c *notebook.Cell) (template.HTML, error) {
	return highlight(c.Source), context.Cause(m.ctx)
}

// Shown says whether a code cell has anything to show.
func (m *markdown) Shown(c *notebook.Cell) bool {
	return strings.TrimSpace(c.Source) != "" || len(c.Outputs) > 0
}

// Failed says whether a code cell ended in an error.
func (m *markdown) Failed(c *notebook.Cell) bool {
	return slices.ContainsFunc(c.Outputs, func(o *notebook.Output) bool { return o.Type == notebook.Error })
}

// Summary is shown for folded code: its first comment or line, and its length; "" for code that is not folded.
func (m *markdown) Summary(c *notebook.Cell) string {
	lines := 1 + strings.Count(c.Source, "\n")
	if lines <= foldAbove {
		return ""
	}
	first, _ := c.First()
	return fmt.Sprintf("%s (%d lines)", first, lines)
}

// Output renders one output by its richest representation; one without any has no HTML.
func (m *markdown) Output(o *notebook.Output) (output, error) {
	if m.ctx.Err() != nil {
		return output{}, context.Cause(m.ctx)
	}
	switch o.Type {
	case notebook.Stream:
		kind := "text"
		if o.Name == "stderr" {
			kind = "stderr"
		}
		return output{kind, terminal(o.Text)}, nil
	case notebook.Error:
		text := strings.Join(o.Traceback, "\n")
		if strings.TrimSpace(text) == "" {
			text = o.EName + ": " + o.EValue
		}
		return output{"error", terminal(text)}, nil
	}
	if html, ok := o.Data.Text("text/html"); ok {
		return output{"html", template.HTML(html)}, nil
	}
	if source, ok := o.Data.Text("text/markdown"); ok {
		html, err := m.render(source, nil)
		return output{"html", html}, err
	}
	for _, mime := range []string{"image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp"} {
		if data, ok := o.Data.Text(mime); ok {
			return output{"image", picture(mime, data, "")}, nil
		}
	}
	if source, ok := o.Data.Text("text/latex"); ok {
		return output{"html", mathematics(strings.Trim(strings.TrimSpace(source), "$"), true)}, nil
	}
	if text, ok := o.Data.Text("text/plain"); ok {
		return output{"text", terminal(text)}, nil
	}
	if raw, ok := o.Data["application/json"]; ok {
		return output{"text", terminal(indented(raw))}, nil
	}
	return output{}, nil
}

// indented is JSON laid out for people, or as it is where that would make much of little.
func indented(raw json.RawMessage) string {
	const long, deep = 64 << 10, 20
	depth, most := 0, 0 // brackets within texts count too
	for _, c := range raw {
		switch c {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	var b bytes.Buffer
	if len(raw) > long || most > deep || json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
