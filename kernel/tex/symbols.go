package tex

import "strings"

// letters are the commands that write a letter.
var letters = map[string]string{
	"alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
	"theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
	"rho": "ρ", "sigma": "σ", "varsigma": "ς", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ", "chi": "χ",
	"psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
	"Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ℏ", "partial": "∂", "nabla": "∇",
	"infty": "∞", "top": "⊤", "bot": "⊥", "emptyset": "∅", "Re": "ℜ", "Im": "ℑ", "aleph": "ℵ", "imath": "ı", "jmath": "ȷ",
}

// operators are the commands that write an operator or a relation.
var operators = map[string]string{
	"times": "×", "cdot": "⋅", "div": "÷", "pm": "±", "mp": "∓", "circ": "∘", "odot": "⊙", "otimes": "⊗", "oplus": "⊕",
	"ast": "∗", "star": "⋆", "bullet": "∙", "cap": "∩", "cup": "∪", "setminus": "∖", "wedge": "∧", "land": "∧",
	"vee": "∨", "lor": "∨", "neg": "¬", "lnot": "¬", "forall": "∀", "exists": "∃", "le": "≤", "leq": "≤", "ge": "≥",
	"geq": "≥", "ne": "≠", "neq": "≠", "ll": "≪", "gg": "≫", "approx": "≈", "sim": "∼", "simeq": "≃", "equiv": "≡",
	"cong": "≅", "propto": "∝", "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂", "subseteq": "⊆", "supset": "⊃",
	"supseteq": "⊇", "perp": "⊥", "parallel": "∥", "mid": "∣", "to": "→", "rightarrow": "→", "leftarrow": "←",
	"gets": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "implies": "⟹", "Leftarrow": "⇐", "Leftrightarrow": "⇔",
	"iff": "⟺", "mapsto": "↦", "uparrow": "↑", "downarrow": "↓", "longrightarrow": "⟶", "ldots": "…", "dots": "…",
	"cdots": "⋯", "vdots": "⋮", "ddots": "⋱", "colon": ":", "prime": "′", "%": "%", "$": "$", "#": "#", "&": "&", "_": "_",
	"degree": "°", "dagger": "†", "lt": "<", "gt": ">", "triangleq": "≜", "coloneqq": "≔",
}

// fences are the commands that write a delimiter.
var fences = map[string]string{
	"{": "{", "}": "}", "lbrace": "{", "rbrace": "}", "|": "‖", "Vert": "‖", "lVert": "‖", "rVert": "‖", "vert": "|",
	"lvert": "|", "rvert": "|", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
	"lbrack": "[", "rbrack": "]", "backslash": `\`,
}

// large are the commands for large operators.
var large = map[string]string{
	"sum": "∑", "prod": "∏", "int": "∫", "iint": "∬", "oint": "∮", "bigcup": "⋃", "bigcap": "⋂", "bigoplus": "⨁", "bigotimes": "⨂",
}

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
}

// alphabet is a block of letters of Unicode: A–Z, a–z and 0–9 from the given first ones (0: none), except for holes.
type alphabet struct {
	upper, lower, digit rune
	holes               string // pairs of a letter and what replaces it
}

func (a alphabet) letter(r rune) rune {
	if i := strings.IndexRune(a.holes, r); i >= 0 && r < 128 {
		return firstRune(a.holes[i+1:])
	}
	for _, block := range []struct{ first, last, to rune }{{'A', 'Z', a.upper}, {'a', 'z', a.lower}, {'0', '9', a.digit}} {
		if block.to != 0 && block.first <= r && r <= block.last {
			return block.to + r - block.first
		}
	}
	return 0
}

var variants = map[string]alphabet{
	"mathbb":     {upper: '𝔸', lower: '𝕒', digit: '𝟘', holes: "CℂHℍNℕPℙQℚRℝZℤ"},
	"mathcal":    {upper: '𝒜', lower: '𝒶', holes: "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ"},
	"mathscr":    {upper: '𝒜', lower: '𝒶', holes: "BℬEℰFℱHℋIℐLℒMℳRℛeℯgℊoℴ"},
	"mathfrak":   {upper: '𝔄', lower: '𝔞', holes: "CℭHℌIℑRℜZℨ"},
	"mathbf":     {upper: '𝐀', lower: '𝐚', digit: '𝟎'},
	"boldsymbol": {upper: '𝑨', lower: '𝒂', digit: '𝟎'},
	"bm":         {upper: '𝑨', lower: '𝒂', digit: '𝟎'},
	"mathit":     {upper: '𝐴', lower: '𝑎', holes: "hℎ"},
}

// table is an environment: its fences and the alignment of its columns, repeated.
type table struct {
	left, right string
	align       []string
}

var environments = map[string]table{
	"matrix":  {"", "", []string{"center"}},
	"pmatrix": {"(", ")", []string{"center"}},
	"bmatrix": {"[", "]", []string{"center"}},
	"vmatrix": {"|", "|", []string{"center"}},
	"cases":   {"{", "", []string{"left"}},
	"aligned": {"", "", []string{"right", "left"}},
	"align":   {"", "", []string{"right", "left"}},
	"gather":  {"", "", []string{"center"}},
}
