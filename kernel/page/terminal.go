package page

import (
	"html"
	"html/template"
	"regexp"
	"strconv"
	"strings"
)

// control matches a control sequence of a terminal: CSI … letter, or OSC … BEL or ST, or a lone escape.
var control = regexp.MustCompile("\x1b\\[([0-9;:?]*)([@-~])|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|\x1b.?")

// overprinted matches what a later part of a line covers, up to that part's first character.
var overprinted = regexp.MustCompile("[^\n]*\r([^\r\n])")

// terminal renders text that was meant for a terminal: colours become spans, a carriage return begins the line anew,
// everything else that controls is dropped.
func terminal(text string) template.HTML {
	var b strings.Builder
	var class string
	plain := func(s string) {
		if s = html.EscapeString(printable(s)); s != "" && class != "" {
			s = `<span class="` + class + `">` + s + "</span>"
		}
		b.WriteString(s)
	}
	if strings.Contains(text, "\r") { // In a long text the search takes seconds.
		text = overprinted.ReplaceAllString(text, "$1")
	}
	if !strings.Contains(text, "\x1b") {
		plain(text)
		return template.HTML(b.String())
	}
	at := 0
	for _, m := range control.FindAllStringSubmatchIndex(text, -1) {
		plain(text[at:m[0]])
		if m[4] >= 0 && text[m[4]:m[5]] == "m" {
			class = colour(class, text[m[2]:m[3]])
		}
		at = m[1]
	}
	plain(text[at:])
	return template.HTML(b.String())
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// colour is the class after a "select graphic rendition" sequence. One style at a time is enough for what Go's tools
// print.
func colour(class, codes string) string {
	for code := range strings.SplitSeq(codes, ";") {
		n, _ := strconv.Atoi(code)
		switch {
		case n == 1:
			class = "ansi-bold"
		case n == 7:
			class = "ansi-inverse"
		case n >= 30 && n <= 37, n >= 90 && n <= 97:
			class = "ansi-" + strconv.Itoa(n%10)
		default:
			class = ""
		}
	}
	return class
}
