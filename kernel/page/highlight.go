package page

import (
	"fmt"
	"html"
	"html/template"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// classes are the styles of Go's tokens: the few that help reading.
var classes = []struct {
	in    func(chroma.TokenType) bool
	class string
	style string
}{
	{func(t chroma.TokenType) bool { return t.InCategory(chroma.Comment) }, "hc", "color:#6b7680;font-style:italic"},
	{func(t chroma.TokenType) bool {
		return t == chroma.KeywordType || t == chroma.NameBuiltin || t == chroma.KeywordConstant
	}, "ht", "color:#8a2c8f"},
	{func(t chroma.TokenType) bool { return t.InCategory(chroma.Keyword) }, "hk", "color:#a3350f"},
	{func(t chroma.TokenType) bool { return t.InSubCategory(chroma.LiteralString) }, "hs", "color:#1d7a3c"},
	{func(t chroma.TokenType) bool { return t.InSubCategory(chroma.LiteralNumber) }, "hn", "color:#2457b3"},
	{func(t chroma.TokenType) bool { return t == chroma.NameFunction }, "hf", "color:#00728a"},
}

const commandClass = "hm" // a line that is GoNB's: %% and the like

func highlightCSS() string {
	var b strings.Builder
	for _, c := range classes {
		fmt.Fprintf(&b, ".%s{%s}", c.class, c.style)
	}
	fmt.Fprintf(&b, ".%s{color:#98a1a9}\n", commandClass)
	return b.String()
}

// highlight renders a cell's Go, and the lines in it that are GoNB's.
func highlight(source string) template.HTML {
	var b, code strings.Builder
	flush := func() {
		b.WriteString(highlightGo(code.String()))
		code.Reset()
	}
	for line := range strings.Lines(source) {
		if strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") {
			flush()
			fmt.Fprintf(&b, `<span class="%s">%s</span>`, commandClass, html.EscapeString(line))
		} else {
			code.WriteString(line)
		}
	}
	flush()
	return template.HTML(b.String())
}

func highlightGo(source string) string {
	tokens, err := chroma.Tokenise(lexers.Get("go"), &chroma.TokeniseOptions{State: "root", Nested: true}, source)
	if err != nil { // Only a damaged lexer fails.
		return html.EscapeString(source)
	}
	var b strings.Builder
	for _, t := range tokens {
		text := html.EscapeString(t.Value)
		for _, c := range classes {
			if c.in(t.Type) {
				text = `<span class="` + c.class + `">` + text + "</span>"
				break
			}
		}
		b.WriteString(text)
	}
	return b.String()
}
