package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"lucigo/internal/project"
	"lucigo/kernel/build"
	"lucigo/kernel/kernelspec"
)

type installCommand struct {
	Completion bool `help:"Also build gopls, for completion and hover texts (a minute, 40 MB; it uses 400 MB of memory)." default:"true" negatable:""`
}

func (i *installCommand) Run(ctx context.Context) error {
	s, err := prepare(ctx, os.Stderr)
	if err != nil {
		return err
	}
	if i.Completion {
		if err := s.completion(ctx); err != nil {
			return err
		}
	}
	dir, err := kernelspec.DataDir()
	if err != nil {
		return err
	}
	file, err := s.register(dir)
	if err != nil {
		return err
	}
	fmt.Printf("%s is installed: %s\nChoose it in JupyterLab or VS Code; go run ./kernel lab starts a JupyterLab that has it.\n", kernelspec.DisplayName, file)
	return nil
}

// completion builds gopls. The error is that of ctx: without gopls, notebooks run all the same.
func (s setup) completion(ctx context.Context) error {
	if err := s.BuildCompletion(ctx, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "  completion stays without gopls: %v\n", err)
	}
	return ctx.Err()
}

// register writes the kernel specification below Jupyter's data directory dir, and returns its file.
func (s setup) register(dir string) (string, error) {
	env := map[string]string{project.EnvRoot: s.Root, "LUCIGO_GOPLS": s.Completion()}
	if cache := os.Getenv(project.EnvCache); cache != "" {
		env[project.EnvCache] = cache
	}
	if s.pureGo {
		env["GOEXPERIMENT"] = build.Experiments()
	}
	if goCommand, err := exec.LookPath("go"); err == nil { // An editor's PATH may lack it.
		env["LUCIGO_GO"] = goCommand
	}
	return kernelspec.Write(dir, s.Command(), env)
}
