package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lucigo/internal/journal"
	"lucigo/interp"
	"lucigo/interp/interptest"
)

// books opens a ledger of Branchy, until the test ends.
func books(t testing.TB, path string, rate float64, images int) *ledger {
	t.Helper()
	m := interptest.Branchy()
	d, err := Server{Model: m, Images: images}.describe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLedger(path, rate, m, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.close() }) // a test may have closed it
	return l
}

func answering(label int) func() (Answers, error) {
	return func() (Answers, error) { return Answers{Labels: []int{label}}, nil }
}

// A request is known by who asks, by its key and by its body: where all three are those of an answered one, it is not asked again.
func TestLawOnce(t *testing.T) {
	l := books(t, "", 0, 4)
	seen := map[string]bool{}
	for label, c := range [][3]string{{"a", "k", "x"}, {"a", "k", "x"}, {"b", "k", "x"}, {"a", "l", "x"}, {"a", "k", "y"}, {"a", "", "x"}, {"a", "", "x"},
		{"b", "k", "x"}, {`a" "k`, "x", ""}, {"a", `k" "x`, ""}} {
		asked := false
		a, err := l.once(ctx, c[0], c[1], []byte(c[2]), func() (Answers, error) {
			asked = true
			return answering(label)()
		})
		name := fmt.Sprintf("%q", c)
		if err != nil || asked != (c[1] == "" || !seen[name]) || asked != (a.Labels[0] == label) {
			t.Errorf("request %d, %s: asked %t, %v, %v", label, name, asked, a, err)
		}
		seen[name] = true
	}
	if q := l.queries("a"); q.Total != 8 || q.Client != 6 {
		t.Errorf("%+v", q)
	}
}

// Requests that are the same and come together are asked once; where that fails, one of those that wait asks again.
func TestLawOnceTogether(t *testing.T) {
	l := books(t, "", 0, 4)
	var calls atomic.Int64
	release := make(chan struct{})
	ask := func() (Answers, error) {
		n := calls.Add(1)
		<-release
		if n == 1 {
			return Answers{}, errors.New("the first fails")
		}
		return answering(3)()
	}
	var failed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			a, err := l.once(ctx, "a", "k", nil, ask)
			if err != nil {
				failed.Add(1)
			} else if a.Labels[0] != 3 {
				t.Errorf("%v", a)
			}
		})
	}
	for calls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	end, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.once(end, "a", "k", nil, ask); !errors.Is(err, context.Canceled) {
		t.Errorf("who waits no more: %v", err)
	}
	close(release)
	all.Wait()
	if q := l.queries("a"); calls.Load() != 2 || failed.Load() != 1 || q.Total != 1 {
		t.Errorf("asked %d times, %d failed, counts %+v", calls.Load(), failed.Load(), q)
	}
}

// The last requests are remembered, and older ones are not: memory has a bound. So have the clients.
func TestLedgerForgets(t *testing.T) {
	l := books(t, "", 0, 4)
	for i := range remembered + 1 {
		if _, err := l.once(ctx, "a", fmt.Sprint(i), nil, answering(0)); err != nil {
			t.Fatal(err)
		}
	}
	asked := func(key string) bool {
		a, err := l.once(ctx, "a", key, nil, answering(1))
		return err == nil && a.Labels[0] == 1
	}
	if len(l.answered) != remembered || len(l.oldest) != remembered || asked(fmt.Sprint(remembered)) || asked("1") || !asked("0") {
		t.Errorf("%d requests are remembered, in a list of %d, not the last %d", len(l.answered), len(l.oldest), remembered)
	}
	// So have their answers: of large ones, fewer are remembered, and of too large ones none.
	scores := make([]float64, held/10)
	for i := range 15 {
		if _, err := l.once(ctx, "a", fmt.Sprint("large ", i), nil, func() (Answers, error) {
			return Answers{Labels: []int{0}, Scores: [][]float64{scores}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.answered) != 9 || l.held > held || asked("large 14") || !asked("large 5") {
		t.Errorf("%d requests with %d numbers are remembered", len(l.answered), l.held)
	}
	if _, err := l.once(ctx, "a", "too large", nil, func() (Answers, error) {
		return Answers{Labels: make([]int, held+1)}, nil
	}); err != nil || len(l.answered) != 0 || l.held != 0 || !asked("too large") {
		t.Errorf("%v; %d requests with %d numbers are remembered", err, len(l.answered), l.held)
	}
	l.clients = map[string]*account{"a": l.clients["a"]}
	for i := range maxClients + 5 {
		if _, err := l.once(ctx, fmt.Sprint("client ", i), "", nil, answering(0)); err != nil {
			t.Fatal(err)
		}
	}
	q := l.queries("client 7")
	if len(q.Clients) != maxClients+1 || q.Client != 1 || q.Clients[others] != 6 || l.counted("somebody new") != 6 { // client a is one of the first
		t.Errorf("%d clients, %d of others", len(q.Clients), q.Clients[others])
	}
}

// A request as large as may be goes through at first, whatever the rate; what is refused, or is only asked, takes nothing away.
func TestLedgerRate(t *testing.T) {
	l := books(t, "", .01, 4)
	for range 3 {
		if wait := l.wait("a", 0); wait != 0 {
			t.Fatalf("before the first request, a wait of %v", wait)
		}
	}
	if wait := l.wait("a", 4); wait != 0 {
		t.Fatalf("the first request waits for %v", wait)
	}
	for range 3 {
		for n, want := range []time.Duration{100 * time.Second, 100 * time.Second, 200 * time.Second, 300 * time.Second} {
			if wait := l.wait("a", n); wait > want || wait < want-50*time.Second {
				t.Fatalf("for %d images a wait of %v, want %v and less the time since", n, wait, want)
			}
		}
	}
	if wait := l.wait("b", 4); wait != 0 {
		t.Errorf("another client waits for %v", wait)
	}
}

// What cannot be written down is not answered, and not counted.
func TestLedgerThatIsClosed(t *testing.T) {
	l := books(t, filepath.Join(t.TempDir(), "ledger"), 0, 4)
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if a, err := l.once(ctx, "a", "k", nil, answering(0)); err == nil || l.queries("a").Total != 0 {
		t.Errorf("%v, %v, counts %+v", a, err, l.queries("a"))
	}
}

// A ledger of another model is refused, even of one that differs in its weights alone; so is one with answers that this model cannot
// have given, and one that is open already.
func TestLedgerOfAnother(t *testing.T) {
	m := interptest.Branchy()
	d, err := Server{Model: m}.describe()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ledger")
	l, err := openLedger(path, 0, m, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(path, 0, m, d); !errors.Is(err, journal.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	weights := m.Weights()
	for name, w := range weights {
		v := slices.Clone(w.Values())
		v[0]++
		if weights[name], err = interp.NewWeight(v, w.Dims()...); err != nil {
			t.Fatal(err)
		}
		break
	}
	trained, err := m.With(weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(path, 0, trained, d); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("a model with other weights: %v", err)
	}
	file, err := journal.Open(path, "answers by client", func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	lie, err := json.Marshal(booked{Client: "a", Answers: Answers{Labels: []int{interptest.Classes}}})
	if err == nil {
		err = errors.Join(file.Append(lie), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openLedger(path, 0, m, d); err == nil || !strings.Contains(err.Error(), "answer 0 is label") {
		t.Errorf("an answer that the model cannot give: %v", err)
	}
}
