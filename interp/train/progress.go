package train

import (
	"fmt"
	"io"
	"time"
)

// Print returns a Progress that writes a line so often, and one at the end, with averages over the last fifty steps or so.
func Print(w io.Writer, every time.Duration) func(Progress) {
	began, shown := time.Now(), time.Now()
	var loss, right float64
	first := 0
	return func(p Progress) {
		keep := .98
		if first == 0 {
			began, first, keep = time.Now(), p.Done, 0 // the first step is compiled
		}
		loss, right = keep*loss+(1-keep)*p.Loss, keep*right+(1-keep)*p.Right
		if time.Since(shown) < every && p.Done < p.Steps {
			return
		}
		shown = time.Now()
		per := time.Since(began) / time.Duration(max(1, p.Done-first))
		fmt.Fprintf(w, "step %d of %d  loss %.3f  right %.3f  %s left\n",
			p.Done, p.Steps, loss, right, (per * time.Duration(p.Steps-p.Done)).Round(time.Second))
	}
}
