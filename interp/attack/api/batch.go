package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"lucigo/interp"
)

// gather is how many images of several requests go to the model together, about: those that have come while it was busy.
const gather = 64

// batcher asks a model about the images of many requests, one batch at a time.
type batcher struct {
	model  *interp.Model
	scores bool
	jobs   chan job
	end    func()
	worked *sync.WaitGroup
}

type job struct {
	ctx    context.Context
	x      interp.Images
	answer chan answered
}

type answered struct {
	Answers
	err error
}

func batch(m *interp.Model, scores bool) batcher {
	ctx, end := context.WithCancel(context.Background())
	b := batcher{m, scores, make(chan job, waiting), end, &sync.WaitGroup{}}
	b.worked.Go(func() { b.work(ctx) })
	return b
}

// stop ends the batcher. Who still waits is told that there is no answer by the end of their contexts.
func (b batcher) stop() {
	b.end()
	b.worked.Wait()
}

// ask returns the model's answers to images, which are checked.
func (b batcher) ask(ctx context.Context, x interp.Images) (Answers, error) {
	j := job{ctx, x, make(chan answered, 1)}
	select {
	case b.jobs <- j:
	default:
		return Answers{}, busy()
	}
	late := time.NewTimer(computing)
	defer late.Stop()
	select {
	case a := <-j.answer:
		return a.Answers, a.err
	case <-ctx.Done():
		return Answers{}, ctx.Err()
	case <-late.C:
		return Answers{}, busy()
	}
}

func (b batcher) work(ctx context.Context) {
	for {
		var jobs []job
		n := 0
		select {
		case j := <-b.jobs:
			jobs, n = append(jobs, j), j.x.N
		case <-ctx.Done():
			return
		}
		for more := true; more && n < gather; {
			select {
			case j := <-b.jobs:
				jobs, n = append(jobs, j), n+j.x.N
			default:
				more = false
			}
		}
		if !b.answer(ctx, jobs) { // by fault of one of them, perhaps
			for _, j := range jobs {
				b.answer(ctx, []job{j})
			}
		}
	}
}

// answer answers all jobs, or one or none where the model fails.
func (b batcher) answer(ctx context.Context, jobs []job) bool {
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(j job) bool { return j.ctx.Err() != nil }) // nobody waits any more
	if len(jobs) == 0 {
		return true
	}
	var x interp.Images
	for _, j := range jobs {
		x.H, x.W, x.C = j.x.H, j.x.W, j.x.C
		x.N, x.Pix = x.N+j.x.N, append(x.Pix, j.x.Pix...)
	}
	ctx, cancel := context.WithTimeout(ctx, computing)
	defer cancel()
	a, err := ask(ctx, b.model, b.scores, x)
	if err != nil && len(jobs) > 1 {
		return false
	}
	at := 0
	for _, j := range jobs {
		r := answered{err: err}
		if err == nil {
			r.Answers = a.slice(at, at+j.x.N)
		}
		at += j.x.N
		j.answer <- r
	}
	return true
}

// ask returns a model's answers.
func ask(ctx context.Context, m *interp.Model, scores bool, x interp.Images) (Answers, error) {
	p, err := m.Predict(ctx, x)
	if err != nil {
		return Answers{}, err
	}
	a := Answers{Labels: p.Top1()}
	for i := 0; scores && i < x.N; i++ {
		s := make([]float64, len(p.Names))
		for c := range s {
			s[c] = p.Prob(i, c)
		}
		a.Scores = append(a.Scores, s)
	}
	return a, nil
}
