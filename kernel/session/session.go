//go:build unix

// Package session runs the cells of one notebook: it composes each cell's program, builds it, and runs it in a process
// of its own, as the language of package source says.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"lucigo/internal/project"
	"lucigo/kernel/packages"
	"lucigo/kernel/source"
	"lucigo/kernel/tempdir"
)

// Output takes what a cell puts out. Its methods may be called at once.
type Output interface {
	Print(stream string, text []byte)
	Display(data, metadata map[string]any, id string, update bool)
	Result(data, metadata map[string]any)
	Input(ctx context.Context, prompt string, password bool) (string, error)
}

// Request is a cell to run.
type Request struct {
	Code   string
	Cell   string // the notebook's name for the cell, or ""
	Number int    // of the run
	Input  bool   // the front end can ask the user
}

// Failure is why a cell failed, as a front end shows it.
type Failure struct {
	Name      string   // CompileError, Panic, FatalError, ExitError, CommandError, ClaimError, TestError, Interrupted …
	Value     string   // what happened, and where
	Traceback []string // for people, with colours
}

// Error returns the name and what happened.
func (f *Failure) Error() string { return f.Name + ": " + f.Value }

// Session runs the cells of one notebook, one at a time.
type Session struct {
	root   string // the project's directory
	dir    string // the module of the cells, which is removed in the end
	temp   tempdir.Dir
	goTool string
	env    []string
	guard  *guard
	life   context.Context // until Close
	end    context.CancelFunc
	ready  func() error // waits for the module
	flags  []string     // for go build

	mu     sync.Mutex // of what completion reads too
	memory source.Memory
	index  *packages.Index
	module string // the go.mod that index was loaded for
	texts  map[int]string
	locals map[string]int  // variables of the statements of cells, with the last run that had them
	shown  map[string]bool // ids of displays
}

// Module is the path of the cells' module.
const Module = "notebook"

// New begins a session for the project in root, with the go command goTool and the environment env of this process and
// of the cells. The cells run in this process's working directory, which the command %cd changes.
func New(root, goTool string, env []string) (*Session, error) {
	tempdir.Sweep(os.TempDir(), dirPrefix, endLeft)
	temp, err := tempdir.Make("", dirPrefix)
	if err != nil {
		return nil, err
	}
	dir, token := temp.Path, rand.Text()
	s := &Session{root: root, dir: dir, temp: temp, goTool: goTool,
		texts: map[int]string{}, locals: map[string]int{}, shown: map[string]bool{}}
	s.env = append(env, envSession+"="+token, "GONB_TMP_DIR="+dir,
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildvcs=false"))
	if err = os.WriteFile(filepath.Join(dir, tokenFile), []byte(token), 0o600); err == nil {
		s.guard, err = startGuard(dir, token)
	}
	if err != nil {
		return nil, errors.Join(err, temp.Remove())
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.ready = sync.OnceValue(s.seed) // The first cell waits for it, not the front end.
	go s.ready()
	return s, nil
}

// Close ends what cells have started and is still running, and removes the session's files.
func (s *Session) Close() error {
	s.end()
	s.ready() // What it has started has ended then.
	s.guard.close()
	return s.temp.Remove()
}

// Dir is the directory of the cells' module.
func (s *Session) Dir() string { return s.dir }

// seed makes the cells' module: it has the project's requirements, and the project by replacement, so that cells
// import its packages and GoMLX at the project's versions.
func (s *Session) seed() error {
	for _, file := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(s.root, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(s.dir, file), b, 0o666); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(s.life, s.goTool, "mod", "edit", "-module="+Module,
		"-require="+project.Module+"@v0.0.0-00010101000000-000000000000", "-replace="+project.Module+"="+s.root)
	cmd.Dir, cmd.Env = s.dir, s.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod edit: %w: %s", err, out)
	}
	return s.load(s.life)
}

// load loads the index of packages, where the module has changed.
func (s *Session) load(ctx context.Context) error {
	module, err := os.ReadFile(filepath.Join(s.dir, "go.mod"))
	if err != nil {
		return err
	}
	if s.index != nil && string(module) == s.module {
		return nil
	}
	index, err := packages.Load(ctx, s.goTool, s.dir, s.env, project.Module)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.module = index, string(module)
	return nil
}

// Run runs a cell. It returns nil or a *Failure. When ctx ends, the cell's processes are interrupted, and killed if
// they do not end.
func (s *Session) Run(ctx context.Context, r Request, out Output) (err error) {
	cell, err := source.Parse(r.Code)
	if cell == nil || err != nil {
		return s.mistakes(r, err)
	}
	run := &run{Session: s, ctx: ctx, Request: r, out: out}
	defer func() { err = cmp.Or(err, run.close()) }()
	switch {
	case cell.File != nil:
		return run.writeFile(cell)
	case cell.Script != nil:
		return run.script(cell)
	}
	for _, c := range cell.Commands {
		if err := run.command(c); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return interrupted()
		}
	}
	if !cell.Go() {
		return nil
	}
	if err := s.ready(); err != nil {
		return failure("KernelError", s.guard.reason(err).Error())
	}
	if err := s.load(ctx); ctx.Err() != nil {
		return interrupted()
	} else if err != nil {
		return failure("KernelError", s.guard.reason(err).Error())
	}
	return run.goCell(cell)
}

