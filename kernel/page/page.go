// Package page writes a notebook as a web page that needs nothing but itself: no script, no font and no picture comes
// from elsewhere, and mathematics is MathML.
//
// Markdown is rendered without raw HTML, and text is escaped; HTML that a cell put out is in the page as it is, because it is
// the notebook's own figures: open the page of a notebook as you would run the notebook.
package page

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"

	"lucigo/kernel/notebook"
)

// Info is what a page says besides the notebook.
type Info struct {
	File   string // the notebook's; pictures that its prose names are looked for beside it, and put into the page
	Note   string // a line below the title, such as when and how it ran; "" for none
	Broken string // what went wrong, set apart; "" for nothing
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// view is what the template sees.
type view struct {
	Title, Note, Broken string
	Style               template.CSS
	Cells               []cellView
}

type cellView struct {
	ID, Type string
	Failed   bool
	Markdown template.HTML
	Count    string // "" where it did not run
	Code     template.HTML
	Summary  string // of folded code; "": not folded
	Outputs  []outputView
}

type outputView struct {
	Kind string // html, text, stderr, error, image
	HTML template.HTML
}

// foldAbove is the number of lines above which a cell's code is folded.
const foldAbove = 30

// Render makes the page.
func Render(nb *notebook.Notebook, info Info) ([]byte, error) {
	title := nb.Title()
	if title == "" {
		title = strings.TrimSuffix(filepath.Base(info.File), ".ipynb")
	}
	v := view{Title: title, Note: info.Note, Broken: info.Broken, Style: template.CSS(pageCSS)}
	md := newMarkdown(info.File)
	for _, c := range nb.Cells {
		cv := cellView{ID: c.ID, Type: c.Type}
		switch c.Type {
		case notebook.Markdown:
			html, err := md.render(c.Source, c.Attachments)
			if err != nil {
				return nil, fmt.Errorf("the Markdown of cell %s: %w", c.ID, err)
			}
			cv.Markdown = html
		case notebook.Code:
			if strings.TrimSpace(c.Source) == "" && len(c.Outputs) == 0 {
				continue
			}
			if c.ExecutionCount != nil {
				cv.Count = fmt.Sprint(*c.ExecutionCount)
			}
			cv.Code = highlight(c.Source)
			if strings.Count(c.Source, "\n") >= foldAbove {
				cv.Summary = summary(c.Source)
			}
			for _, o := range c.Outputs {
				ov, err := md.output(o)
				if err != nil {
					return nil, fmt.Errorf("an output of cell %s: %w", c.ID, err)
				}
				cv.Failed = cv.Failed || o.Type == notebook.Error
				if ov.HTML != "" {
					cv.Outputs = append(cv.Outputs, ov)
				}
			}
		default: // Raw cells are for other converters.
			continue
		}
		v.Cells = append(v.Cells, cv)
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, v)
	return b.Bytes(), err
}

// summary is shown for folded code: its first comment or line, and its length.
func summary(source string) string {
	first := ""
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "%") {
			first = strings.TrimSpace(strings.TrimPrefix(line, "//"))
			break
		}
	}
	return fmt.Sprintf("%s (%d lines)", first, 1+strings.Count(source, "\n"))
}

// output renders one output by its richest representation.
func (m *markdown) output(o *notebook.Output) (outputView, error) {
	switch o.Type {
	case notebook.Stream:
		kind := "text"
		if o.Name == "stderr" {
			kind = "stderr"
		}
		return outputView{kind, terminal(o.Text)}, nil
	case notebook.Error:
		text := strings.Join(o.Traceback, "\n")
		if strings.TrimSpace(text) == "" {
			text = o.EName + ": " + o.EValue
		}
		return outputView{"error", terminal(text)}, nil
	}
	if html, ok := o.Data.Text("text/html"); ok {
		return outputView{"html", template.HTML(html)}, nil
	}
	if source, ok := o.Data.Text("text/markdown"); ok {
		html, err := m.render(source, nil)
		return outputView{"html", html}, err
	}
	for _, mime := range []string{"image/svg+xml", "image/png", "image/jpeg", "image/gif", "image/webp"} {
		if data, ok := o.Data.Text(mime); ok {
			return outputView{"image", picture(mime, data, "")}, nil
		}
	}
	if source, ok := o.Data.Text("text/latex"); ok {
		return outputView{"html", mathematics(strings.Trim(strings.TrimSpace(source), "$"), true)}, nil
	}
	if text, ok := o.Data.Text("text/plain"); ok {
		return outputView{"text", terminal(text)}, nil
	}
	if raw, ok := o.Data["application/json"]; ok {
		var b bytes.Buffer
		if err := json.Indent(&b, raw, "", "  "); err != nil {
			return outputView{}, err
		}
		return outputView{"text", terminal(b.String())}, nil
	}
	return outputView{}, nil
}
