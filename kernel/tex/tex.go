// Package tex turns the mathematics of a notebook's prose, in TeX's notation, into MathML, which browsers draw
// without a script, a font or a network. It knows the notation that such prose uses, and says so where it does not:
// the caller then shows the source.
package tex

import (
	"errors"
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a formula: no prose needs more, and a hostile one gets an error.
const (
	maxSize  = 4 << 10
	maxDepth = 40
)

// MathML is the formula as a <math> element, all text in it escaped; display sets it on a line of its own. What the
// package does not know, or is no formula, is an error.
func MathML(formula string, display bool) (_ string, err error) {
	if len(formula) > maxSize {
		return "", fmt.Errorf("tex: the formula has %d bytes, must have at most %d", len(formula), maxSize)
	}
	if !utf8.ValidString(formula) {
		return "", errors.New("tex: the formula is not UTF-8")
	}
	defer func() {
		if p := recover(); p != nil {
			problem, ok := p.(problem)
			if !ok {
				panic(p)
			}
			err = errors.New("tex: " + string(problem))
		}
	}()
	row := (&parser{rest: formula}).row("")
	attr := ""
	if display {
		attr = ` display="block"`
	}
	return `<math` + attr + `><semantics>` + row + `<annotation encoding="application/x-tex">` + html.EscapeString(formula) + `</annotation></semantics></math>`, nil
}

// problem is what a parser panics with, for MathML to return.
type problem string

type parser struct {
	rest  string
	depth int
}

func (p *parser) fail(format string, args ...any) { panic(problem(fmt.Sprintf(format, args...))) }

// deeper counts a level of nesting until what it returns is called.
func (p *parser) deeper() (leave func()) {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested more than %d deep", maxDepth)
	}
	return func() { p.depth-- }
}

// atom is one piece of a formula, before its scripts.
type atom struct {
	xml    string
	limits bool // in display its scripts go below and above: ∑, max
}

func element(name, content string) string { return "<" + name + ">" + content + "</" + name + ">" }

func operator(s string) string { return element("mo", html.EscapeString(s)) }

func gap(em string) string { return `<mspace width="` + em + `em"></mspace>` }

// space skips what TeX ignores.
func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// take reads s, if it is next.
func (p *parser) take(s string) (ok bool) {
	p.rest, ok = strings.CutPrefix(p.rest, s)
	return ok
}

