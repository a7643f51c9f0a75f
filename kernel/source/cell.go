package source

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// Error is what is wrong with a cell's text.
type Error struct {
	Line, Col int // in the cell, from 1; Col is 0 where the line as a whole is meant
	Text      string
}

// Error returns the line and what is wrong there.
func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Cell is what a cell's text means.
type Cell struct {
	Text     string    // with "\n" at the ends of its lines
	Script   []string  // the program and arguments that the text after the first line is for, or nil
	File     []string  // the arguments of %%writefile: the text after the first line is for a file, or nil
	Commands []Command // to be run before the Go code
	Args     []string  // of the cell's program
	Flags    bool      // main begins with flag.Parse
	Test     bool      // the cell's tests are run
	Entry    bool      // there is something to run: statements, a func main or a func to call
	Locals   []string  // the variables of the statements, which end with the cell

	code    string // the Go text
	call    string // the func that main calls, or ""
	body    *span  // the statements that main consists of, or nil
	result  *span  // within the body: its last statement, if that is an expression
	decls   []*decl
	imports []Import
	uses    uses // of the body
}

// Import is an import declaration.
type Import struct {
	Name string // "" for the package's own
	Path string
	at   span
	doc  *span // the preamble of import "C"
}

// span is a piece of a cell's text.
type span struct {
	line, col  int // where it begins, from 1
	start, end int // in the cell's Go text
}

// Go says whether there is Go in the cell that has to be compiled.
func (c *Cell) Go() bool { return c.Entry || c.Test || len(c.decls) > 0 || len(c.imports) > 0 }

// Body is a script's or a file's text: what comes after the first line.
func (c *Cell) Body() string {
	_, body, _ := strings.Cut(strings.TrimLeft(c.Text, "\n"), "\n")
	return body
}

// Parse reads a cell's text. Its errors are of type *Error, joined where there are several.
func Parse(text string) (*Cell, error) {
	c := &Cell{Text: normal(text)}
	if first, ok := script(c.Text); ok {
		return c, first.at(c.script(first))
	}
	commands, code := Split(c.Text)
	body := -1 // the line after which everything is the body of main
	for _, command := range commands {
		if err := command.check(); err != nil {
			return nil, err
		}
		switch name := command.Name(); name {
		case "%", "main", "args", "test", "exec":
			args, err := command.Args()
			if err != nil {
				return nil, command.at(err)
			}
			if err := c.run(name, args); err != nil {
				return nil, command.at(err)
			}
			if (name == "%" || name == "main") && body < 0 {
				body = command.Line
			}
		default:
			c.Commands = append(c.Commands, command)
		}
	}
	if err := c.parse(code, body); err != nil {
		return nil, err
	}
	return c, c.conflict()
}

// conflict is an error for a cell that says two things of what is run.
func (c *Cell) conflict() error {
	if c.Test && c.call != "" {
		return &Error{Line: 1, Text: "%test runs tests, and %exec a func: a cell can have one of them"}
	}
	if c.body == nil {
		return nil
	}
	main := slices.ContainsFunc(c.decls, func(d *decl) bool { return d.main })
	text := c.code[c.body.start:c.body.end]
	rest := strings.TrimLeft(text, " \t\n")
	if rest == "" {
		if main {
			c.body = nil
		}
		return nil
	}
	other := ""
	switch {
	case c.Test:
		other = "the tests that %test runs"
	case c.call != "":
		other = "the func that %exec runs"
	case main:
		other = "func main"
	default:
		return nil
	}
	line := c.body.line + strings.Count(text[:len(text)-len(rest)], "\n")
	return &Error{Line: line, Text: "statements need a cell of their own: this one has " + other}
}

// script is the first line of a cell that is a script or a file.
func script(text string) (first Command, ok bool) {
	line, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	if !strings.HasPrefix(line, "%%") {
		return first, false
	}
	first = Command{1 + strings.Index(text, "%"), strings.TrimSpace(line)} // Only line ends are before it.
	_, ok = scripts[first.Name()]
	return first, ok
}

