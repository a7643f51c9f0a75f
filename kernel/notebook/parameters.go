package notebook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"

	"lucigo/kernel/source"
)

// The tags of papermill's convention: a cell that declares parameters with their defaults, and the cell with a run's
// own values, which comes right after it.
const (
	parametersTag = "parameters"
	injectedTag   = "injected-parameters"
)

// Parameter is a variable or constant that the cell tagged parameters declares at the top level, one name each.
type Parameter struct {
	Name    string
	Default string // its value as Go source, or "" for none
	keyword string // var or const
	typ     string // declared, or that of a literal default; "" for another expression
}

// String is the parameter with its default: "n = 3", or "n" where it has none.
func (p Parameter) String() string { return strings.TrimSuffix(p.Name+" = "+p.Default, " = ") }

// Parameters lists the notebook's parameters, in the order of their declaration.
func (nb *Notebook) Parameters() ([]Parameter, error) {
	i := nb.parametersCell()
	if i < 0 {
		return nil, nil
	}
	const head = "package p\n"
	_, code := source.Split(nb.Cells[i].Source)
	src := head + code
	file, err := parser.ParseFile(token.NewFileSet(), "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("the cell tagged %s is not a list of declarations like var seed = 1: %w", parametersTag, err)
	}
	text := func(n ast.Node) string { return src[n.Pos()-1 : n.End()-1] }
	var list []Parameter
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR && decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			for j, name := range spec.Names {
				p := Parameter{Name: name.Name, keyword: decl.Tok.String()}
				if spec.Type != nil {
					p.typ = text(spec.Type)
				}
				if len(spec.Values) == len(spec.Names) { // Else a call with several results, or no value.
					p.Default = text(spec.Values[j])
					if p.typ == "" {
						p.typ = literalType(spec.Values[j])
					}
				}
				list = append(list, p)
			}
		}
	}
	return list, nil
}

func (nb *Notebook) parametersCell() int {
	return slices.IndexFunc(nb.Cells, func(c *Cell) bool { return c.Type == Code && c.Tagged(parametersTag) })
}

// literalType is the type that a variable takes from a literal, or "" for other expressions.
func literalType(e ast.Expr) string {
	if u, ok := e.(*ast.UnaryExpr); ok && (u.Op == token.SUB || u.Op == token.ADD) {
		e = u.X
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		return map[token.Token]string{token.INT: "int", token.FLOAT: "float64", token.STRING: "string", token.CHAR: "rune"}[e.Kind]
	case *ast.Ident:
		if e.Name == "true" || e.Name == "false" {
			return "bool"
		}
	}
	return ""
}

// Inject gives parameters values of this run: it puts a cell tagged injected-parameters after the cell tagged
// parameters, in place of one that is already there. A value for a parameter whose type is a string, a bool or a
// number is taken as that (a string without quotes); for any other, it is a Go expression. Names that are no parameters
// of this notebook are passed by.
func (nb *Notebook) Inject(values map[string]string) error {
	list, err := nb.Parameters()
	if err != nil {
		return err
	}
	declarations := "// Parameters of this run"
	for _, p := range list {
		value, ok := values[p.Name]
		if !ok {
			continue
		}
		literal, err := p.literal(value)
		if err != nil {
			return fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		typ := ""
		if p.typ != "" && p.keyword == "var" { // 1 for a float64 must not become an int; a constant stays untyped.
			typ = " " + p.typ
		}
		declarations += fmt.Sprintf("\n%s %s%s = %s", p.keyword, p.Name, typ, literal)
	}
	if !strings.Contains(declarations, "\n") {
		return nil
	}
	nb.Cells = slices.DeleteFunc(nb.Cells, func(c *Cell) bool { return c.Type == Code && c.Tagged(injectedTag) })
	nb.Cells = slices.Insert(nb.Cells, nb.parametersCell()+1, NewCode(declarations, injectedTag))
	nb.identify()
	return nil
}

// literal is value as Go source of the parameter's type.
func (p Parameter) literal(value string) (string, error) {
	_, err := parser.ParseExpr(value)
	switch p.typ {
	case "string":
		return strconv.Quote(value), nil
	case "bool":
		b, err := strconv.ParseBool(value)
		if err != nil {
			return "", fmt.Errorf("its value is %q, must be true or false", short([]byte(value)))
		}
		return strconv.FormatBool(b), nil
	case "int", "int8", "int16", "int32", "int64", "rune", "uint", "uint8", "byte", "uint16", "uint32", "uint64", "float32", "float64":
		var number types.TypeAndValue // A constant that the type holds.
		if err == nil {
			number, err = types.Eval(token.NewFileSet(), nil, token.NoPos, p.typ+"("+value+")")
		}
		if err != nil || number.Value == nil {
			return "", fmt.Errorf("its value is %q, must be of type %s", short([]byte(value)), p.typ)
		}
	}
	if err != nil {
		return "", fmt.Errorf("its value is %q, must be a Go expression, as its default %s is: %w", short([]byte(value)), p.Default, err)
	}
	return value, nil
}
