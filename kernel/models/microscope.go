package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"lucigo/notebooks/microscope"
	"lucigo/notebooks/show"
	"lucigo/notebooks/subject"
)

type microscopeCommand struct {
	Network string   `arg:"" help:"A name that list says, or a file of weights."`
	Out     string   `required:"" type:"path" help:"Folder of the site: a new or an empty one, or one where this command was interrupted."`
	Layers  []string `help:"Layers, divided by commas; all if none is given."`
	Images  string   `type:"path" help:"Folder of photographs, or a file of MNIST's or CIFAR's format; drawn scenes if none is given."`
	Count   int      `default:"1024" help:"Scenes that are drawn; of photographs, all are used."`
	Steps   int      `help:"Steps of each optimised image; 0 is 48."`
	Size    int      `help:"Their height and width in pixels; 0 is the network's input, at most 128."`
}

func (c microscopeCommand) Run(ctx context.Context) (err error) {
	n, err := subject.Open(ctx, c.Network)
	if err != nil {
		return err
	}
	src, err := n.Data(c.Images, c.Count)
	if err != nil {
		return err
	}
	var line *show.Progress
	var shown error
	tell := func(what string, done, of int) {
		if line == nil || line.Title != what {
			if line != nil {
				shown = errors.Join(shown, line.Close())
			}
			line = &show.Progress{Title: what, Total: of}
		}
		shown = errors.Join(shown, line.Set(done, ""))
	}
	site := microscope.Site{Dir: c.Out, Layers: c.Layers, Steps: c.Steps, Size: c.Size, Progress: tell}
	if err := site.Build(ctx, n.Model, src); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w; the same command goes on from here", err)
		}
		return errors.Join(err, shown)
	}
	if line != nil {
		shown = errors.Join(shown, line.Close())
	}
	fmt.Println(filepath.Join(c.Out, "index.html"))
	return shown
}