// script takes in the first line of a cell that is a script or a file.
func (c *Cell) script(first Command) error {
	args, err := first.Args()
	if err != nil {
		return err
	}
	switch name := first.Name(); name {
	case "%writefile":
		if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[0] != "-a" {
			return errors.New("%%writefile takes a file's name, with -a before it to append")
		}
		c.File = args
	case "%script":
		if len(args) == 0 {
			return errors.New("%%script takes a program and its arguments")
		}
		c.Script = args
	default:
		if len(args) > 0 {
			return fmt.Errorf("%%%s takes no arguments; %%%%script does", name)
		}
		c.Script = []string{name[1:]}
	}
	return nil
}

// run takes in a command that says how the cell runs.
func (c *Cell) run(name string, args []string) error {
	switch name {
	case "test":
		c.Test = true
	case "exec":
		if len(args) == 0 || !token.IsIdentifier(args[0]) {
			return errors.New("%exec takes the name of a func without arguments")
		}
		c.call, args = args[0], args[1:]
		c.Entry, c.Flags = true, true
	case "%", "main":
		c.Entry, c.Flags = true, true
	}
	if len(args) > 0 || c.Args == nil {
		c.Args = args
	}
	return nil
}

// head is put before a cell's Go text to make a file of it: a line of its own, so that columns stay.
const head = "package main\n"

// parse reads the Go text, of which what comes after line body is main's, unless body is negative.
func (c *Cell) parse(code string, body int) error {
	code = withoutPackage(code)
	c.code = code
	if body >= 0 {
		at := lineStart(code, body+1)
		if err := c.declarations(code[:at]); err != nil {
			return err
		}
		return c.statements(code, at)
	}
	asDecls := c.declarations(code)
	if asDecls == nil {
		return nil
	}
	after := importsEnd(code)
	asBody := c.declarations(code[:after])
	if asBody == nil {
		asBody = c.statements(code, after)
	}
	if asBody == nil {
		c.Entry = true
		return nil
	}
	switch o := outlineOf(code[after:]); {
	case o.declares && o.mixed:
		var first *Error
		if errors.As(asDecls, &first) {
			return &Error{first.Line, first.Col, "statements after declarations need a line %% above them"}
		}
		return asDecls
	case o.declares:
		return asDecls
	case o.fn > 0:
		return &Error{Line: strings.Count(code[:after], "\n") + o.fn,
			Text: "a func after statements: declare it above them, with a line %% between, or in another cell"}
	}
	return asBody
}

// outline is what Go text looks like that need not be correct.
type outline struct {
	declares bool // it begins with a declaration
	mixed    bool // there are statements after the beginning
	fn       int  // the line of the first func, which no statement declares, or 0
}

func outlineOf(code string) (o outline) {
	s, file := scan(code)
	depth, fresh := 0, true
	for first := true; ; first = false {
		pos, tok, _ := s.Scan()
		if tok == token.EOF {
			return o
		}
		decl := tok == token.FUNC || tok == token.TYPE || tok == token.VAR || tok == token.CONST || tok == token.IMPORT
		if depth == 0 && fresh && tok == token.FUNC && o.fn == 0 {
			o.fn = file.Line(pos)
		}
		if first {
			o.declares = decl
		} else if fresh && depth == 0 && !decl && tok != token.SEMICOLON {
			o.mixed = true
		}
		switch tok {
		case token.LBRACE, token.LPAREN, token.LBRACK:
			depth++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			depth--
		}
		fresh = tok == token.SEMICOLON
	}
}

// scan is a scanner of code, which need not be right, and the file to which its positions belong.
func scan(code string) (*scanner.Scanner, *token.File) {
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(code))
	s.Init(file, []byte(code), func(token.Position, string) {}, 0)
	return &s, file
}

