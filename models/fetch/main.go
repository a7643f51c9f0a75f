// Command fetch downloads the weights of networks into the cache:
//
//	go run lucigo/models/fetch googlenet
//
// It shows its progress on a terminal, goes on where an earlier download broke off, and does nothing where
// the weights are right already. Networks whose weights are missing run it themselves.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"lucigo/interp/near"
	"lucigo/models/googlenet"
	"lucigo/models/inception5h"
	"lucigo/models/weights"
	"lucigo/models/weights/download"
)

// files are the networks whose weights can be had.
var files = map[string]func() weights.File{
	"googlenet":   googlenet.File,
	"inception5h": inception5h.File,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	known := slices.Sorted(maps.Keys(files))
	if len(names) == 0 {
		return fmt.Errorf("which network's weights? go run lucigo/models/fetch NAME …, where NAME is one of: %s", strings.Join(known, ", "))
	}
	for _, name := range names {
		file := files[name]
		if file == nil {
			return near.Error("network", name, known)
		}
		path, err := fetch(ctx, file())
		if err != nil {
			return fmt.Errorf("%w\n%s", err, file().ByHand())
		}
		fmt.Println(path)
	}
	return nil
}

// fetch downloads one file, with a progress bar where somebody sees it.
func fetch(ctx context.Context, f weights.File) (string, error) {
	var c download.Client
	if term.IsTerminal(int(os.Stderr.Fd())) {
		var bar *progressbar.ProgressBar
		c.Progress = func(have, of int64) {
			if bar == nil {
				bar = progressbar.DefaultBytes(of, f.Name)
			}
			_ = bar.Set64(have) // a bar that cannot be drawn is no reason to stop
		}
	}
	return c.File(ctx, f)
}
