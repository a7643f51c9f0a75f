package page

import (
	"cmp"
	"html"
	"html/template"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"

	"lucigo/kernel/source"
)

// classes are the style sheet's classes of Go's tokens: the few that help reading. A token has the class of its type,
// or of the nearest kind above it.
var classes = map[chroma.TokenType]string{
	chroma.Comment: "hc", chroma.Keyword: "hk", chroma.KeywordType: "ht", chroma.NameBuiltin: "ht", chroma.KeywordConstant: "ht",
	chroma.LiteralString: "hs", chroma.LiteralNumber: "hn", chroma.NameFunction: "hf",
}

// highlight renders a cell's Go, and the lines in it that are commands.
func highlight(cell string) template.HTML {
	_, rest := source.Split(cell) // Commands are empty lines there.
	cell = strings.ReplaceAll(cell, "\r\n", "\n")
	var b, code strings.Builder
	flush := func() {
		b.WriteString(highlightGo(code.String()))
		code.Reset()
	}
	for line := range strings.Lines(cell) {
		var asGo string
		if asGo, rest, _ = strings.Cut(rest, "\n"); asGo == "" && line != "\n" {
			flush()
			b.WriteString(`<span class="hm">` + html.EscapeString(line) + "</span>")
		} else {
			code.WriteString(line)
		}
	}
	flush()
	return template.HTML(b.String())
}

// maxHighlight is the size in bytes above which code has no colours: they take a second for each 50 KB of brackets.
const maxHighlight = 64 << 10

func highlightGo(source string) string {
	if len(source) > maxHighlight {
		return html.EscapeString(source)
	}
	tokens, err := chroma.Tokenise(lexers.Get("go"), &chroma.TokeniseOptions{State: "root", Nested: true}, source)
	if err != nil { // Only a damaged lexer fails.
		return html.EscapeString(source)
	}
	var b strings.Builder
	for _, t := range tokens {
		text := html.EscapeString(t.Value)
		if class := cmp.Or(classes[t.Type], classes[t.Type.SubCategory()], classes[t.Type.Category()]); class != "" {
			text = `<span class="` + class + `">` + text + "</span>"
		}
		b.WriteString(text)
	}
	return b.String()
}
