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

// MathML is the formula as a <math> element, all text in it escaped; display sets it on a line of its own.
func MathML(formula string, display bool) (string, error) {
	if len(formula) > maxSize {
		return "", fmt.Errorf("a formula of %d bytes: %d are the most", len(formula), maxSize)
	}
	if !utf8.ValidString(formula) {
		return "", errors.New("a formula that is not UTF-8")
	}
	p := parser{rest: formula}
	row, err := p.row("")
	if err != nil {
		return "", err
	}
	attr := ""
	if display {
		attr = ` display="block"`
	}
	return `<math` + attr + `><semantics>` + row + `<annotation encoding="application/x-tex">` + html.EscapeString(formula) + `</annotation></semantics></math>`, nil
}

type parser struct {
	rest  string
	depth int
}

// atom is one piece of a formula, before its scripts.
type atom struct {
	xml    string
	limits bool // in display its scripts go below and above: ∑, max
}

func element(name, content string) string { return "<" + name + ">" + content + "</" + name + ">" }

func identifier(s string) string { return element("mi", html.EscapeString(s)) }

func upright(s string) string { return `<mi mathvariant="normal">` + html.EscapeString(s) + "</mi>" }

func operator(s string) string { return element("mo", html.EscapeString(s)) }

func fixed(s string) string { return `<mo stretchy="false">` + html.EscapeString(s) + "</mo>" }

