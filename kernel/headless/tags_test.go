package headless

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/kernel/jupyter"
	"lucigo/kernel/jupyter/jupytertest"
	"lucigo/kernel/notebook"
)

// script runs cells of package jupytertest's scripts and tells in short what became of each: its failure, or how it
// was passed by.
func script(t *testing.T, o Options, cells ...*notebook.Cell) string {
	t.Helper()
	o.Kernel = jupyter.Command{Argv: jupytertest.Argv(), Env: jupytertest.Env(""), Dir: t.TempDir()}
	outcomes, err := Run(t.Context(), &notebook.Notebook{Cells: cells}, o)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, o := range outcomes {
		s := o.Failure()
		switch {
		case o.Skipped:
			s = "skipped"
		case !o.Ran:
			s = "not run"
		case o.Allowed != nil:
			s = "allowed: " + o.Allowed.Error()
		case s == "":
			s = "ok"
		}
		list = append(list, s)
	}
	return strings.Join(list, " | ")
}

const falseClaim = `display_data {"data":{"application/vnd.lucigo.claim+json":{"sentence":"It is %v","measured":2,"relation":"<","bound":1}}}`

// TestTags holds a run against what nbclient does: the tag of an error allows one and demands none, allows no other kind
// of end, and holds for its own cell alone; a cell that is skipped keeps what it has.
func TestTags(t *testing.T) {
	code := notebook.NewCode
	skipped := code("raise E x", "skip-execution", "raises-exception")
	one := 1
	skipped.Outputs, skipped.ExecutionCount = []*notebook.Output{{Type: notebook.Stream, Name: "stdout", Text: "old"}}, &one
	for _, c := range []struct {
		cells []*notebook.Cell
		want  string
	}{
		{[]*notebook.Cell{code("raise E as I said", "raises-exception"), code("print x")}, "allowed: as I said | ok"},
		{[]*notebook.Cell{code("print x", "raises-exception"), code("print x")}, "ok | ok"},
		{[]*notebook.Cell{code("raise E a", "raises-exception"), code("raise E b"), code("print x")}, "allowed: a | b | not run"},
		{[]*notebook.Cell{skipped, code("print x")}, "skipped | ok"},
		{[]*notebook.Cell{code("print x", "skip-execution")}, "skipped"},
		{[]*notebook.Cell{code("exit gone", "raises-exception"), code("print x")}, "the kernel died: exit status 2; its last words: | not run"},
		{[]*notebook.Cell{code("ask\nwait", "raises-exception"), code("print x")}, "it asks for input, which a run without a front end cannot give | not run"},
		{[]*notebook.Cell{code(falseClaim+"\nraise ClaimError It is 2", "raises-exception"), code("print x")}, "a claim fails: It is 2 (required: less than 1) | ok"},
		{[]*notebook.Cell{code("raise ClaimError It is 2", "raises-exception"), code("print x")}, "It is 2 | ok"},
		{[]*notebook.Cell{code(" \n"), code("print x")}, "not run | ok"},
	} {
		if got := script(t, Options{}, c.cells...); got != c.want {
			t.Errorf("%s: want %s", got, c.want)
		}
	}
	if len(skipped.Outputs) != 1 || skipped.Outputs[0].Text != "old" || skipped.ExecutionCount == nil {
		t.Errorf("a skipped cell has lost its outputs: %+v", skipped)
	}
	request := code("request", "raises-exception")
	request.ID = "the-id"
	script(t, Options{}, request)
	if got := request.Printed(); got != "{\"cellId\":\"the-id\"} false\n" {
		t.Errorf("a cell that may fail sends %s", got)
	}
}

