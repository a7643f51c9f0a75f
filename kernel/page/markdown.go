package page

import (
	"bytes"
	"encoding/base64"
	"html"
	"html/template"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	goldmarkhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"lucigo/kernel/notebook"
	"lucigo/kernel/tex"
)

// markdown renders the prose of one notebook.
type markdown struct {
	md          goldmark.Markdown
	ids         parser.IDs // of headings, unique in the page
	dir         string
	attachments map[string]notebook.MIMEBundle // of the cell being rendered
}

func newMarkdown(file string) *markdown {
	m := &markdown{dir: filepath.Dir(file), ids: parser.NewContext().IDs()}
	m.md = goldmark.New(
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithParserOptions(
			parser.WithAutoHeadingID(),
			parser.WithBlockParsers(util.Prioritized(mathBlock{}, 90)),
			parser.WithInlineParsers(util.Prioritized(mathInline{}, 90))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(m, 1))))
	return m
}

func (m *markdown) render(source string, attachments map[string]notebook.MIMEBundle) (template.HTML, error) {
	m.attachments = attachments
	var b bytes.Buffer
	err := m.md.Convert([]byte(source), &b, parser.WithContext(parser.NewContext(parser.WithIDs(m.ids))))
	return template.HTML(b.String()), err
}

// RegisterFuncs sets what this page renders otherwise than CommonMark asks.
func (m *markdown) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindRawHTML, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			segments := n.(*ast.RawHTML).Segments
			for i := range segments.Len() {
				s := segments.At(i)
				w.WriteString(html.EscapeString(string(s.Value(source))))
			}
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			block := n.(*ast.HTMLBlock)
			s := string(block.Lines().Value(source))
			if block.HasClosure() {
				s += string(block.ClosureLine.Value(source))
			}
			w.WriteString("<p>" + html.EscapeString(strings.TrimSpace(s)) + "</p>\n")
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindFencedCodeBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			block := n.(*ast.FencedCodeBlock)
			code := string(block.Lines().Value(source))
			if string(block.Language(source)) == "go" {
				w.WriteString("<pre>" + string(highlight(code)) + "</pre>\n")
			} else {
				w.WriteString("<pre>" + html.EscapeString(code) + "</pre>\n")
			}
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(ast.KindAutoLink, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			link := n.(*ast.AutoLink)
			url, label := link.URL(source), html.EscapeString(string(link.Label(source)))
			if link.AutoLinkType == ast.AutoLinkEmail && !bytes.HasPrefix(bytes.ToLower(url), []byte("mailto:")) {
				url = append([]byte("mailto:"), url...)
			}
			if goldmarkhtml.IsDangerousURL(url) {
				w.WriteString(label)
			} else {
				w.WriteString(`<a href="` + html.EscapeString(string(util.URLEscape(url, false))) + `">` + label + "</a>")
			}
		}
		return ast.WalkContinue, nil
	})
	r.Register(ast.KindImage, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			w.WriteString(m.image(string(n.(*ast.Image).Destination), plainText(n, source)))
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(kindMath, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			f := n.(*mathNode)
			w.WriteString(string(mathematics(f.formula, f.display)))
		}
		return ast.WalkSkipChildren, nil
	})
	r.Register(kindMathBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			w.WriteString(string(mathematics(strings.Trim(strings.TrimSpace(string(n.Lines().Value(source))), "$"), true)) + "\n")
		}
		return ast.WalkSkipChildren, nil
	})
}

// plainText is the text below a node.
func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Value(source))
		}
		b.WriteString(plainText(c, source))
	}
	return b.String()
}

// maxPicture is the size in bytes above which a picture stays outside the page.
const maxPicture = 16 << 20

// image is a picture of the prose: an attachment of the cell, or a file beside the notebook. Others are not fetched.
func (m *markdown) image(destination, alt string) string {
	if name, ok := strings.CutPrefix(destination, "attachment:"); ok {
		for mime := range m.attachments[name] {
			if data, ok := m.attachments[name].Text(mime); ok && strings.HasPrefix(mime, "image/") {
				return withAlt(picture(mime, data), alt)
			}
		}
	}
	if b, ok := m.file(destination); ok {
		if mime := http.DetectContentType(b); strings.HasPrefix(mime, "image/") {
			return withAlt(picture(mime, base64.StdEncoding.EncodeToString(b)), alt)
		}
	}
	return html.EscapeString(alt + " (" + destination + ")")
}

