package source

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// decl is a declaration at the top level of a cell.
type decl struct {
	span
	code    string // the cell's Go text, of which span is a part
	tok     token.Token
	grouped bool // in parentheses
	specs   []spec
	uses    uses
	main    bool // func main
	once    bool // of no use to other cells: func main, func TestMain
	test    bool // a func that go test runs, TestMain except
	name    int  // where a func's name begins
}

// spec is one line of a declaration, or a func.
type spec struct {
	span
	names  []name
	values []span
}

// name is a name that a spec declares.
type name struct {
	span
	key string // the name; "T.m" for a method; "" for _, init and main, which nothing can replace
}

// keyless says whether some of it, such as an init, cannot be replaced, and is of use to other cells.
func (d *decl) keyless() bool {
	return !d.once && slices.ContainsFunc(d.specs, func(s spec) bool {
		return slices.ContainsFunc(s.names, func(n name) bool { return n.key == "" })
	})
}

// runs says whether it does something when a program begins.
func (d *decl) runs() bool { return d.tok == token.VAR || d.keyless() }

func (r *reader) gen(d *ast.GenDecl) *decl {
	from := d.Pos()
	if d.Doc != nil {
		from = d.Doc.Pos()
	}
	out := &decl{span: r.between(from, d.End()), code: r.code, tok: d.Tok, grouped: d.Lparen.IsValid(), uses: r.uses(d)}
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			out.specs = append(out.specs, spec{span: r.span(s), names: []name{r.name(s.Name)}})
		case *ast.ValueSpec:
			v := spec{span: r.span(s)}
			for _, id := range s.Names {
				v.names = append(v.names, r.name(id))
			}
			for _, e := range s.Values {
				v.values = append(v.values, r.span(e))
			}
			out.specs = append(out.specs, v)
		}
	}
	return out
}

func (r *reader) name(id *ast.Ident) name {
	n := name{r.span(id), id.Name}
	if id.Name == "_" {
		n.key = ""
	}
	return n
}

func (r *reader) fun(d *ast.FuncDecl) *decl {
	from := d.Pos()
	if d.Doc != nil {
		from = d.Doc.Pos()
	}
	out := &decl{span: r.between(from, d.End()), code: r.code, tok: token.FUNC, uses: r.uses(d),
		name: r.offset(d.Name.Pos())}
	n := r.name(d.Name)
	switch {
	case d.Recv != nil:
		n.key = receiver(d) + "." + d.Name.Name
		if d.Name.Name == "_" {
			n.key = ""
		}
	case n.key == "main":
		out.main, out.once, n.key = true, true, ""
	case n.key == "TestMain":
		out.once, n.key = true, ""
	case n.key == "init":
		n.key = ""
	default:
		out.test = tested(n.key, d.Type)
	}
	out.specs = []spec{{span: out.span, names: []name{n}}}
	return out
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	if len(d.Recv.List) != 1 {
		return ""
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// tested says whether go test runs the func of that name and type.
func tested(name string, t *ast.FuncType) bool {
	for prefix, of := range map[string]string{"Test": "T", "Benchmark": "B", "Fuzz": "F", "Example": ""} {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || rest != "" && rest[0] >= 'a' && rest[0] <= 'z' {
			continue
		}
		if of == "" {
			return t.Params.NumFields() == 0
		}
		if t.Params.NumFields() != 1 {
			return false
		}
		star, ok := t.Params.List[0].Type.(*ast.StarExpr)
		if !ok {
			return false
		}
		sel, ok := star.X.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == of
	}
	return false
}

// render is the declaration's text in which only what is alive is declared, with as many lines as before, or "" if
// nothing of it is.
func (d *decl) render(alive func(key string) bool) string {
	text := []byte(d.code[d.start:d.end])
	erase := func(s span, with string) {
		part := blank(d.code, s.start, s.end)[s.start:s.end]
		if with != "" {
			part = with + strings.Repeat(" ", max(len(part)-len(with), 0))
		}
		copy(text[s.start-d.start:], part)
	}
	some := false
	for _, s := range d.specs {
		var dead []int
		for i, n := range s.names {
			if !alive(n.key) {
				dead = append(dead, i)
			}
		}
		some = some || len(dead) < len(s.names)
		switch {
		case len(dead) == 0:
		case d.tok == token.CONST || len(dead) < len(s.names) && len(s.values) != len(s.names) && len(s.values) > 0:
			for _, i := range dead { // iota counts on, and a call that gives the others too is made
				erase(s.names[i].span, "_")
			}
		case len(dead) == len(s.names):
			erase(s.span, "")
		default:
			s.keep(d.code, dead, erase)
		}
	}
	if !some {
		return ""
	}
	return string(text)
}

// keep leaves out of a var with a value for each name, or with none, those names and values that are dead.
func (s spec) keep(code string, dead []int, erase func(s span, with string)) {
	isDead := map[int]bool{}
	for _, i := range dead {
		isDead[i] = true
	}
	join := func(all []span) {
		var left []string
		for i, v := range all {
			if !isDead[i] {
				left = append(left, code[v.start:v.end])
			}
		}
		whole := span{start: all[0].start, end: all[len(all)-1].end}
		text := strings.Join(left, ",") // never longer than the whole
		// The lines that are lost come first: after var, ( and = Go allows a line's end.
		lost := strings.Count(code[whole.start:whole.end], "\n") - strings.Count(text, "\n")
		erase(whole, strings.Repeat("\n", lost)+text)
	}
	var names []span
	for _, n := range s.names {
		names = append(names, n.span)
	}
	join(names)
	if len(s.values) > 0 {
		join(s.values)
	}
}
