// Command models lists the networks that the project knows, downloads their weights, trains those of packages scenes and digits, and
// writes sites about them. `go run ./kernel models` builds and runs it: it is a program of its own so that the kernel's command links
// nothing that networks compute with. Networks whose weights are missing run it too.
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	_ "lucigo/interp/engine/install" // so that XLA is fetched where training misses it
	"lucigo/models"
	digits "lucigo/models/digits/train"
	scenes "lucigo/models/scenes/train"
	"lucigo/models/weights/fetch"
)

type commands struct {
	List       listCommand       `cmd:"" help:"List the networks: what they were trained on, where their weights are, which files they take."`
	Fetch      fetchCommand      `cmd:"" help:"Download weights before they are needed; goes on where an earlier download broke off."`
	Train      scenes.Training   `cmd:"" help:"Train a network of drawn scenes again. Interrupted, it writes a checkpoint, from which the same command goes on."`
	Digits     digits.Training   `cmd:"" help:"Train a network of handwritten digits on the files of MNIST, which are not part of the project."`
	Microscope microscopeCommand `cmd:"" help:"Write a site about a network, with a page for each unit. Interrupted, the same command goes on."`
	Serve      serveCommand      `cmd:"" help:"Answer for a network over HTTP, as somebody else's network does, until it is interrupted."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	err := kong.Parse(&c, kong.Name("go run ./kernel models"), kong.ShortUsageOnError(), kong.BindTo(ctx, (*context.Context)(nil))).Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "models:", err)
		os.Exit(1)
	}
}

type listCommand struct{}

func (listCommand) Run(ctx context.Context) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTRAINED ON\tWEIGHTS\tTAKES FILES")
	for _, n := range models.All() {
		where := "part of the project"
		if n.Weights != nil {
			f := n.Weights()
			here, err := f.Here(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				where = err.Error()
			case here != "":
				where = here
			default:
				where = fmt.Sprintf("%d MB, not here yet: go run ./kernel models fetch %s", f.Size/1e6, n.Name)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", n.Name, n.Pictures.Name, where, strings.Join(slices.Sorted(maps.Keys(n.Files)), " "))
	}
	return w.Flush()
}

type fetchCommand struct {
	Names []string `arg:"" name:"name" help:"Networks, by the names that list says."`
}

func (c fetchCommand) Run(ctx context.Context) error {
	for _, name := range c.Names {
		n, err := models.Find(name)
		if err != nil {
			return err
		}
		if n.Weights == nil {
			return fmt.Errorf("the weights of %s are part of the project: there is nothing to fetch", n.Name)
		}
		path, err := fetch.File(ctx, n.Weights())
		if err != nil {
			return fmt.Errorf("%w\n%s", err, n.Weights().ByHand())
		}
		fmt.Println(path)
	}
	return nil
}