// file reads a file in the notebook's directory or below it.
func (m *markdown) file(name string) ([]byte, bool) {
	root, err := os.OpenRoot(m.dir)
	if err != nil {
		return nil, false
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPicture+1))
	return b, err == nil && len(b) <= maxPicture
}

// picture embeds image data: base64, except for SVG, which notebooks hold as text.
func picture(mime, data string) template.HTML {
	if mime == "image/svg+xml" {
		data = base64.StdEncoding.EncodeToString([]byte(data))
	}
	data = strings.Join(strings.Fields(data), "")
	return template.HTML(`<img src="data:` + html.EscapeString(mime) + ";base64," + html.EscapeString(data) + `">`)
}

func withAlt(img template.HTML, alt string) string {
	return strings.TrimSuffix(string(img), ">") + ` alt="` + html.EscapeString(alt) + `">`
}

// mathematics renders a formula, or shows its source where it is beyond what package tex knows.
func mathematics(formula string, display bool) template.HTML {
	s, err := tex.MathML(strings.TrimSpace(formula), display)
	if err != nil {
		s = `<code>` + html.EscapeString(formula) + `</code>`
		if display {
			s = "<p>" + s + "</p>"
		}
	}
	return template.HTML(s)
}

// mathNode is $…$, or $$…$$ within a paragraph.
type mathNode struct {
	ast.BaseInline
	formula string
	display bool
}

var kindMath = ast.NewNodeKind("Math")

func (*mathNode) Kind() ast.NodeKind              { return kindMath }
func (n *mathNode) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

type mathInline struct{}

func (mathInline) Trigger() []byte { return []byte{'$'} }

// Parse follows Jupyter's and Pandoc's rule: no space inside next to a single $, and no digit after it, so that
// "between $5 and $6" stays prose.
func (mathInline) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	mark := "$"
	if bytes.HasPrefix(line, []byte("$$")) {
		mark = "$$"
	}
	row, at := block.Position()
	block.Advance(len(mark))
	var formula []byte
	for {
		line, _ := block.PeekLine()
		if line == nil {
			break
		}
		i := closing(line, mark)
		if i < 0 {
			formula = append(formula, line...)
			block.AdvanceLine()
			continue
		}
		formula = append(formula, line[:i]...)
		tight := len(bytes.TrimSpace(formula)) == len(formula)
		digit := i+1 < len(line) && '0' <= line[i+1] && line[i+1] <= '9'
		if len(bytes.TrimSpace(formula)) == 0 || mark == "$" && (!tight || digit) {
			break
		}
		block.Advance(i + len(mark))
		return &mathNode{formula: string(formula), display: mark == "$$"}
	}
	block.SetPosition(row, at)
	return nil
}

// closing is the index of the mark in line that no backslash escapes, or -1.
func closing(line []byte, mark string) int {
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if bytes.HasPrefix(line[i:], []byte(mark)) {
			return i
		}
	}
	return -1
}

// mathBlockNode is a formula on lines of its own, from $$ to $$.
type mathBlockNode struct{ ast.BaseBlock }

var kindMathBlock = ast.NewNodeKind("MathBlock")

func (*mathBlockNode) Kind() ast.NodeKind              { return kindMathBlock }
func (n *mathBlockNode) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

type mathBlock struct{}

func (mathBlock) Trigger() []byte { return []byte{'$'} }

func (mathBlock) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	body := bytes.TrimSpace(line)
	if !bytes.HasPrefix(body, []byte("$$")) {
		return nil, parser.NoChildren
	}
	if i := closing(body[2:], "$$"); i >= 0 && i != len(body)-4 {
		return nil, parser.NoChildren // A paragraph that begins with a formula.
	}
	n := &mathBlockNode{}
	n.Lines().Append(segment)
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

func (mathBlock) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	lines := node.Lines()
	if sofar := bytes.TrimSpace(lines.Value(reader.Source())); len(sofar) >= 4 && bytes.HasSuffix(sofar, []byte("$$")) {
		return parser.Close
	}
	line, segment := reader.PeekLine()
	if len(bytes.TrimSpace(line)) == 0 { // A blank line ends it, closed or not.
		return parser.Close
	}
	lines.Append(segment)
	reader.AdvanceToEOL()
	return parser.Continue | parser.NoChildren
}

func (mathBlock) Close(ast.Node, text.Reader, parser.Context) {}
func (mathBlock) CanInterruptParagraph() bool                 { return true }
func (mathBlock) CanAcceptIndentedLine() bool                 { return false }