// withoutPackage blanks a package clause, which cells do not need.
func withoutPackage(code string) string {
	s, file := scan(code)
	pos, tok, _ := s.Scan()
	if tok != token.PACKAGE {
		return code
	}
	name, tok, lit := s.Scan()
	if tok != token.IDENT {
		return code
	}
	return blank(code, file.Offset(pos), file.Offset(name)+len(lit))
}

// blank is text in which everything from start to end, except the ends of lines, is a blank.
func blank(text string, start, end int) string {
	b := []byte(text)
	for i := start; i < end; i++ {
		if b[i] != '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}

// lineStart is where a line, from 1, begins, or the text's end.
func lineStart(text string, line int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	return at
}

// importsEnd is where the imports that Go text begins with end.
func importsEnd(code string) int {
	fset := token.NewFileSet()
	f, _ := parser.ParseFile(fset, "", head+code, parser.ImportsOnly)
	end := 0
	if f != nil {
		for _, d := range f.Decls {
			end = max(end, fset.Position(d.End()).Offset-len(head))
		}
	}
	return min(end, len(code))
}

// declarations reads Go text that consists of declarations.
func (c *Cell) declarations(code string) error {
	c.decls, c.imports = nil, nil
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", head+code, parser.ParseComments)
	if err != nil {
		return asErrors(err, 1, strings.Count(code, "\n")+1)
	}
	r := reader{fset: fset, code: code, shift: len(head), lines: 1}
	r.unresolved(f)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				c.imports = append(c.imports, r.imports(d)...)
				continue
			}
			c.decls = append(c.decls, r.gen(d))
		case *ast.FuncDecl:
			fn := r.fun(d)
			c.Entry = c.Entry || fn.main
			c.decls = append(c.decls, fn)
		}
	}
	return nil
}

// statements reads Go text that from at on consists of statements.
func (c *Cell) statements(code string, at int) error {
	before, lines := head+"func _() {\n", 2-strings.Count(code[:at], "\n")
	fset := token.NewFileSet()
	col := at - (strings.LastIndexByte(code[:at], '\n') + 1)
	pad := strings.Repeat(" ", col)
	f, err := parser.ParseFile(fset, "", before+pad+code[at:]+"\n}\n", parser.ParseComments)
	if err != nil {
		return asErrors(err, lines, strings.Count(code, "\n")+1)
	}
	main, ok := f.Decls[0].(*ast.FuncDecl)
	if !ok || len(f.Decls) != 1 {
		return &Error{Line: strings.Count(code[:at], "\n") + 1, Text: "a } too many: the statements end before the cell does"}
	}
	r := reader{fset: fset, code: code, shift: len(before) + len(pad) - at, lines: lines}
	r.unresolved(f)
	c.body = &span{line: strings.Count(code[:at], "\n") + 1, col: col + 1, start: at, end: len(code)}
	c.uses = r.uses(main.Body)
	for _, statement := range main.Body.List {
		c.Locals = append(c.Locals, locals(statement)...)
	}
	if n := len(main.Body.List); n > 0 {
		if e, ok := main.Body.List[n-1].(*ast.ExprStmt); ok && valued(e.X) {
			s := r.span(e)
			c.result = &s
		}
	}
	return nil
}

// locals are the variables that a statement declares for those after it.
func locals(s ast.Stmt) (names []string) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		for _, e := range s.Lhs {
			if id, ok := e.(*ast.Ident); ok && s.Tok == token.DEFINE && id.Name != "_" {
				names = append(names, id.Name)
			}
		}
	case *ast.DeclStmt:
		d, ok := s.Decl.(*ast.GenDecl)
		for i := 0; ok && i < len(d.Specs); i++ {
			switch spec := d.Specs[i].(type) {
			case *ast.ValueSpec:
				for _, id := range spec.Names {
					names = append(names, id.Name)
				}
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			}
		}
	}
	return names
}

