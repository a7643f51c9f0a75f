package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

const gonbModule = "github.com/janpfeifer/gonb"

// mend replaces one passage of a source file of GoNB v0.11.5. old must be there exactly once: a version whose text
// differs is refused, never patched by guess. With old empty, the file is new.
type mend struct {
	file     string // slash-separated, below GoNB's module directory
	old, new string
}

// mends lists what is wrong for our use in the pinned GoNB, each with its cure.
var mends = []mend{
	// A line on a cell's stderr such as "12:30:01.5 main.go:12: x" (the log packages write them) has a column 0 by
	// GoNB's reckoning, and panics the kernel with a negative repeat count.
	{"internal/goexec/gonberror.go", "\tif col == -1 {\n", "\tif col < 1 {\n"},

	// A panicking program writes a place of its stack in several pieces, "…/main.go", ":" and the line, and GoNB turns
	// places into the cell's only within one piece. So the line that holds a place waits for its end.
	{"internal/goexec/execcode.go", "\tlineBuffer          bytes.Buffer\n}\n", `	lineBuffer          bytes.Buffer
	held                []byte // the beginning of a line that holds a place
}

// flush writes what Write held back.
func (w *jupyterStackTraceMapperWriter) flush() {
	if len(w.held) > 0 {
		w.jupyterWriter.Write(w.held)
		w.held = nil
	}
}
`},
	{"internal/goexec/execcode.go", "\t\treturn w.jupyterWriter.Write(p)\n\t}\n", `		return w.jupyterWriter.Write(p)
	}
	p = append(w.held, p...)
	w.held = nil
	if tail := p[bytes.LastIndexByte(p, '\n')+1:]; len(tail) < 4096 && bytes.Contains(tail, []byte(w.mainPath)) {
		w.held = bytes.Clone(tail)
		p = p[:len(p)-len(tail)]
	}
`},
	{"internal/goexec/execcode.go", "\terr := jpyExec.Exec()\n", `	err := jpyExec.Exec()
	if w, ok := stderrWithAnnotator.(*jupyterStackTraceMapperWriter); ok {
		w.flush()
	}
`},

	// An interrupt while a cell compiles must end the compiler, and the cell must not run. (One that comes while it
	// runs ends the program; that is GoNB's own doing.)
	{"internal/dispatcher/dispatcher.go", "\t\t\tmsg.Kernel().CallInterruptSubscribers()\n",
		"\t\t\tmsg.Kernel().Interrupted.Store(true)\n\t\t\tmsg.Kernel().CallInterruptSubscribers()\n"},
	{"internal/goexec/execcode.go", "\toutput, err := cmd.CombinedOutput()\n",
		"\toutput, err := outputUntilInterrupt(msg.Kernel(), cmd)\n" +
			"\tif msg.Kernel().Interrupted.Load() {\n\t\treturn errors.New(\"interrupted while compiling\")\n\t}\n"},
	{"internal/goexec/interrupt.go", "", `package goexec

import (
	"bytes"
	"os"
	"os/exec"

	"github.com/janpfeifer/gonb/internal/kernel"
)

// outputUntilInterrupt is cmd.CombinedOutput, which an interrupt of the kernel ends, or keeps from starting.
func outputUntilInterrupt(k *kernel.Kernel, cmd *exec.Cmd) ([]byte, error) {
	if k.Interrupted.Load() {
		return nil, nil
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	id := k.SubscribeInterrupt(func(kernel.SubscriptionId) { cmd.Process.Signal(os.Interrupt) })
	defer k.UnsubscribeInterrupt(id)
	err := cmd.Wait()
	return out.Bytes(), err
}
`},

	// stop_on_error: after a cell that fails, the requests already waiting must be answered "aborted", not run. So "Run
	// All" stops at the first failing cell, and at an interrupt.
	{"internal/dispatcher/dispatcher.go",
		"\tif err := msg.Reply(\"execute_reply\", replyContent); err != nil {\n" +
			"\t\treturn errors.WithMessagef(err, \"publish 'execute_reply`\")\n\t}\n\treturn nil\n",
		"\tif err := msg.Reply(\"execute_reply\", replyContent); err != nil {\n" +
			"\t\treturn errors.WithMessagef(err, \"publish 'execute_reply`\")\n\t}\n" +
			"\tif executionErr != nil && content[\"stop_on_error\"] != false {\n\t\tabortWaiting = len(busyMessagesChan)\n\t}\n\treturn nil\n"},
	{"internal/dispatcher/dispatcher.go",
		"\tcase \"execute_request\":\n\t\tif err = handleExecuteRequest(msg, goExec); err != nil {\n",
		"\tcase \"execute_request\":\n\t\tif aborted {\n\t\t\treturn replyAborted(msg)\n\t\t}\n" +
			"\t\tif err = handleExecuteRequest(msg, goExec); err != nil {\n"},
	{"internal/dispatcher/dispatcher.go",
		"func handleBusyMessage(msg kernel.Message, goExec *goexec.State) (err error) {\n\tmsgType := msg.ComposedMsg().Header.MsgType\n",
		"func handleBusyMessage(msg kernel.Message, goExec *goexec.State) (err error) {\n\tmsgType := msg.ComposedMsg().Header.MsgType\n" +
			"\taborted := abortWaiting > 0\n\tabortWaiting = max(abortWaiting-1, 0)\n"},
	{"internal/dispatcher/abort.go", "", `package dispatcher

import "github.com/janpfeifer/gonb/internal/kernel"

// abortWaiting is how many of the messages next in busyMessagesChan were sent before a cell failed with stop_on_error:
// the execute_requests among them are not run. Only the goroutine that handles busy messages uses it.
var abortWaiting int

func replyAborted(msg kernel.Message) error {
	return msg.Reply("execute_reply", map[string]any{"status": "aborted"})
}
`},
}

// mended copies GoNB's module from dir into to, with the mends made.
func mended(dir, to string, mends []mend) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (name == "docs" || name == "examples"):
			return filepath.SkipDir // Large, and not Go.
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o666)
	})
	if err != nil {
		return fmt.Errorf("copying GoNB: %w", err)
	}
	for _, m := range mends {
		file := filepath.Join(to, filepath.FromSlash(m.file))
		var s string
		if m.old != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				return fmt.Errorf("mending GoNB: %w", err)
			}
			s = string(b)
			if n := strings.Count(s, m.old); n != 1 {
				return fmt.Errorf("mending GoNB: %s holds the passage to mend %d times, not once:\n%s\nIs GoNB another version than the one the mends were made for?", m.file, n, m.old)
			}
		}
		if err := os.WriteFile(file, []byte(strings.Replace(s, m.old, m.new, 1)), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// goMod writes into dir a go.mod and go.sum that are the project's with GoNB taken from the directory mended, and
// returns the former's path, for go build -modfile. (The go command overlays no file of the module cache.)
func goMod(root, mended, dir string) (string, error) {
	file := filepath.Join(root, "go.mod")
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	mod, err := modfile.Parse(file, b, nil)
	if err != nil {
		return "", err
	}
	if err := mod.AddReplace(gonbModule, "", mended, ""); err != nil {
		return "", err
	}
	if b, err = mod.Format(); err != nil {
		return "", err
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "mended.mod")
	return to, errors.Join(os.WriteFile(to, b, 0o666), os.WriteFile(filepath.Join(dir, "mended.sum"), sum, 0o666))
}
