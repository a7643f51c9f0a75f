// Package parallel does independent pieces of work on all cores.
package parallel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls f(0) … f(n−1) on all cores, and returns when no call is left. Calls begin in this order; after one that
// fails, and when ctx ends, no more begin. The error is that of the first of the pieces that failed, however many cores
// there are, or that of ctx if a piece was left out because it ended.
func Each(ctx context.Context, n int, f func(i int) error) error {
	var next atomic.Int64
	var mu sync.Mutex
	var err error
	failed := n // the first piece that failed
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				e := ctx.Err()
				if e == nil {
					e = f(i)
				}
				if e != nil {
					next.Store(int64(n))
					mu.Lock()
					if i < failed {
						failed, err = i, e
					}
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	return err
}

// For calls f(0) … f(n−1) on all cores, and returns when all are done.
func For(n int, f func(i int)) {
	_ = Each(context.Background(), n, func(i int) error { // nothing fails
		f(i)
		return nil
	})
}