// valued says whether an expression is no statement, so that only its value can be meant.
func valued(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		return false
	case *ast.UnaryExpr:
		return e.Op != token.ARROW
	}
	return true
}

// asErrors turns a parser's errors into those of the cell, whose lines begin after the file's first lines and are
// at most last.
func asErrors(err error, lines, last int) error {
	var list scanner.ErrorList
	if !errors.As(err, &list) {
		return &Error{Line: 1, Text: err.Error()}
	}
	list.Sort()
	var all []error
	for _, e := range list {
		at := &Error{e.Pos.Line - lines, e.Pos.Column, e.Msg}
		switch { // Beyond last is the brace that closes main.
		case at.Line > last && e.Msg == "expected declaration, found '}'":
			at = &Error{last, 0, "there is a } too many"}
		case at.Line > last && strings.HasSuffix(e.Msg, "found '}'"):
			at = &Error{last, 0, "the cell ends before its code does"}
		case at.Line > last, strings.HasSuffix(e.Msg, "found 'EOF'"):
			at = &Error{max(min(at.Line, last), 1), 0, "the cell ends before its code does: a } or ) is missing"}
		}
		if len(all) == 0 || all[len(all)-1].(*Error).Line != at.Line { // the others follow from the first
			all = append(all, at)
		}
	}
	return errors.Join(all...)
}

// reader takes apart what a parser has read.
type reader struct {
	fset  *token.FileSet
	code  string
	shift int // of offsets
	lines int // of lines
	open  map[*ast.Ident]bool
}

func (r *reader) unresolved(f *ast.File) {
	r.open = make(map[*ast.Ident]bool, len(f.Unresolved))
	for _, id := range f.Unresolved {
		r.open[id] = true
	}
}

func (r *reader) offset(p token.Pos) int {
	return min(max(r.fset.Position(p).Offset-r.shift, 0), len(r.code))
}

func (r *reader) span(n ast.Node) span { return r.between(n.Pos(), n.End()) }

func (r *reader) between(from, to token.Pos) span {
	start := r.offset(from)
	return span{
		line: strings.Count(r.code[:start], "\n") + 1, col: start - strings.LastIndexByte(r.code[:start], '\n'),
		start: start, end: r.offset(to),
	}
}

// uses are the names that code uses and that it does not declare itself, each with what is selected of it.
type uses map[string][]string

func (u uses) add(v uses) {
	for name, selected := range v {
		u[name] = append(u[name], selected...)
	}
}

func (r *reader) uses(n ast.Node) uses {
	u := uses{}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && r.open[x] && !slices.Contains(u[x.Name], n.Sel.Name) {
				u[x.Name] = append(u[x.Name], n.Sel.Name)
			}
		case *ast.CompositeLit:
			r.keys(n)
		case *ast.Ident:
			if _, ok := u[n.Name]; !ok && r.open[n] {
				u[n.Name] = nil
			}
		}
		return true
	})
	return u
}

// keys opens the names that are keys of a map's or an array's literal. The parser does not, since those of a struct's
// are fields.
func (r *reader) keys(lit *ast.CompositeLit) {
	switch lit.Type.(type) {
	case *ast.MapType, *ast.ArrayType:
	default:
		return
	}
	for _, e := range lit.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := pair.Key.(*ast.Ident); ok && id.Obj == nil {
				r.open[id] = true
			}
		}
	}
}

func (r *reader) imports(d *ast.GenDecl) (list []Import) {
	for _, s := range d.Specs {
		spec := s.(*ast.ImportSpec)
		i := Import{at: r.span(spec)}
		i.Path, _ = strconv.Unquote(spec.Path.Value)
		if spec.Name != nil {
			i.Name = spec.Name.Name
		}
		if doc := cmp.Or(spec.Doc, d.Doc); i.Path == "C" && doc != nil {
			s := r.span(doc)
			i.doc = &s
		}
		list = append(list, i)
	}
	return list
}
