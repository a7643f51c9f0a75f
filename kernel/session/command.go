//go:build unix

package session

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"lucigo/kernel/source"
)

// command runs one of a cell's commands.
func (r *run) command(c source.Command) error {
	fail := func(err error) error {
		if err == nil {
			return nil
		}
		return failure("CommandError", fmt.Sprintf("line %d: %s: %v", c.Line, c.Text, err))
	}
	name := c.Name()
	if name == "!" {
		return r.shell(c)
	}
	args, err := c.Args()
	if err != nil {
		return fail(err)
	}
	say := func(format string, a ...any) { r.print("stdout", fmt.Appendf(nil, format, a...)) }
	switch name {
	case "env":
		return fail(r.setenv(args, say))
	case "cd":
		return fail(cd(args, say))
	case "goflags":
		if len(args) > 0 {
			r.flags = args
			if len(args) == 1 && args[0] == "" {
				r.flags = nil
			}
		}
		say("%%goflags: %s\n", strings.Join(r.flags, " "))
	case "capture":
		return fail(r.captureTo(args))
	case "with_inputs":
	case "with_password":
		r.password = true
	case "ls", "list":
		for _, line := range r.memory.Declared() {
			say("%s\n", line)
		}
	case "rm", "remove":
		return fail(r.forget(args, say))
	case "reset":
		r.mu.Lock()
		defer r.mu.Unlock()
		r.memory = source.Memory{}
	case "version":
		say("LuciGo's kernel, %s, %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	case "help":
		say("%s", source.Help())
	}
	return nil
}

// shell runs a command of the shell; one that begins with * runs in the module's directory.
func (r *run) shell(c source.Command) error {
	text := c.Text[1:]
	p := &process{run: r}
	if rest, ok := strings.CutPrefix(text, "*"); ok {
		if err := r.ready(); err != nil {
			return failure("KernelError", err.Error())
		}
		text, p.dir = rest, r.dir
	}
	name, args := shell(strings.TrimSpace(text))
	err := r.program(fmt.Sprintf("line %d: %s", c.Line, c.Text), p, name, args)
	r.password = false
	return err
}

// script runs a cell that is a script.
func (r *run) script(c *source.Cell) error {
	return r.program(strings.Join(c.Script, " "), &process{run: r, input: []byte(c.Body())}, c.Script[0], c.Script[1:])
}

// writeFile writes a cell that is a file.
func (r *run) writeFile(c *source.Cell) error {
	name, flags := c.File[len(c.File)-1], os.O_CREATE|os.O_WRONLY|os.O_TRUNC
	if len(c.File) == 2 {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	f, err := openFile(name, flags)
	if err == nil {
		_, err = f.WriteString(strings.TrimSuffix(c.Body(), "\n") + "\n")
		if err2 := f.Close(); err == nil {
			err = err2
		}
	}
	if err != nil {
		return failure("CommandError", "%%writefile: "+err.Error())
	}
	r.print("stdout", fmt.Appendf(nil, "written: %s\n", name))
	return nil
}

// openFile opens a file to write it. A named pipe that nobody reads is an error: waiting for a reader heeds no interrupt.
func openFile(name string, flags int) (*os.File, error) {
	return os.OpenFile(home(name), flags|syscall.O_NONBLOCK, 0o666)
}

func (r *run) setenv(args []string, say func(string, ...any)) error {
	if len(args) == 1 {
		if name, value, ok := strings.Cut(args[0], "="); ok {
			args = []string{name, value}
		}
	}
	if len(args) != 2 || args[0] == "" {
		return fmt.Errorf("it takes a name and a value")
	}
	r.env = append(r.env[:len(r.env):len(r.env)], args[0]+"="+args[1])
	say("%s=%q\n", args[0], args[1])
	return os.Setenv(args[0], args[1])
}

func cd(args []string, say func(string, ...any)) error {
	if len(args) > 1 {
		return fmt.Errorf("it takes one directory")
	}
	if len(args) == 1 {
		if err := os.Chdir(home(args[0])); err != nil {
			return err
		}
	}
	wd, err := os.Getwd()
	say("%s\n", wd)
	return err
}

// home is a path in which ~ is the user's directory.
func home(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
		if dir, err := os.UserHomeDir(); err == nil {
			return filepath.Join(dir, rest)
		}
	}
	return path
}

func (r *run) captureTo(args []string) (err error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if len(args) == 2 && args[0] == "-a" {
		args, flags = args[1:], os.O_CREATE|os.O_WRONLY|os.O_APPEND
	}
	if len(args) != 1 {
		return fmt.Errorf("it takes a file, with -a before it to append")
	}
	if err := r.close(); err != nil {
		return err
	}
	r.capture, err = openFile(args[0], flags)
	return err
}

func (r *run) forget(names []string, say func(string, ...any)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		next, found := r.memory.Forget(name)
		if !found {
			return fmt.Errorf("nothing named %s is remembered%s", name, question(name, r.memory.Names()))
		}
		r.memory = next
		say("forgotten: %s\n", name)
	}
	return nil
}
