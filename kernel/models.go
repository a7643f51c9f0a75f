package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"lucigo/kernel/build"
)

type modelsCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"list, fetch NAME …, train, digits, microscope NAME or serve NAME; models list --help and so on say more."`
}

// Run builds the command kernel/models and runs it in this terminal.
func (c *modelsCommand) Run(ctx context.Context) error {
	k, err := build.Find(".")
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
	err = inTerminal(ctx, program, args...).Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return errors.New("models: it failed, for the reason above")
	}
	return err
}
