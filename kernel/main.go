// Command kernel sets up, runs and examines the project's notebooks.
//
//	go run ./kernel run notebooks/lecture   executes notebooks; on a fresh machine it installs what they need first
//	go run ./kernel lab                     opens them in JupyterLab
//	go run ./kernel install                 makes the kernel known to Jupyter and to editors
//	go run ./kernel models                  lists networks, fetches their weights, trains some, serves one, writes a site about one
//	go run ./kernel doctor                  says what is there, what is missing, and what fixes it
//
// It runs on Unix: a kernel is a group of processes, and its sockets are files.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run     runCommand     `cmd:"" help:"Execute notebooks without a browser, and write the executed notebooks and their pages."`
	Lab     labCommand     `cmd:"" help:"Open JupyterLab with the kernel."`
	Install installCommand `cmd:"" help:"Build the kernel and make it known to Jupyter and to editors."`
	Models  modelsCommand  `cmd:"" help:"List the networks, fetch weights, train networks, serve one, write a site about one: models list, models fetch NAME, models train, models serve NAME, models microscope NAME."`
	Doctor  doctorCommand  `cmd:"" help:"Say what is there, what is missing, and what fixes it."`
}

// stopped is the end of a context by a signal.
type stopped struct{ syscall.Signal }

func (s stopped) Error() string {
	if s.Signal == syscall.SIGINT {
		return "interrupted"
	}
	return "stopped: " + s.String()
}

func (stopped) Is(target error) bool { return target == context.Canceled }

// status is the exit status by the shells' convention.
func (s stopped) status() int { return 128 + int(s.Signal) }

// untilAsked is a context that the first signal to stop ends. Whatever the program does then, a second one kills it.
func untilAsked() context.Context {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // It is under nohup.
		signals = append(signals, syscall.SIGHUP) // The terminal was closed.
	}
	ctx, stop := context.WithCancelCause(context.Background())
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, signals...)
	go func() {
		first := <-asked
		signal.Stop(asked)
		stop(stopped{first.(syscall.Signal)})
	}()
	return ctx
}

func main() {
	ctx := untilAsked()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // Whoever reads our output may leave (| head): a write fails then, and that is all.
	var c commands
	k := kong.Parse(&c, kong.Name("go run ./kernel"), kong.ShortUsageOnError(),
		kong.Description("Sets up, runs and examines the project's notebooks."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	err := k.Run()
	if err == nil {
		return
	}
	if s := (stopped{}); errors.As(context.Cause(ctx), &s) && errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "kernel:", s)
		os.Exit(s.status())
	}
	fmt.Fprintln(os.Stderr, "kernel:", err)
	os.Exit(1)
}
