package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/build"
)

type modelsCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"list, fetch NAME … or train; models list --help and so on say more."`
}

// Run builds the command kernel/models and runs it in this terminal.
func (c *modelsCommand) Run(ctx context.Context) error {
	root, err := project.Root(".")
	if err != nil {
		return err
	}
	k, err := build.Find(root)
	if err != nil {
		return err
	}
	program, err := k.Program(ctx, "models", os.Stderr)
	if err != nil {
		return err
	}
	args := c.Args
	if len(args) == 0 {
		args = []string{"list"}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // training writes a checkpoint
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return errors.New("models: it failed, for the reason above")
	}
	return err
}
