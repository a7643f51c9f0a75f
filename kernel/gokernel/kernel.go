//go:build unix

package main

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"

	"lucigo/kernel/serve"
	"lucigo/kernel/session"
	"lucigo/kernel/source"
)

// kernel answers front ends for a session.
type kernel struct {
	*session.Session
	completer
}

func (k *kernel) close() error {
	k.completer.close()
	return k.Session.Close()
}

func (k *kernel) Info() serve.Info {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = strings.Trim(info.Main.Version, "()")
	}
	return serve.Info{
		Implementation: "lucigo", Version: version,
		Banner: "Go notebooks of LuciGo, " + runtime.Version() + ". %help lists the commands.",
		Language: serve.Language{Name: "go", Version: strings.TrimPrefix(runtime.Version(), "go"), MIMEType: "text/x-go",
			FileExtension: ".go", Lexer: "go", Mode: "go"},
		HelpLinks: []serve.Link{
			{Text: "Go's documentation", URL: "https://pkg.go.dev"},
			{Text: "GoMLX", URL: "https://pkg.go.dev/github.com/gomlx/gomlx"},
		},
	}
}

func (k *kernel) Execute(ctx context.Context, r serve.Request, out *serve.Output) *serve.Failure {
	defer k.changed()
	err := k.Run(ctx, session.Request{Code: r.Code, Cell: r.Cell, Number: r.Count, Input: r.AllowStdin}, out)
	var f *session.Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return &serve.Failure{Name: f.Name, Value: f.Value, Traceback: f.Traceback}
	}
	return &serve.Failure{Name: "KernelError", Value: err.Error(), Traceback: []string{err.Error()}}
}

func (k *kernel) IsComplete(code string) (status, indent string) {
	if depth, incomplete := source.Incomplete(code); incomplete {
		return "incomplete", strings.Repeat("\t", depth)
	}
	if _, err := source.Parse(code); err != nil {
		return "invalid", ""
	}
	return "complete", ""
}

// bytesOf is the offset in bytes of one in code points.
func bytesOf(code string, points int) int {
	for i := range code {
		if points == 0 {
			return i
		}
		points--
	}
	return len(code)
}