// next reads n bytes.
func (p *parser) next(n int) string {
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

// command reads a control sequence, if one is next: its name without the backslash.
func (p *parser) command() string {
	if !strings.HasPrefix(p.rest, `\`) || len(p.rest) == 1 {
		return ""
	}
	p.next(1)
	n := strings.IndexFunc(p.rest, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
	switch n {
	case -1:
		n = len(p.rest)
	case 0:
		_, n = utf8.DecodeRuneInString(p.rest)
	}
	return p.next(n)
}

// peek is command without reading it.
func (p *parser) peek() string {
	q := *p
	return q.command()
}

// at says whether a row ends here, besides at the end of the formula: at "}" of a group, "right" of \left…\right, "]"
// of an option, and for "cell", of a table, at & and \\ and \end.
func (p *parser) at(end string) bool {
	switch c := p.peek(); end {
	case "}", "]":
		return strings.HasPrefix(p.rest, end)
	case "right":
		return c == "right"
	case "cell":
		return strings.HasPrefix(p.rest, "&") || c == `\` || c == "end"
	}
	return false
}

// row reads atoms with their scripts up to an end, and leaves the end unread.
func (p *parser) row(end string) string {
	defer p.deeper()()
	var b strings.Builder
	for p.space(); p.rest != "" && !p.at(end); p.space() {
		b.WriteString(p.scripted())
	}
	if p.rest == "" && end != "" {
		p.fail("it ends before the %q that it needs", end)
	}
	return element("mrow", b.String())
}

// scripted reads an atom and what is set below and above it.
func (p *parser) scripted() string {
	base := p.atom()
	var sub, sup string
	for p.space(); ; p.space() {
		primes := len(p.rest) - len(strings.TrimLeft(p.rest, "'"))
		switch {
		case p.peek() == "limits", p.peek() == "nolimits": // Where MathML puts them is right.
			p.command()
		case primes > 0 && sup == "":
			p.next(primes)
			sup = operator(strings.Repeat("′", primes))
			if p.take("^") {
				sup = element("mrow", sup+p.argument())
			}
		case sub == "" && p.take("_"):
			sub = p.argument()
		case sup == "" && p.take("^"):
			sup = p.argument()
		case p.rest != "" && strings.ContainsRune("_^'", rune(p.rest[0])):
			p.fail("two scripts in one place at %q", p.rest)
		default:
			return scripts(base, sub, sup)
		}
	}
}

func scripts(base atom, sub, sup string) string {
	below, above, both := "msub", "msup", "msubsup"
	if base.limits {
		below, above, both = "munder", "mover", "munderover"
	}
	switch {
	case sub != "" && sup != "":
		return element(both, base.xml+sub+sup)
	case sub != "":
		return element(below, base.xml+sub)
	case sup != "":
		return element(above, base.xml+sup)
	}
	return base.xml
}

// argument reads what a command or a script applies to: a group or one atom.
func (p *parser) argument() string {
	defer p.deeper()()
	p.space()
	if p.rest == "" || strings.ContainsRune("^_'}&", rune(p.rest[0])) {
		p.fail("an argument is missing at %q", p.rest)
	}
	if c := p.rest[0]; '0' <= c && c <= '9' { // x^12 is x^1 2.
		return element("mn", p.next(1))
	}
	return p.atom().xml
}

// atom reads one atom.
func (p *parser) atom() atom {
	if p.rest == "" {
		p.fail("it ends too early")
	}
	if name := p.command(); name != "" {
		return p.apply(name)
	}
	if p.take("{") {
		defer p.take("}")
		return atom{xml: p.row("}")}
	}
	c, size := utf8.DecodeRuneInString(p.rest)
	switch {
	case strings.ContainsRune(`}&^_'\#%$`, c):
		p.fail("%q is out of place", string(c))
	case '0' <= c && c <= '9':
		number := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, ".0123456789"))]
		return atom{xml: element("mn", p.next(len(strings.TrimRight(number, "."))))} // 0.5. ends in a full stop.
	}
	s := p.next(size)
	switch {
	case c == '~':
		return atom{xml: gap("0.33")}
	case c == '-':
		s = "−"
	case c == '*':
		s = "∗"
	case unicode.IsLetter(c):
		return atom{xml: element("mi", s)}
	}
	return written(s, "")
}

// written is a character that a command of the given name writes, or that is in the formula.
func written(s, name string) atom {
	r, _ := utf8.DecodeRuneInString(s)
	switch {
	case strings.Contains(upright, " "+name+" "), name != "" && unicode.IsUpper(r):
		return atom{xml: `<mi mathvariant="normal">` + s + "</mi>"}
	case strings.Contains(slanting, " "+name+" "), unicode.IsLetter(r):
		return atom{xml: element("mi", s)}
	case strings.ContainsRune(fences, r):
		return atom{xml: `<mo stretchy="false">` + s + "</mo>"}
	}
	return atom{xml: operator(s), limits: name != "" && strings.ContainsRune(large, r)}
}

// braced reads a group as it is written.
func (p *parser) braced() string {
	p.space()
	if !p.take("{") {
		p.fail("a { is missing at %q", p.rest)
	}
	depth := 1
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		}
		return depth == 0
	})
	if end < 0 {
		p.fail("a } is missing for %q", "{"+p.rest)
	}
	defer p.take("}")
	return p.next(end)
}

