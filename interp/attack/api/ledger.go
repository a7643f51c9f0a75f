package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"lucigo/internal/journal"
	"lucigo/interp"
)

const (
	maxClients = 10_000  // are told apart
	remembered = 1024    // requests with a key, at most
	held       = 1 << 22 // labels and scores of theirs, at most
	others     = "others"
)

// ledger counts what is answered and to whom, limits each client's rate, and remembers the last requests that had a key.
type ledger struct {
	rate  rate.Limit
	burst int

	mu       sync.Mutex
	file     *journal.Journal // nil: in memory
	total    int64
	clients  map[string]*account
	answered map[digest]*entry
	oldest   []digest // of those answered
	held     int      // labels and scores of theirs
}

type digest [sha256.Size]byte

type account struct {
	queries int64
	limit   *rate.Limiter
}

// entry is a request with a key: under way until done is closed.
type entry struct {
	done    chan struct{}
	answers Answers
	known   bool
}

// booked is a record of the ledger's file: the first has the model, and each of the others an answered request.
type booked struct {
	Model   string  `json:"model,omitempty"`
	Client  string  `json:"client,omitempty"`
	Request []byte  `json:"request,omitempty"` // its digest, if it has a key
	Answers Answers `json:"answers"`
}

func openLedger(path string, limit float64, m *interp.Model, d Description) (*ledger, error) {
	l := &ledger{rate: rate.Limit(limit), burst: max(d.Images, int(min(math.Ceil(limit), math.MaxInt32))),
		clients: map[string]*account{}, answered: map[digest]*entry{}}
	if path == "" {
		return l, nil
	}
	print, err := m.Fingerprint()
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	model := fmt.Sprintf("%s %s, scores: %t", m, print, d.Scores)
	first := true
	file, err := journal.Open(path, "answers by client", func(b []byte) error {
		var r booked
		if err := json.Unmarshal(b, &r); err != nil {
			return err
		}
		if first {
			first = false
			if r.Model != model {
				return fmt.Errorf("the file counts the answers of another model, %.100q: name another file", r.Model)
			}
			return nil
		}
		if err := r.Answers.check(d, len(r.Answers.Labels)); err != nil {
			return err
		}
		l.book(r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("api: the ledger: %w", err)
	}
	l.file = file
	if first {
		if err := l.write(booked{Model: model}); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	return l, nil
}

func (l *ledger) write(r booked) error {
	b, err := json.Marshal(r)
	return cmp.Or(err, l.file.Append(b))
}

// of returns the account of a client.
func (l *ledger) of(who string) *account {
	a := l.clients[who]
	if a == nil && len(l.clients) >= maxClients {
		who = others
		a = l.clients[who]
	}
	if a == nil {
		a = &account{limit: rate.NewLimiter(l.rate, l.burst)}
		l.clients[who] = a
	}
	return a
}

// book counts an answer.
func (l *ledger) book(r booked) {
	n := int64(len(r.Answers.Labels))
	l.total += n
	l.of(r.Client).queries += n
	if len(r.Request) != len(digest{}) {
		return
	}
	id := digest(r.Request)
	e := l.answered[id]
	if e == nil {
		e = &entry{done: make(chan struct{})}
		l.answered[id] = e
	}
	if e.known {
		return
	}
	e.answers, e.known = r.Answers, true
	close(e.done)
	l.oldest, l.held = append(l.oldest, id), l.held+e.answers.size()
	for len(l.oldest) > remembered || l.held > held {
		l.held -= l.answered[l.oldest[0]].answers.size()
		delete(l.answered, l.oldest[0])
		l.oldest = l.oldest[1:]
	}
}

// wait returns how long a client must wait until it may ask about n images, or about any if n is 0. If it need not, they are taken from
// what it may ask.
func (l *ledger) wait(who string, n int) time.Duration {
	if l.rate == 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, limit := time.Now(), l.of(who).limit
	r := limit.ReserveN(now, max(1, n))
	wait := r.DelayFrom(now)
	if wait > 0 || n == 0 {
		r.CancelAt(now)
	}
	return wait
}

// once has a request answered by ask and counted, or, if it has a key and was answered before, returns that answer.
func (l *ledger) once(ctx context.Context, who, key string, body []byte, ask func() (Answers, error)) (a Answers, err error) {
	if key == "" {
		return l.count(who, nil, ask)
	}
	id := digest(sha256.Sum256(fmt.Appendf(nil, "%q %q %s", who, key, body)))
	for {
		l.mu.Lock()
		e := l.answered[id]
		if e == nil {
			break
		}
		l.mu.Unlock()
		select {
		case <-e.done:
			if e.known {
				return e.answers, nil
			}
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
	e := &entry{done: make(chan struct{})}
	l.answered[id] = e
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !e.known { // it failed: whoever asks for the same tries again
			delete(l.answered, id)
			close(e.done)
		}
	}()
	return l.count(who, &id, ask)
}

// count has a request answered, and counts the answer before anybody sees it.
func (l *ledger) count(who string, id *digest, ask func() (Answers, error)) (Answers, error) {
	a, err := ask()
	if err != nil {
		return a, err
	}
	r := booked{Client: who, Answers: a}
	if id != nil {
		r.Request = id[:]
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		if err := l.write(r); err != nil {
			return a, err
		}
	}
	l.book(r)
	return a, nil
}

// counted is how many images of a client have been answered.
func (l *ledger) counted(who string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(who).queries
}

func (l *ledger) queries(who string) Queries {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := Queries{Total: l.total, Client: l.of(who).queries, Clients: map[string]int64{}}
	for name, a := range l.clients {
		q.Clients[name] = a.queries
	}
	return q
}

func (l *ledger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
