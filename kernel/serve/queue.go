package serve

import (
	"context"
	"sync"

	"lucigo/kernel/jupyter/wire"
)

// request is a message and who sent it.
type request struct {
	wire.Message
	from *peer
}

// Bounds of the requests that wait.
const (
	maxWaiting      = 10_000
	maxWaitingBytes = 64 << 20
)

// queue holds requests that wait for their turn. Its zero value is empty.
type queue struct {
	mu    sync.Mutex
	list  []request
	bytes int
	wake  chan struct{} // closed when a request comes; nil while nobody waits
}

// add appends a request, if there is space for it.
func (q *queue) add(r request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == maxWaiting || q.bytes+len(r.Content) > maxWaitingBytes {
		return false
	}
	q.list = append(q.list, r)
	q.bytes += len(r.Content)
	if q.wake != nil {
		close(q.wake)
		q.wake = nil
	}
	return true
}

// next waits for a request and removes it. Without one at ctx's end, ok is false.
func (q *queue) next(ctx context.Context) (r request, ok bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.list) > 0 {
			r = q.list[0]
			q.list[0] = request{}
			q.list = q.list[1:]
			q.bytes -= len(r.Content)
			q.mu.Unlock()
			return r, true
		}
		if q.wake == nil {
			q.wake = make(chan struct{})
		}
		wake := q.wake
		q.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
	}
	return request{}, false
}

// clear removes and returns all requests.
func (q *queue) clear() []request {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list, q.bytes = nil, 0
	return list
}
