package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"html"
	"html/template"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	ctx      context.Context // while the page is rendered
	md       goldmark.Markdown
	ids      headings
	dir      string
	pictures int // bytes of those that prose has named

	attachments map[string]notebook.MIMEBundle // of the cell being rendered
	out         *rendered                      // the same
}

func newMarkdown(ctx context.Context, file string) *markdown {
	m := &markdown{ctx: ctx, dir: filepath.Dir(file), ids: headings{}}
	m.md = goldmark.New(
		goldmark.WithParser(parser.NewParser( // CommonMark's, but HTML is text.
			parser.WithBlockParsers(without(parser.DefaultBlockParsers(), parser.NewHTMLBlockParser())...),
			parser.WithInlineParsers(without(parser.DefaultInlineParsers(), parser.NewRawHTMLParser(), parser.NewAutoLinkParser())...),
			parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
			parser.WithAutoHeadingID(),
			parser.WithBlockParsers(util.Prioritized(mathBlock{}, 90)),
			parser.WithInlineParsers(util.Prioritized(mathInline{}, 90), util.Prioritized(links{parser.NewAutoLinkParser()}, 300)))),
		goldmark.WithExtensions(extension.GFM),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(m, 1))))
	return m
}

func without(list []util.PrioritizedValue, parsers ...any) []util.PrioritizedValue {
	return slices.DeleteFunc(list, func(v util.PrioritizedValue) bool { return slices.Contains(parsers, v.Value) })
}

// links are addresses in angle brackets; those that would run something stay text.
type links struct{ parser.InlineParser }

func (l links) Parse(parent ast.Node, block text.Reader, c parser.Context) ast.Node {
	n := l.InlineParser.Parse(parent, block, c)
	if link, ok := n.(*ast.AutoLink); ok && goldmarkhtml.IsDangerousURL(link.URL(block.Source())) {
		return nil
	}
	return n
}

// render renders a text. One that would cost far more than its length, in time or in the page, is shown as it is.
func (m *markdown) render(source string, attachments map[string]notebook.MIMEBundle) (page template.HTML, err error) {
	if m.ctx.Err() != nil {
		return "", context.Cause(m.ctx)
	}
	asWritten := func(why string) template.HTML {
		return template.HTML(`<p class="broken">This text is shown as it is written: ` + why + "</p>\n<pre>" +
			html.EscapeString(source) + "</pre>\n")
	}
	if why := costly(source); why != "" {
		return asWritten(why), nil
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case tooMuch{}:
			page = asWritten("its references stand for too much.")
		default:
			panic(p)
		}
	}()
	m.attachments, m.out = attachments, &rendered{left: maxExpanded*len(source) + 64<<10}
	err = m.md.Convert([]byte(source), m.out, parser.WithContext(parser.NewContext(parser.WithIDs(m.ids))))
	return template.HTML(m.out.String()), err
}

// RegisterFuncs sets what this page renders otherwise than CommonMark asks.
func (m *markdown) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	for kind, html := range map[ast.NodeKind]func(n ast.Node, source []byte) template.HTML{
		ast.KindFencedCodeBlock: func(n ast.Node, source []byte) template.HTML {
			code := string(n.Lines().Value(source))
			if string(n.(*ast.FencedCodeBlock).Language(source)) == "go" {
				return "<pre>" + highlight(code) + "</pre>\n"
			}
			return template.HTML("<pre>" + html.EscapeString(code) + "</pre>\n")
		},
		ast.KindImage: func(n ast.Node, source []byte) template.HTML {
			return m.image(string(n.(*ast.Image).Destination), plainText(n, source))
		},
		kindMath: func(n ast.Node, source []byte) template.HTML {
			return mathematics(n.(*mathNode).formula, n.(*mathNode).display)
		},
		kindMathBlock: func(n ast.Node, source []byte) template.HTML {
			return mathematics(strings.Trim(strings.TrimSpace(string(n.Lines().Value(source))), "$"), true) + "\n"
		},
	} {
		r.Register(kind, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
			if entering {
				w.WriteString(string(html(n, source)))
			}
			return ast.WalkSkipChildren, nil
		})
	}
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

// The sizes in bytes above which a picture stays outside the page: its own, and that of all that prose names, however
// often it names one.
const (
	maxPicture  = 16 << 20
	maxPictures = 64 << 20
)

// image is a picture of the prose: an attachment of the cell, or a file beside the notebook. Others are not fetched.
func (m *markdown) image(destination, alt string) template.HTML {
	name, attached := strings.CutPrefix(destination, "attachment:")
	for mime, raw := range m.attachments[name] {
		if attached && strings.HasPrefix(mime, "image/") && m.fits(len(raw)) {
			data, _ := m.attachments[name].Text(mime)
			return picture(mime, data, alt)
		}
	}
	b := m.file(destination)
	if mime := http.DetectContentType(b); strings.HasPrefix(mime, "image/") {
		return picture(mime, base64.StdEncoding.EncodeToString(b), alt)
	}
	return template.HTML(html.EscapeString(alt + " (" + destination + ")"))
}

// fits says whether the page has room for another picture of n bytes.
func (m *markdown) fits(n int) bool {
	if n > maxPictures-m.pictures {
		return false
	}
	m.pictures += n
	m.out.left += 2 * n // base64 takes less.
	return true
}

// file reads a file in the notebook's directory or below it; nil is none.
func (m *markdown) file(name string) []byte {
	root, err := os.OpenRoot(m.dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxPicture || !m.fits(int(info.Size())) {
		return nil
	}
	b, _ := root.ReadFile(name)
	return b
}

// picture embeds image data: base64, except for SVG, which notebooks hold as text.
func picture(mime, data, alt string) template.HTML {
	if mime == "image/svg+xml" {
		data = base64.StdEncoding.EncodeToString([]byte(data))
	}
	data = strings.Join(strings.Fields(data), "")
	return template.HTML(`<img src="data:` + html.EscapeString(mime) + ";base64," + html.EscapeString(data) + `" alt="` + html.EscapeString(alt) + `">`)
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

// Formulas: what is between the marks, and a digit after a single $. A mark after a backslash is none.
var (
	displayed = regexp.MustCompile(`^\$\$((?:\\[\s\S]|[^\\])*?)\$\$`)
	inline    = regexp.MustCompile(`^\$((?:\\[\s\S]|[^\\$])+)\$([0-9]?)`)
)

// Parse follows Jupyter's and Pandoc's rule: no space inside next to a single $, and no digit after it, so that
// "between $5 and $6" stays prose.
func (mathInline) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	row, at := block.Position()
	if m := block.FindSubMatch(displayed); m != nil && len(bytes.TrimSpace(m[1])) > 0 {
		return &mathNode{formula: string(m[1]), display: true}
	}
	block.SetPosition(row, at)
	if m := block.FindSubMatch(inline); m != nil && len(bytes.TrimSpace(m[1])) == len(m[1]) && len(m[2]) == 0 {
		return &mathNode{formula: string(m[1])}
	}
	block.SetPosition(row, at)
	return nil
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
	if m := displayed.Find(body); m != nil && len(m) < len(body) {
		return nil, parser.NoChildren // A paragraph that begins with a formula.
	}
	n := &mathBlockNode{}
	n.Lines().Append(segment)
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

func (mathBlock) Continue(node ast.Node, reader text.Reader, _ parser.Context) parser.State {
	lines := node.Lines()
	last := lines.At(lines.Len() - 1)
	if text := bytes.TrimSpace(last.Value(reader.Source())); bytes.HasSuffix(text, []byte("$$")) && (lines.Len() > 1 || len(text) >= 4) {
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