// space skips what TeX ignores.
func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// command reads a control sequence, if one is next: its name without the backslash.
func (p *parser) command() (string, bool) {
	if !strings.HasPrefix(p.rest, `\`) || len(p.rest) == 1 {
		return "", false
	}
	n := 1
	for n < len(p.rest) && isLetter(p.rest[n]) {
		n++
	}
	if n == 1 {
		_, size := utf8.DecodeRuneInString(p.rest[1:])
		n += size
	}
	name := p.rest[1:n]
	p.rest = p.rest[n:]
	return name, true
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// peekCommand is command without reading it.
func (p *parser) peekCommand() string {
	q := *p
	name, _ := q.command()
	return name
}

// The ends of a row besides the end of the formula: "}" of a group, "right" of \left…\right, "]" of an option, and
// "cell" of a table, which & and \\ and \end end.
func (p *parser) atEnd(end string) bool {
	switch c := p.peekCommand(); end {
	case "}":
		return strings.HasPrefix(p.rest, "}")
	case "]":
		return strings.HasPrefix(p.rest, "]")
	case "right":
		return c == "right"
	case "cell":
		return strings.HasPrefix(p.rest, "&") || c == `\` || c == "end"
	}
	return false
}

// row reads atoms with their scripts up to an end, and leaves the end unread.
func (p *parser) row(end string) (string, error) {
	if p.depth++; p.depth > maxDepth {
		return "", fmt.Errorf("nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	var b strings.Builder
	for p.space(); p.rest != "" && !p.atEnd(end); p.space() {
		a, err := p.scripted()
		if err != nil {
			return "", err
		}
		b.WriteString(a)
	}
	if p.rest == "" && end != "" {
		return "", fmt.Errorf("it ends before the %q that it needs", end)
	}
	return element("mrow", b.String()), nil
}

// scripted reads an atom and what is set below and above it.
func (p *parser) scripted() (string, error) {
	base, err := p.atom()
	if err != nil {
		return "", err
	}
	var sub, sup string
	for p.space(); ; p.space() {
		primes := len(p.rest) - len(strings.TrimLeft(p.rest, "'"))
		switch {
		case p.peekCommand() == "limits", p.peekCommand() == "nolimits": // Where MathML puts them is right.
			p.command()
		case primes > 0 && sup == "":
			p.rest = p.rest[primes:]
			sup = operator(strings.Repeat("′", primes))
			if strings.HasPrefix(p.rest, "^") {
				p.rest = p.rest[1:]
				a, err := p.argument()
				if err != nil {
					return "", err
				}
				sup = element("mrow", sup+a)
			}
		case strings.HasPrefix(p.rest, "_") && sub == "", strings.HasPrefix(p.rest, "^") && sup == "":
			to := &sub
			if p.rest[0] == '^' {
				to = &sup
			}
			p.rest = p.rest[1:]
			if *to, err = p.argument(); err != nil {
				return "", err
			}
		case p.rest != "" && strings.ContainsRune("_^'", rune(p.rest[0])):
			return "", fmt.Errorf("two scripts in one place at %q", p.rest)
		default:
			return scripts(base, sub, sup), nil
		}
	}
}

func scripts(base atom, sub, sup string) string {
	names := [3]string{"msub", "msup", "msubsup"}
	if base.limits {
		names = [3]string{"munder", "mover", "munderover"}
	}
	switch {
	case sub != "" && sup != "":
		return element(names[2], base.xml+sub+sup)
	case sub != "":
		return element(names[0], base.xml+sub)
	case sup != "":
		return element(names[1], base.xml+sup)
	}
	return base.xml
}

// argument reads what a command or a script applies to: a group or one atom.
func (p *parser) argument() (string, error) {
	if p.depth++; p.depth > maxDepth {
		return "", fmt.Errorf("nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	p.space()
	if p.rest == "" || strings.ContainsRune("^_'}&", rune(p.rest[0])) {
		return "", fmt.Errorf("an argument is missing at %q", p.rest)
	}
	if isDigit(p.rest[0]) { // x^12 is x^1 2.
		d := p.rest[:1]
		p.rest = p.rest[1:]
		return element("mn", d), nil
	}
	a, err := p.atom()
	return a.xml, err
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// atom reads one atom.
func (p *parser) atom() (atom, error) {
	if p.rest == "" {
		return atom{}, errors.New("it ends too early")
	}
	if name, ok := p.command(); ok {
		return p.apply(name)
	}
	c, size := utf8.DecodeRuneInString(p.rest)
	switch {
	case c == '{':
		p.rest = p.rest[1:]
		row, err := p.row("}")
		if err != nil {
			return atom{}, err
		}
		p.rest = p.rest[1:]
		return atom{xml: row}, nil
	case c == '}', c == '&', c == '^', c == '_', c == '\'', c == '\\', c == '#', c == '%', c == '$':
		return atom{}, fmt.Errorf("%q is out of place", string(c))
	case isDigit(p.rest[0]):
		n := strings.IndexFunc(p.rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			n = len(p.rest)
		}
		for p.rest[n-1] == '.' { // A full stop, not a decimal point.
			n--
		}
		number := p.rest[:n]
		p.rest = p.rest[n:]
		return atom{xml: element("mn", number)}, nil
	}
	p.rest = p.rest[size:]
	switch {
	case c == '-':
		return atom{xml: operator("−")}, nil
	case c == '*':
		return atom{xml: operator("∗")}, nil
	case c == '~':
		return atom{xml: gap("0.33")}, nil
	case strings.ContainsRune("()[]|/", c):
		return atom{xml: fixed(string(c))}, nil
	case unicode.IsLetter(c):
		return atom{xml: identifier(string(c))}, nil
	}
	return atom{xml: operator(string(c))}, nil
}

func gap(em string) string { return `<mspace width="` + em + `em"></mspace>` }

// braced reads a group as text.
func (p *parser) braced() (string, error) {
	p.space()
	if !strings.HasPrefix(p.rest, "{") {
		return "", fmt.Errorf("a { is missing at %q", p.rest)
	}
	depth := 0
	for i := range len(p.rest) {
		switch p.rest[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				s := p.rest[1:i]
				p.rest = p.rest[i+1:]
				return s, nil
			}
		}
	}
	return "", fmt.Errorf("a } is missing for %q", p.rest)
}

// apply reads what the command called name needs, and makes its atom.
func (p *parser) apply(name string) (atom, error) {
	if s, ok := letters[name]; ok {
		if unicode.IsUpper(firstRune(s)) || s == "∞" || s == "∇" || s == "∅" {
			return atom{xml: upright(s)}, nil
		}
		return atom{xml: identifier(s)}, nil
	}
	if s, ok := operators[name]; ok {
		return atom{xml: operator(s)}, nil
	}
	if s, ok := fences[name]; ok {
		return atom{xml: fixed(s)}, nil
	}
	if s, ok := large[name]; ok {
		return atom{xml: operator(s), limits: !strings.ContainsAny(s, "∫∮")}, nil
	}
	if s, ok := spaces[name]; ok {
		return atom{xml: gap(s)}, nil
	}
	if limits, ok := functions[name]; ok {
		return atom{xml: named(strings.Replace(name, "arg", "arg ", 1), limits), limits: limits}, nil
	}
	if mark, ok := accents[name]; ok {
		return p.accent(mark)
	}
	if v, ok := variants[name]; ok {
		return p.variant(v)
	}
	switch name {
	case "frac", "dfrac", "tfrac":
		over, err := p.argument()
		if err != nil {
			return atom{}, err
		}
		under, err := p.argument()
		return atom{xml: element("mfrac", over+under)}, err
	case "sqrt":
		return p.root()
	case "text", "mathrm", "textrm", "mathsf", "mathtt", "textbf", "textit":
		s, err := p.braced()
		if err == nil && strings.Contains(s, `\`) {
			err = fmt.Errorf("a command within \\%s", name)
		}
		return atom{xml: element("mtext", html.EscapeString(s))}, err
	case "operatorname", "operatorname*":
		if strings.HasPrefix(p.rest, "*") {
			p.rest = p.rest[1:]
			name = "operatorname*"
		}
		s, err := p.braced()
		limits := name == "operatorname*"
		for _, gap := range []string{`\,`, `\ `, `\;`, "~"} {
			s = strings.ReplaceAll(s, gap, " ")
		}
		if err == nil && strings.Contains(s, `\`) {
			err = fmt.Errorf("a command within \\operatorname")
		}
		return atom{xml: named(s, limits), limits: limits}, err
	case "left":
		return p.fenced()
	case "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "bigg", "Bigg", "middle":
		s, err := p.delimiter()
		size := "1.2em"
		if name[0] == 'B' {
			size = "1.8em"
		}
		return atom{xml: `<mo minsize="` + size + `" maxsize="` + size + `">` + html.EscapeString(s) + "</mo>"}, err
	case "begin":
		return p.environment()
	case "not":
		p.space()
		a, err := p.atom()
		return atom{xml: strings.Replace(a.xml, "</mo>", "\u0338</mo>", 1)}, err
	case "displaystyle", "textstyle":
		return atom{}, nil
	}
	return atom{}, fmt.Errorf(`\%s is not known here`, name)
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// named is the name of a function, upright.
func named(s string, limits bool) string {
	if limits {
		return `<mo movablelimits="true" lspace="0.17em" rspace="0.17em">` + html.EscapeString(s) + "</mo>"
	}
	return `<mo lspace="0.17em" rspace="0.17em">` + html.EscapeString(s) + "</mo>"
}

func (p *parser) accent(mark string) (atom, error) {
	a, err := p.argument()
	if mark == "_" {
		return atom{xml: `<munder accentunder="true">` + a + operator("_") + "</munder>"}, err
	}
	return atom{xml: `<mover accent="true">` + a + operator(mark) + "</mover>"}, err
}

// variant reads letters and sets them in another alphabet.
func (p *parser) variant(v alphabet) (atom, error) {
	p.space()
	var s string
	if strings.HasPrefix(p.rest, "{") {
		var err error
		if s, err = p.braced(); err != nil {
			return atom{}, err
		}
	} else if p.rest != "" && !strings.HasPrefix(p.rest, `\`) {
		_, size := utf8.DecodeRuneInString(p.rest)
		s, p.rest = p.rest[:size], p.rest[size:]
	}
	var b strings.Builder
	for _, r := range s {
		switch m := v.letter(r); {
		case m != 0:
			b.WriteRune(m)
		case r == ' ':
		default:
			return atom{}, fmt.Errorf("%q has no letter in that alphabet", r)
		}
	}
	if b.Len() == 0 {
		return atom{}, fmt.Errorf("a letter is missing at %q", p.rest)
	}
	return atom{xml: identifier(b.String())}, nil
}

func (p *parser) root() (atom, error) {
	p.space()
	degree := ""
	if strings.HasPrefix(p.rest, "[") {
		p.rest = p.rest[1:]
		var err error
		if degree, err = p.row("]"); err != nil {
			return atom{}, err
		}
		p.rest = p.rest[1:]
	}
	a, err := p.argument()
	if degree != "" {
		return atom{xml: element("mroot", a+degree)}, err
	}
	return atom{xml: element("msqrt", a)}, err
}

// delimiter reads what follows \left, \right or \big.
func (p *parser) delimiter() (string, error) {
	p.space()
	if name, ok := p.command(); ok {
		if s, ok := fences[name]; ok {
			return s, nil
		}
		return "", fmt.Errorf(`\%s is no delimiter`, name)
	}
	if p.rest == "" || !strings.ContainsRune("()[]|/.<>", rune(p.rest[0])) {
		return "", fmt.Errorf("a delimiter is missing at %q", p.rest)
	}
	c := p.rest[:1]
	p.rest = p.rest[1:]
	switch c {
	case ".":
		return "", nil
	case "<":
		return "⟨", nil
	case ">":
		return "⟩", nil
	}
	return c, nil
}

func (p *parser) fenced() (atom, error) {
	left, err := p.delimiter()
	if err != nil {
		return atom{}, err
	}
	row, err := p.row("right")
	if err != nil {
		return atom{}, err
	}
	p.command()
	right, err := p.delimiter()
	return atom{xml: element("mrow", fence(left, "prefix")+row+fence(right, "postfix"))}, err
}

func fence(s, form string) string {
	if s == "" {
		return ""
	}
	return `<mo fence="true" stretchy="true" form="` + form + `">` + html.EscapeString(s) + "</mo>"
}

// environment reads a table up to its \end.
func (p *parser) environment() (atom, error) {
	name, err := p.braced()
	if err != nil {
		return atom{}, err
	}
	env, ok := environments[strings.TrimSuffix(name, "*")]
	if !ok {
		return atom{}, fmt.Errorf(`\begin{%s} is not known here`, name)
	}
	var b, line strings.Builder
	for column := 0; ; column++ {
		cell, err := p.row("cell")
		if err != nil {
			return atom{}, err
		}
		line.WriteString(`<mtd style="text-align:` + env.align[column%len(env.align)] + `">` + cell + "</mtd>")
		if strings.HasPrefix(p.rest, "&") {
			p.rest = p.rest[1:]
			continue
		}
		b.WriteString(element("mtr", line.String()))
		line.Reset()
		column = -1
		if c, _ := p.command(); c == "end" {
			break
		}
	}
	if end, err := p.braced(); err != nil || end != name {
		return atom{}, fmt.Errorf(`\begin{%s} ends with \end{%s}`, name, end)
	}
	return atom{xml: element("mrow", fence(env.left, "prefix")+element("mtable", b.String())+fence(env.right, "postfix"))}, nil
}
