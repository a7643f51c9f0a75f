package source

import (
	"fmt"
	"slices"
	"strings"

	"lucigo/interp/near"
)

// known are the commands that begin with %, and what each does.
var known = map[string]string{
	"%": "ARGS…: the statements below are main's", "main": "ARGS…: the same as %%",
	"args": "ARGS…: arguments of the cell's program", "exec": "FUNC ARGS…: main calls FUNC",
	"test": "ARGS…: runs the tests, and the benchmarks, of the cell",
	"env":  "NAME VALUE: sets an environment variable", "cd": "DIR: changes the working directory",
	"goflags": "FLAGS…: flags for go build", "capture": "[-a] FILE: copies what the cell prints to a file",
	"with_inputs": "the next ! command may ask for input", "with_password": "the same, without showing what is typed",
	"ls": "lists the declarations that are remembered", "list": "the same as %ls",
	"rm": "NAME…: forgets declarations", "remove": "the same as %rm", "reset": "forgets all declarations",
	"version": "versions", "help": "this text",
}

// scripts are the commands of whole cells: they must be a cell's first line.
var scripts = map[string]string{
	"%bash": "the cell is a script for bash", "%sh": "the cell is a script for sh",
	"%script": "PROGRAM ARGS…: the cell is a script for PROGRAM", "%writefile": "[-a] FILE: the cell is written to FILE",
}

// Help describes the language of cells.
func Help() string {
	var b strings.Builder
	b.WriteString("A cell is Go: declarations, which later cells know too, or statements.\n" +
		"Lines that begin with one of these are commands, which run before the Go code:\n\n" +
		"  !COMMAND            runs a command of the shell; !*COMMAND runs it in the module of the cells\n")
	for _, table := range []map[string]string{known, scripts} {
		var names []string
		for name := range table {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			word := "%" + name
			what := table[name]
			if args, text, ok := strings.Cut(what, ": "); ok {
				word, what = word+" "+args, text
			}
			fmt.Fprintf(&b, "  %-19s %s\n", word, what)
		}
	}
	return b.String()
}

// Name is the command's first word without its %, or "!" for one of the shell.
func (c Command) Name() string {
	if c.Text[0] == '!' {
		return "!"
	}
	word, _, _ := strings.Cut(c.Text[1:], " ")
	word, _, _ = strings.Cut(word, "\t")
	return word
}

// Args are the command's words after its name, in which quotes and backslashes join, as in a shell.
func (c Command) Args() ([]string, error) {
	all, err := words(c.Text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Text, err)
	}
	return all[1:], nil
}

// check is an error for a command that there is not, or that is not where it has to be.
func (c Command) check() error {
	name := c.Name()
	if name == "!" {
		if strings.Trim(c.Text, "!* ") == "" {
			return &Error{Line: c.Line, Text: "a command of the shell must follow the !"}
		}
		return nil
	}
	if _, ok := known[name]; ok {
		_, err := c.Args()
		return c.at(err)
	}
	if _, ok := scripts[name]; ok {
		return &Error{Line: c.Line, Text: fmt.Sprintf("%%%s must be the cell's first line", name)}
	}
	hint := "%help lists those that there are"
	if list := near.Names("%"+name, Commands(""), 3); len(list) > 0 {
		hint = strings.Join(list, ", ") + "?"
	}
	return &Error{Line: c.Line, Text: fmt.Sprintf("there is no command %%%s; %s", name, hint)}
}

// at is err with the command's line, or nil.
func (c Command) at(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Line: c.Line, Text: err.Error()}
}

// words splits a line at its blanks. Single quotes keep everything, double quotes everything except what a backslash
// escapes.
func words(line string) (all []string, err error) {
	var (
		word  strings.Builder
		in    bool // a word
		quote rune
		esc   bool
	)
	for _, r := range line {
		switch {
		case esc:
			word.WriteRune(r)
			esc = false
		case r == '\\' && quote != '\'':
			esc, in = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t':
			if in {
				all = append(all, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	}
	if in {
		all = append(all, word.String())
	}
	return all, nil
}