// run is one run of a cell.
type run struct {
	*Session
	Request
	ctx      context.Context
	out      Output
	entry    string   // what the program calls the cell's main
	capture  *os.File // of %capture
	lost     error    // why not all of it is written
	password bool     // of %with_password, for the next command of the shell
	claims   claims
}

// close ends what %capture has begun, and fails where the file lacks something.
func (r *run) close() error {
	if r.capture == nil {
		return nil
	}
	if err := cmp.Or(r.lost, r.capture.Close()); err != nil {
		return failure("CommandError", "%capture: "+err.Error())
	}
	return nil
}

// print prints to the front end and to what %capture names.
func (r *run) print(stream string, text []byte) {
	if r.capture != nil {
		if _, err := r.capture.Write(text); err != nil && r.lost == nil {
			r.lost = err
		}
	}
	r.out.Print(stream, text)
}

// goCell builds and runs the Go code of a cell.
func (r *run) goCell(cell *source.Cell) error {
	token := rand.Text()
	r.mu.Lock()
	memory := r.memory.Add(r.Number, r.Cell, cell, r.index)
	r.texts[r.Number] = cell.Text
	for _, name := range cell.Locals {
		r.locals[name] = r.Number
	}
	program := memory.Program(r.index, token)
	r.entry = program.Entry
	r.mu.Unlock()
	binary, err := r.build(program, cell.Test)
	if err != nil {
		return err
	}
	remember := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.memory = memory
	}
	if !program.Main && !cell.Test {
		remember()
		return nil
	}
	args := cell.Args
	if cell.Test {
		args = testArgs(program, args)
	}
	p := &process{run: r, token: token, displays: true}
	end, err := p.start(binary, args)
	if err != nil {
		return failure("ExitError", err.Error())
	}
	err = r.verdict(end, cell)
	if end.begun || err == nil {
		remember()
	} else if f, ok := err.(*Failure); ok && f.Name != "Interrupted" { // Later cells would fail as this one does.
		f.Traceback = append(f.Traceback, "It failed before main began, so its declarations are not remembered.")
	}
	if err == nil {
		err = r.claims.verdict()
	}
	return err
}

// testArgs are the arguments of a test program: those of the user, or else the tests of the cell. The program cannot
// end well by os.Exit.
func testArgs(p source.Program, args []string) []string {
	if len(args) == 0 {
		args = []string{"-test.v"}
		if p.Tests != nil {
			args = append(args, "-test.run=^("+strings.Join(p.Tests, "|")+")$")
		}
		if p.Bench {
			args = append(args, "-test.bench=^("+strings.Join(p.Tests, "|")+")$")
		}
	}
	return append([]string{"-test.paniconexit0"}, args...)
}

const (
	bold  = "\x1b[1m" // legible on every front end's colours, as red is not
	plain = "\x1b[0m"
)

// failure is one whose traceback says no more than its value.
func failure(name, value string) *Failure {
	return &Failure{name, value, []string{bold + value + plain}}
}

func interrupted() *Failure { return failure("Interrupted", "the cell was interrupted") }

// mistakes is the failure of a cell whose text cannot be read.
func (s *Session) mistakes(r Request, err error) error {
	var list []message
	collect(err, func(e *source.Error) {
		list = append(list, message{cell: r.Number, line: e.Line, col: e.Col, text: e.Text})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[r.Number] = r.Code
	return s.messages(r.Number, "SyntaxError", list)
}

// collect calls f with every *source.Error that err consists of.
func collect(err error, f func(*source.Error)) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range all.Unwrap() {
			collect(e, f)
		}
		return
	}
	var e *source.Error
	if errors.As(err, &e) {
		f(e)
	} else if err != nil {
		f(&source.Error{Text: err.Error()})
	}
}
