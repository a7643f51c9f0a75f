// Command engine opens the engine that cells of a notebook will get, after installing XLA's plugin if it is missing
// and may be installed, and says in JSON on its standard output what it is. It is a program of its own so that the
// kernel command links no plugin, and goes on where one is damaged.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"github.com/gomlx/gomlx/core/graph"

	"lucigo/interp/engine"
	_ "lucigo/interp/engine/install"
)

func main() {
	noInstall := flag.Bool("no-install", false, "download nothing")
	flag.Parse()
	e, err := engine.Open(engine.Config{NoInstall: *noInstall, Log: func(line string) { fmt.Fprintln(os.Stderr, "  "+line) }})
	if err == nil {
		err = tryCache(e)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"kind": e.Kind().String(), "name": e.String(), "notice": e.Notice(), "cache": e.CacheStats()})
}

// tryCache compiles a small program twice, so that the account of the compile cache is of something.
func tryCache(e *engine.Engine) error {
	for range 2 {
		exec, err := graph.NewExec(e.Backend, func(x *graph.Node) *graph.Node { return graph.AddScalar(x, 1) })
		if err != nil {
			return err
		}
		if _, err := exec.Call([]float32{1}); err != nil {
			return err
		}
	}
	return nil
}
