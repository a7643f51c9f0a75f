// Command kernel sets up, runs and examines the project's notebooks.
//
//	go run ./kernel run notebooks/lecture   executes notebooks; on a fresh machine it installs what they need first
//	go run ./kernel lab                     opens them in JupyterLab
//	go run ./kernel install                 makes the kernel known to Jupyter and editors
//	go run ./kernel doctor                  says what is there, what is missing, and what mends it
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Run runCommand `cmd:"" help:"Execute notebooks without a browser, and write the executed notebooks and their pages."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	k := kong.Parse(&c, kong.Name("go run ./kernel"), kong.UsageOnError(),
		kong.Description("Sets up, runs and examines the project's notebooks."),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "kernel:", err)
		os.Exit(1)
	}
}
