package tex

import (
	"html"
	"strings"
)

// symbol is the character that a command writes, or "". HTML's names of characters are TeX's, with the exceptions in
// symbols.
func symbol(name string) string {
	if s, ok := symbols[name]; ok {
		return s
	}
	s := html.UnescapeString("&" + name + ";")
	if strings.HasPrefix(s, "&") || strings.HasSuffix(s, ";") { // It has no such name, or only one that begins so.
		return ""
	}
	return s
}

var symbols = map[string]string{
	"epsilon": "ϵ", "varepsilon": "ε", "phi": "ϕ", "varphi": "φ", "partial": "∂", "infty": "∞", "cdot": "⋅", "circ": "∘", "ast": "∗",
	"star": "⋆", "bullet": "∙", "oslash": "⊘", "asymp": "≍", "triangle": "△", "land": "∧", "lor": "∨", "neg": "¬", "lnot": "¬",
	"exists": "∃", "neq": "≠", "to": "→", "gets": "←", "implies": "⟹", "iff": "⟺", "ldots": "…", "dots": "…", "cdots": "⋯",
	"vdots": "⋮", "ddots": "⋱", "degree": "°", "coloneqq": "≔", "iint": "∬", "%": "%", "$": "$", "#": "#", "&": "&", "_": "_",
	"{": "{", "}": "}", "|": "‖", "lVert": "‖", "rVert": "‖", "lvert": "|", "rvert": "|", "backslash": `\`,
	"it": "", "sc": "", // fonts
}

// What is set otherwise than as an operator: characters that are delimiters, those with limits below and above, and
// commands that name something by a character that is no letter.
const (
	fences   = `()[]{}|‖⟨⟩⌊⌋⌈⌉/\`
	large    = "∑∏∐⋃⋂⨁⨂⨄⨆⋁⋀"
	upright  = " nabla infty emptyset "
	slanting = " partial top bot "
)

// spaces are the commands for spaces, in em.
var spaces = map[string]string{",": "0.17", ":": "0.22", ">": "0.22", ";": "0.28", "!": "-0.17", " ": "0.33", "quad": "1", "qquad": "2", "enspace": "0.5"}

// functions are the commands for named functions; true: their subscript goes below in display.
var functions = map[string]bool{
	"sin": false, "cos": false, "tan": false, "tanh": false, "sinh": false, "cosh": false, "exp": false, "log": false, "ln": false,
	"arctan": false, "arccos": false, "arcsin": false, "dim": false, "ker": false, "deg": false, "det": true, "max": true, "min": true,
	"argmax": true, "argmin": true, "sup": true, "inf": true, "lim": true, "Pr": true, "gcd": true,
}

// accents are the commands that put a mark above their argument, or "_" for a line below.
var accents = map[string]string{
	"hat": "^", "widehat": "^", "bar": "¯", "overline": "¯", "tilde": "~", "widetilde": "~", "vec": "→", "dot": "˙", "ddot": "¨", "underline": "_",
	"acute": "´", "grave": "`", "breve": "˘", "check": "ˇ", "mathring": "˚",
}

// alphabet is a block of letters of Unicode: A–Z, a–z and 0–9 from the given first ones (0: none), except for holes.
type alphabet struct {
	upper, lower, digit rune
	holes               string // pairs of a letter and what replaces it
}

// letter is the letter of the alphabet for r, or 0.
func (a alphabet) letter(r rune) rune {
	if i := strings.IndexRune(a.holes, r); i >= 0 && r < 128 {
		return []rune(a.holes[i+1:])[0]
	}
	for _, block := range []struct{ first, last, to rune }{{'A', 'Z', a.upper}, {'a', 'z', a.lower}, {'0', '9', a.digit}} {
		if block.to != 0 && block.first <= r && r <= block.last {
			return block.to + r - block.first
		}
	}
	return 0
}

var (
	script   = alphabet{upper: '𝒜', lower: '𝒶', holes: "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ"}
	slanted  = alphabet{upper: '𝑨', lower: '𝒂', digit: '𝟎'}
	variants = map[string]alphabet{
		"mathbb": {upper: '𝔸', lower: '𝕒', digit: '𝟘', holes: "CℂHℍNℕPℙQℚRℝZℤ"}, "mathcal": script, "mathscr": script,
		"mathfrak": {upper: '𝔄', lower: '𝔞', holes: "CℭHℌIℑRℜZℨ"}, "mathit": {upper: '𝐴', lower: '𝑎', holes: "hℎ"},
		"mathbf": {upper: '𝐀', lower: '𝐚', digit: '𝟎'}, "boldsymbol": slanted, "bm": slanted,
	}
)

// environments are the tables: their fences, and the alignment of their columns, repeated.
var environments = map[string]struct {
	left, right string
	align       []string
}{
	"matrix": {"", "", []string{"center"}}, "pmatrix": {"(", ")", []string{"center"}}, "bmatrix": {"[", "]", []string{"center"}},
	"vmatrix": {"|", "|", []string{"center"}}, "cases": {"{", "", []string{"left"}}, "gather": {"", "", []string{"center"}},
	"aligned": {"", "", []string{"right", "left"}}, "align": {"", "", []string{"right", "left"}},
}