// words reads a group of the command called name as text, in which only commands for spaces may be.
func (p *parser) words(name string) string {
	s := strings.NewReplacer(`\,`, " ", `\ `, " ", `\;`, " ", "~", " ").Replace(p.braced())
	if strings.Contains(s, `\`) {
		p.fail(`a command within \%s`, name)
	}
	return html.EscapeString(s)
}

// apply reads what the command called name needs, and makes its atom.
func (p *parser) apply(name string) atom {
	switch name {
	case "frac", "dfrac", "tfrac":
		over := p.argument()
		return atom{xml: element("mfrac", over+p.argument())}
	case "sqrt":
		p.space()
		if !p.take("[") {
			return atom{xml: element("msqrt", p.argument())}
		}
		degree := p.row("]")
		p.take("]")
		return atom{xml: element("mroot", p.argument()+degree)}
	case "text", "mathrm", "textrm", "mathsf", "mathtt", "textbf", "textit":
		return atom{xml: element("mtext", p.words(name))}
	case "operatorname":
		limits := p.take("*")
		return named(p.words(name), limits)
	case "left":
		left := fence(p.delimiter(), "prefix")
		row := p.row("right")
		p.command()
		return atom{xml: element("mrow", left+row+fence(p.delimiter(), "postfix"))}
	case "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "middle":
		size := "1.2em"
		if name[0] == 'B' {
			size = "1.8em"
		}
		return atom{xml: `<mo minsize="` + size + `" maxsize="` + size + `">` + html.EscapeString(p.delimiter()) + "</mo>"}
	case "begin":
		return p.environment()
	case "not":
		p.space()
		return atom{xml: strings.Replace(p.atom().xml, "</mo>", "\u0338</mo>", 1)}
	case "displaystyle", "textstyle":
		return atom{}
	}
	if em, ok := spaces[name]; ok {
		return atom{xml: gap(em)}
	}
	if limits, ok := functions[name]; ok {
		return named(strings.Replace(name, "arg", "arg ", 1), limits)
	}
	if mark, ok := accents[name]; ok {
		tag, attribute := "mover", "accent"
		if mark == "_" {
			tag, attribute = "munder", "accentunder"
		}
		return atom{xml: "<" + tag + " " + attribute + `="true">` + p.argument() + operator(mark) + "</" + tag + ">"}
	}
	if v, ok := variants[name]; ok {
		return p.variant(v)
	}
	s := symbol(name)
	if s == "" {
		p.fail(`\%s is not known here`, name)
	}
	return written(s, name)
}

// named is the name of a function, upright.
func named(s string, limits bool) atom {
	movable := ""
	if limits {
		movable = `movablelimits="true" `
	}
	return atom{xml: "<mo " + movable + `lspace="0.17em" rspace="0.17em">` + s + "</mo>", limits: limits}
}

// variant reads letters and sets them in another alphabet.
func (p *parser) variant(v alphabet) atom {
	p.space()
	var s string
	if strings.HasPrefix(p.rest, "{") {
		s = p.braced()
	} else if p.peek() == "" && p.rest != "" {
		_, size := utf8.DecodeRuneInString(p.rest)
		s = p.next(size)
	}
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, " ", "") {
		m := v.letter(r)
		if m == 0 {
			p.fail("%q has no letter in that alphabet", r)
		}
		b.WriteRune(m)
	}
	if b.Len() == 0 {
		p.fail("a letter is missing at %q", p.rest)
	}
	return atom{xml: element("mi", b.String())}
}

// delimiter reads what follows \left, \right or \big; it is "" for a point.
func (p *parser) delimiter() string {
	p.space()
	if name := p.command(); name != "" {
		s := symbol(name)
		if s == "" || !strings.Contains(fences, s) {
			p.fail(`\%s is no delimiter`, name)
		}
		return s
	}
	if p.rest == "" || !strings.ContainsRune("()[]|/.<>", rune(p.rest[0])) {
		p.fail("a delimiter is missing at %q", p.rest)
	}
	return strings.NewReplacer(".", "", "<", "⟨", ">", "⟩").Replace(p.next(1))
}

func fence(s, form string) string {
	if s == "" {
		return ""
	}
	return `<mo fence="true" stretchy="true" form="` + form + `">` + html.EscapeString(s) + "</mo>"
}

// environment reads a table up to its \end.
func (p *parser) environment() atom {
	name := p.braced()
	env, ok := environments[strings.TrimSuffix(name, "*")]
	if !ok {
		p.fail(`\begin{%s} is not known here`, name)
	}
	var b, line strings.Builder
	for column := 0; ; column++ {
		line.WriteString(`<mtd style="text-align:` + env.align[column%len(env.align)] + `">` + p.row("cell") + "</mtd>")
		if p.take("&") {
			continue
		}
		b.WriteString(element("mtr", line.String()))
		line.Reset()
		column = -1
		if p.command() == "end" {
			break
		}
	}
	if end := p.braced(); end != name {
		p.fail(`\begin{%s} ends with \end{%s}`, name, end)
	}
	return atom{xml: element("mrow", fence(env.left, "prefix")+element("mtable", b.String())+fence(env.right, "postfix"))}
}