// TestErrorsAreNotMissed: a cell fails whichever way its kernel says so, and its outputs say it too; a false claim stops
// nothing.
func TestErrorsAreNotMissed(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"raise E what", "what"},
		{`reply {"status":"error","ename":"E","evalue":"in the reply alone"}`, "in the reply alone"},
		{"error {\"ename\":\"E\",\"evalue\":\"in a message alone\"}\nprint x", "in a message alone"},
		{"raise E cleared\nclear_output {}", "cleared"},
		{`reply {"status":"aborted"}`, `it failed: its status is "aborted"`},
		{`reply {}`, `it failed: its status is ""`},
	} {
		cell := notebook.NewCode(c.source)
		if got := script(t, Options{}, cell, notebook.NewCode("print x")); got != c.want+" | not run" {
			t.Errorf("%s: %s, want %s", c.source, got, c.want)
		}
		if last := cell.Outputs[len(cell.Outputs)-1]; !strings.Contains(c.source, "print") && (last.Type != notebook.Error || last.EValue != c.want) {
			t.Errorf("%s: the last output is %+v", c.source, last)
		}
	}
	if got := script(t, Options{}, notebook.NewCode(falseClaim+"\nraise ClaimError It is 2"), notebook.NewCode("print x")); got != "a claim fails: It is 2 (required: less than 1) | ok" {
		t.Error(got)
	}
	if got := script(t, Options{}, notebook.NewCode("raise ClaimError not to be seen"), notebook.NewCode("print x")); got != "not to be seen | ok" {
		t.Error(got)
	}
	if got := script(t, Options{KeepGoing: true}, notebook.NewCode("raise E a"), notebook.NewCode("print x")); got != "a | ok" {
		t.Error(got)
	}
}

// TestNothingToRunStartsNoKernel: a kernel that does not start is no matter where it is not needed.
func TestNothingToRunStartsNoKernel(t *testing.T) {
	none := jupyter.Command{Argv: []string{filepath.Join(t.TempDir(), "none")}}
	nb := &notebook.Notebook{Cells: []*notebook.Cell{{Type: notebook.Markdown, Source: "x"}, notebook.NewCode(""), notebook.NewCode("x", "skip-execution")}}
	if outcomes, err := Run(t.Context(), nb, Options{Kernel: none}); err != nil || len(outcomes) != 2 {
		t.Errorf("%v, %v", outcomes, err)
	}
	if _, err := Run(t.Context(), codeCells("x"), Options{Kernel: none}); err == nil {
		t.Error("a kernel that does not start passes")
	}
}

// TestAllOutputsAreBounded: those of a notebook together, whichever cells put them out.
func TestAllOutputsAreBounded(t *testing.T) {
	half := notebook.NewCode(strings.Repeat(fmt.Sprintf("fill %d\n", 1<<20), maxTotal>>21+1))
	rest := notebook.NewCode(half.Source)
	got := script(t, Options{}, half, rest, notebook.NewCode("print x"))
	if want := "ok | it put out more than 128 MiB, with the cells before it | not run"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(half.Outputs) + len(rest.Outputs); n < maxTotal>>20-2 || n > maxTotal>>20+2 {
		t.Errorf("%d outputs of a MiB are kept", n)
	}
}

func TestWatching(t *testing.T) {
	var told []string
	script(t, Options{Begin: func(c Cell) { told = append(told, fmt.Sprint("begin ", c.Number)) }, End: func(o Outcome) { told = append(told, fmt.Sprint("end ", o.Cell.Number)) }},
		notebook.NewCode("print x"), notebook.NewCode("print x", "skip-execution"), notebook.NewCode("raise E x"), notebook.NewCode("print x"))
	if got := strings.Join(told, ", "); got != "begin 1, end 1, end 2, begin 3, end 3" {
		t.Error(got)
	}
}

// TestLabelsArePlain: they are printed, and a notebook must not command the user's terminal.
func TestLabelsArePlain(t *testing.T) {
	nb := &notebook.Notebook{Cells: []*notebook.Cell{notebook.NewCode("// a\x1b]0;title\x07b\x1b[2Jc\rd\x00")}}
	if got := Outcomes(nb)[0].Cell.Label; got != "abc d" {
		t.Errorf("the label is %q", got)
	}
}

func TestFailure(t *testing.T) {
	if s := (Outcome{Allowed: errors.New("x")}).Failure(); s != "" {
		t.Errorf("what is allowed fails by %q", s)
	}
}
