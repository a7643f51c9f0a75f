//go:build unix

package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lucigo/internal/proc"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/kernel/headless"
	"lucigo/kernel/jupyter"
	"lucigo/kernel/notebook"
	"lucigo/kernel/page"
	"lucigo/kernel/runner"
	"lucigo/notebooks/show"
)

// prose is what people write, and what nobody should.
var prose = []string{
	"# A heading\n\nSome *words*, $x^2$ and a [link](http://example.org).\n\n| a | b |\n|---|---|\n| 1 | $y$ |\n",
	strings.Repeat("# a\n", 5000),
	strings.Repeat("[a](", 3000) + strings.Repeat("**a ", 3000) + strings.Repeat("b** ", 3000),
	strings.Repeat("$$a\n", 3000) + strings.Repeat("> ", 3000) + "a <script>alert(1)</script>",
}

// page draws a figure of maps into a page with prose, and stops on the way.
func (w works) page(ctx context.Context, d *draw) (string, error) {
	x := w.images.Slice(0, 3)
	maps, err := saliency.Gradient{}.Maps(ctx, w.net, objective.LogProb, x)
	if err != nil {
		return "", err
	}
	figure, err := show.Grid{Images: x, Columns: []show.Column{{Name: "gradient", Maps: maps}}}.Figure()
	if err != nil {
		return "", err
	}
	html, err := figure.HTML()
	if err != nil {
		return "", err
	}
	shown, err := json.Marshal(html)
	if err != nil {
		return "", err
	}
	code := notebook.NewCode("must.M(show.Grid{Images: x}.Show())")
	code.Outputs = []*notebook.Output{{Type: notebook.DisplayData, Data: notebook.MIMEBundle{"text/html": shown}}}
	nb := &notebook.Notebook{Cells: []*notebook.Cell{{Type: notebook.Markdown, Source: prose[d.question]}, code}}
	for d.fault(2) {
		own, cancel := d.soon(ctx, 50*time.Millisecond)
		err := given(own, page.Render(own, io.Discard, nb, page.Info{}))
		if cancel(); err != nil {
			return "", err
		}
	}
	var b bytes.Buffer
	err = page.Render(ctx, &b, nb, page.Info{File: "a.ipynb", Note: "a note"})
	return digest(b.String()), err
}

// cells are those of a notebook whose last ones start a process that tries to stay, and fail.
var cells = []*notebook.Cell{
	notebook.NewCode("// Parameters\nvar n = 40", "parameters"),
	notebook.NewCode("%%\nfor i := range n {\n\tfmt.Println(i * i)\n}\ngonbui.DisplayHtml(\"<b>shown</b>\")\ngonbui.Sync()"),
	notebook.NewCode("%%\nmust.M(claim.AtMost(\"There are %v\", float64(n), 40))"),
	notebook.NewCode("!(setsid sleep 600 &)\n!echo begun"),
	notebook.NewCode("%%\nvar p *int\nfmt.Println(*p)", "raises-exception"),
}

// notebook runs a notebook in the kernel. The run is stopped, or its kernel or what that has started is killed, and the
// next run's outputs and results are those of the first.
func (w works) notebook(ctx context.Context, d *draw) (string, error) {
	in, out := filepath.Join(d.dir, "in"), filepath.Join(d.dir, "out")
	if err := os.Mkdir(in, 0o700); err != nil {
		return "", err
	}
	if err := (&notebook.Notebook{Cells: cells}).Write(filepath.Join(in, "a.ipynb")); err != nil {
		return "", err
	}
	run := func(ctx context.Context) (failures []string, err error) {
		jobs, err := runner.Find(in)
		if err != nil {
			return nil, err
		}
		results, err := runner.Runner{Out: out, JUnit: filepath.Join(out, "report.xml"), Watch: unwatched{}, Limit: time.Minute,
			Kernel: func(dir string) jupyter.Command {
				return jupyter.Command{Argv: []string{w.kernel.Command(), "{connection_file}"}, Dir: dir,
					Env: append(os.Environ(), "LUCIGO_ROOT="+w.kernel.Root, "SOAK_DRAW="+d.dir)}
			}}.Run(ctx, jobs)
		for _, r := range results {
			failures = append(failures, r.Failures()...)
		}
		return failures, err
	}
	for d.fault(2) {
		own, cancel := d.soon(ctx, 5*time.Second)
		var err error
		if d.IntN(2) == 0 {
			_, err = run(own)
			err = given(own, err)
		} else {
			kills := make(chan struct{})
			go func() {
				defer close(kills)
				<-own.Done()
				if all := members(d.dir); len(all) > 0 {
					syscall.Kill(slices.Min(all), syscall.SIGKILL) // The kernel is the eldest.
				}
			}()
			_, err = run(ctx) // Its failures are those of a kernel that died.
			<-kills
		}
		if cancel(); err != nil {
			return "", err
		}
	}
	failures, err := run(ctx)
	if err != nil || failures != nil {
		return "", errors.Join(err, fmt.Errorf("failures: %q", failures))
	}
	nb, err := notebook.Read(filepath.Join(out, "a.ipynb"))
	if err != nil {
		return "", err
	}
	var said []any
	for _, c := range nb.Cells[:len(nb.Cells)-1] {
		said = append(said, c.Printed())
		for _, o := range c.Outputs {
			said = append(said, o.Data)
		}
	}
	last := nb.Cells[len(nb.Cells)-1].Outputs
	return digest(append(said, last[len(last)-1].EValue)...), nil
}

// members are the processes whose environment has a text.
func members(text string) []int {
	return proc.Where("environ", func(env string) bool { return strings.Contains(env, text) })
}

// unwatched is a watcher who says nothing.
type unwatched struct{}

func (unwatched) Begin(runner.Job)         {}
func (unwatched) BeginCell(headless.Cell)  {}
func (unwatched) EndCell(headless.Outcome) {}
func (unwatched) End(runner.Result)        {}
