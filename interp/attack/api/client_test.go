package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/random"
)

// stub is a server that is as wrong as its answers are.
type stub struct {
	Description
	asked   atomic.Int64 // images
	tries   atomic.Int64
	predict func(w http.ResponseWriter, n int, good []byte)
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/model" {
		write(w, 200, s.Description)
		return
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	x, err := parseRequest(b, s.Description)
	if err != nil {
		refuse(w, err)
		return
	}
	s.asked.Add(int64(x.N))
	s.tries.Add(1)
	s.predict(w, x.N, truly(x, s.Description))
}

// truly is the JSON of the labels of images that are labelled by their first pixel.
func truly(x interp.Images, d Description) []byte {
	var all answer
	for i := range x.N {
		label := labelOf(x.Of(i), d)
		p := prediction{Label: &label}
		if d.Scores {
			p.Scores = make([]float64, len(d.Classes))
			p.Scores[label] = 1
		}
		all.Predictions = append(all.Predictions, p)
	}
	b, _ := json.Marshal(all)
	return b
}

func labelOf(pix []float64, d Description) int {
	return min(int(pix[0]*float64(len(d.Classes))), len(d.Classes)-1)
}

var three = Description{Name: "stub", Input: [3]int{2, 2, 1}, Pixels: colours(1), Classes: []string{"a", "b", "c"}, Images: 4}

func run(t testing.TB, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func sixteen() interp.Images { return interptest.ImagesOf(16, 2, 2, 1, 1) }

func text(s string) func(w http.ResponseWriter, n int, good []byte) {
	return func(w http.ResponseWriter, n int, good []byte) { _, _ = io.WriteString(w, s) }
}

// labels is the JSON of n predictions.
func labels(n int, one string) string {
	return `{"predictions":[` + strings.Join(slices.Repeat([]string{one}, n), ",") + `]}`
}

// Whatever a server does, the client ends with an error that says what and what to do, or with the right answers.
func TestBadServers(t *testing.T) {
	quiet(t)
	for _, c := range []struct {
		name    string
		scores  bool
		predict func(w http.ResponseWriter, n int, good []byte)
		says    string // "": it succeeds in the end
		most    int64  // tries
	}{
		{"good", false, func(w http.ResponseWriter, n int, good []byte) { _, _ = w.Write(good) }, "", 4},
		{"a label that does not exist", false, text(labels(4, `{"label":3}`)), "label 3, and the classes are 0 to 2; it is no server", 1},
		{"a negative label", false, text(labels(4, `{"label":-1}`)), "label -1", 1},
		{"no label", false, text(labels(4, `{"class":"a"}`)), "answer 0 has no label", 1},
		{"a label of text", false, text(labels(4, `{"label":"b"}`)), "cannot unmarshal string", 1},
		{"a label of 1e300", false, text(labels(4, `{"label":1e300}`)), "cannot unmarshal number", 1},
		{"too few", false, text(labels(3, `{"label":1}`)), "3 answers to 4 images", 1},
		{"too many", false, text(labels(5, `{"label":1}`)), "5 answers to 4 images", 1},
		{"scores that were not promised", false, text(labels(4, `{"label":1,"scores":[0,1,0]}`)), "gives scores: false", 1},
		{"no scores", true, text(labels(4, `{"label":1}`)), "gives scores: true", 1},
		{"two scores", true, text(labels(4, `{"label":1,"scores":[0,1]}`)), "2 scores, and there are 3 classes", 1},
		{"NaN", true, text(labels(4, `{"label":1,"scores":[0,NaN,0]}`)), "invalid character 'N'", 1},
		{"null", true, text(labels(4, `{"label":1,"scores":[0,null,0]}`)), "add up to 0", 1},
		{"a negative score", true, text(labels(4, `{"label":1,"scores":[-0.5,1,0.5]}`)), "score -0.5", 1},
		{"logits", true, text(labels(4, `{"label":1,"scores":[0.2,7.5,-3]}`)), "score 7.5 for class 1, must be a probability", 1},
		{"scores that do not add up", true, text(labels(4, `{"label":1,"scores":[0.1,0.5,0.1]}`)), "add up to 0.7", 1},
		{"a label that is not the likeliest", true, text(labels(4, `{"label":0,"scores":[0.2,0.5,0.3]}`)),
			"label 0, which has score 0.2", 1},
		{"a page", false, text("<html>Sign in</html>"), "invalid character '<'", 1},
		{"nothing", false, text(""), "broke off in the middle", 3},
		{"10 MB", false, text(`{"predictions":[` + strings.Repeat(" ", 10<<20)), "sends more than", 1},
		{"deep", false, text(strings.Repeat("[", 1400)), "", 3},
		{"closes in the middle", false, func(w http.ResponseWriter, n int, good []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:len(good)/2])
		}, "broke off in the middle of its answer: unexpected EOF; it was tried 3 times, and the server may have counted each", 3},
		{"closes before", false, func(http.ResponseWriter, int, []byte) { panic(http.ErrAbortHandler) }, "the server broke off", 3},
		{"never answers", false, func(w http.ResponseWriter, n int, good []byte) { time.Sleep(time.Second) },
			"has not answered within", 3},
		{"drips", false, func(w http.ResponseWriter, n int, good []byte) {
			for range 100 {
				if _, err := w.Write([]byte(" ")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, "broke off in the middle of its answer: context deadline exceeded", 3},
		{"elsewhere", false, func(w http.ResponseWriter, n int, good []byte) {
			w.Header().Set("Location", "http://example.com/v2")
			w.WriteHeader(307)
		}, `at "http://example.com/v2": use that address`, 1},
		{"not found", false, func(w http.ResponseWriter, n int, good []byte) { w.WriteHeader(404) },
			"is no server of this kind: correct the address", 1},
		{"forbidden", false, func(w http.ResponseWriter, n int, good []byte) {
			write(w, 403, failed{Failure{"no key", "buy one\x1b[2J"}})
		}, `"403 Forbidden": "no key": "buy one\x1b[2J"`, 1},
		{"for an hour", false, func(w http.ResponseWriter, n int, good []byte) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, "asks to wait 1h0m0s, and Terms.Patience is 800ms: raise it", 1},
		{"for ever", false, func(w http.ResponseWriter, n int, good []byte) { w.WriteHeader(503) },
			"see that the server runs, and go on later", 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &stub{Description: three, predict: c.predict}
			s.Scores = c.scores
			terms := Terms{Timeout: time.Minute, Patience: 2 * time.Minute}
			switch c.name {
			case "never answers", "drips":
				terms.Timeout = 200 * time.Millisecond
			case "for an hour", "for ever":
				terms.Patience = 800 * time.Millisecond
			}
			client, err := Dial(ctx, run(t, s), terms)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			began := time.Now()
			a, err := client.Ask(ctx, sixteen())
			switch {
			case c.name == "good":
				if err != nil || len(a.Labels) != 16 {
					t.Errorf("%v, %v", a, err)
				}
			case err == nil || !strings.Contains(err.Error(), c.says) || len(a.Labels) != 0 || !strings.HasPrefix(err.Error(),
				"api: 0 of 16 images are answered: "):
				t.Errorf("%v, %v, want %q", a, err, c.says)
			case strings.Contains(err.Error(), "\x1b"):
				t.Errorf("a server's text reaches the terminal: %q", err)
			}
			if n := s.tries.Load(); n > c.most {
				t.Errorf("%d tries, want at most %d", n, c.most)
			}
			if d := time.Since(began); d > time.Minute {
				t.Errorf("it took %v", d)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	quiet(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + l.Addr().String()
	l.Close()
	describes := func(change func(*Description)) string {
		s := &stub{Description: three}
		change(&s.Description)
		return run(t, s)
	}
	for _, c := range []struct {
		address string
		terms   Terms
		says    string
	}{
		{"127.0.0.1:80", Terms{}, "must be one such as"},
		{"ftp://127.0.0.1", Terms{}, "must be one such as"},
		{"", Terms{}, "must be one such as"},
		{down, Terms{Budget: -1}, "Terms.Budget is -1"},
		{down, Terms{Timeout: -1}, "Terms.Timeout is -1ns"},
		{down, Terms{Patience: -1}, "Terms.Patience is -1ns"},
		{down, Terms{Patience: 300 * time.Millisecond}, "cannot be reached"},
		{run(t, http.NotFoundHandler()), Terms{}, "is no server of this kind"},
		{describes(func(d *Description) { d.Pixels = "blue, green, red, from 0 to 255" }), Terms{},
			`this client sends "grey, from 0 to 1"`},
		{describes(func(d *Description) { d.Classes = nil }), Terms{}, "it names no classes"},
		{describes(func(d *Description) { d.Images = 0 }), Terms{}, "takes 0 images"},
		{describes(func(d *Description) { d.Input = [3]int{1 << 40, 1 << 40, 3} }), Terms{}, "must be at least 1×1×1"},
		{describes(func(d *Description) { d.Input[0] = -1 }), Terms{}, "must be at least 1×1×1"},
		{describes(func(d *Description) { d.Name = strings.Repeat("x", 9<<20) }), Terms{}, "more than any answer has"},
	} {
		if _, err := Dial(ctx, c.address, c.terms); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.address, err, c.says)
		}
	}
	c, err := Dial(ctx, describes(func(*Description) {}), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for says, x := range map[string]interp.Images{
		"images of 2×3×1, must be 2×2×1": interptest.ImagesOf(1, 2, 3, 1, 1),
		"no images":                      {},
		"divide values of 8 bits":        {N: 1, H: 2, W: 2, C: 1, Pix: []float64{0, 0, 0, 255}},
		"must be from 0 to 1: clip it":   {N: 1, H: 2, W: 2, C: 1, Pix: []float64{0, 0, 0, 1.01}},
	} {
		if _, err := c.Ask(ctx, x); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	if c.Spent() != 0 {
		t.Errorf("%d images were sent", c.Spent())
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"3", "", 3 * time.Second}, {" 3 ", "", 3 * time.Second}, {"0", "", 0}, {"", "", 0},
		{"-3", "", 0}, {"²", "", 0}, {"٣", "", 0}, {"+3", "", 0}, {"1.5", "", 0}, {"soon", "", 0}, {"NaN", "", 0}, {"2030", "", 2030 * time.Second},
		{"99999999999999999999", "", ages}, {"9223372036854775807", "", ages},
		{at(90 * time.Second), "", 90 * time.Second}, {at(-time.Hour), "", 0},
		{at(-time.Hour), at(-time.Hour - 5*time.Second), 5 * time.Second}, // a clock that is slow
		{now.Add(time.Minute).Format(time.RFC850), "", time.Minute}, {now.Add(time.Minute).Format(time.ANSIC), "", time.Minute},
		{at(time.Minute), "today", time.Minute}, {"Fri, 31 Dec 9999 23:59:59 GMT", "", ages},
	} {
		if got := retryAfter(http.Header{"Retry-After": {c.value}, "Date": {c.date}}, now); got != c.want {
			t.Errorf("Retry-After %q, Date %q: %v, want %v", c.value, c.date, got, c.want)
		}
	}
	for failures := range 100 {
		full := min(lastPause, firstPause<<min(failures, 20))
		if p := backoff(failures); p < full/2 || p > full {
			t.Errorf("after %d failures, a pause of %v, must be from %v to %v", failures, p, full/2, full)
		}
	}
}

// flaky answers some requests, and of the others it fails before or after it has counted them.
type flaky struct {
	stub
	seed  uint64
	mu    sync.Mutex
	once  map[string][]byte
	count int // images that count
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/model" {
		write(w, 200, f.Description)
		return
	}
	b, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	x, err := parseRequest(b, f.Description)
	if err != nil {
		refuse(w, err)
		return
	}
	chance := random.New(f.seed, uint64(f.tries.Add(1)), 0).Intn(0, 6)
	if chance == 0 {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	key := r.Header.Get(keyed)
	if f.once[key] == nil || key == "" {
		f.count += x.N
		f.once[key] = truly(x, f.Description)
	}
	if chance == 1 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(f.once[key])))
	if chance == 2 {
		_, _ = w.Write(f.once[key][:10])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(f.once[key])
}

func (f *flaky) counts() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// However a server fails, and wherever the client is killed, the server never counts more images than the budget, no image is asked again
// that has an answer, and what is answered is right.
func TestLawBudget(t *testing.T) {
	quiet(t)
	for seed := range uint64(18) {
		f := &flaky{stub: stub{Description: three}, seed: seed, once: map[string][]byte{}}
		f.Once = seed%2 == 0
		address := run(t, f)
		x, budget := sixteen(), 3+int(seed)
		path := ""
		if seed%3 > 0 {
			path = filepath.Join(t.TempDir(), "log")
		}
		var a Answers
		var err error
		spent := 0
		for life := range 6 {
			c, e := Dial(ctx, address, Terms{Budget: budget, Log: path, Patience: 10 * time.Second})
			if e != nil {
				t.Fatal(e)
			}
			before := f.counts()
			a, err = c.Ask(ctx, x)
			spent = c.Spent()
			if life > 0 && err == nil && f.counts() != before {
				t.Errorf("seed %d: all is answered, and %d images are asked again", seed, f.counts()-before)
			}
			if e := c.Close(); e != nil {
				t.Fatal(e)
			}
			for i, got := range a.Labels {
				if want := labelOf(x.Of(i), three); got != want {
					t.Errorf("seed %d: image %d is %d, want %d", seed, i, got, want)
				}
			}
			if path == "" || err == nil && life > 0 || errors.Is(err, ErrBudget) {
				break
			}
		}
		if n := f.counts(); n > budget || n > spent || f.Once && n != spent {
			t.Errorf("seed %d, once: %t: the server counts %d, the client %d, and the budget is %d", seed, f.Once, n, spent, budget)
		}
		switch {
		case err == nil && len(a.Labels) == 16:
		case errors.Is(err, ErrBudget):
			if f.Once && len(a.Labels) != min(16, budget) || !strings.Contains(err.Error(), "raise Terms.Budget") {
				t.Errorf("seed %d: %d answers for a budget of %d: %v", seed, len(a.Labels), budget, err)
			}
		case strings.Contains(err.Error(), "may have counted each"): // three times, one after another
		default:
			t.Errorf("seed %d: %d answers, %v", seed, len(a.Labels), err)
		}
	}
}

// A client whose log is cut anywhere, as a kill would, asks what it does not know, and is never over the budget.
func TestLawLogCut(t *testing.T) {
	quiet(t)
	f := &flaky{stub: stub{Description: three}, seed: 4, once: map[string][]byte{}}
	f.Once = true
	address := run(t, f)
	path := filepath.Join(t.TempDir(), "log")
	x := sixteen()
	ask := func() (Answers, int, error) {
		c, err := Dial(ctx, address, Terms{Budget: 16, Log: path})
		if err != nil {
			return Answers{}, 0, err
		}
		defer c.Close()
		a, err := c.Ask(ctx, x)
		return a, c.Spent(), err
	}
	want, _, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= len(whole); n += 193 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		a, spent, err := ask()
		if err != nil || !slices.Equal(a.Labels, want.Labels) || spent != 16 {
			t.Fatalf("cut at %d of %d: %v, %d spent, %v", n, len(whole), a.Labels, spent, err)
		}
	}
	other := &flaky{stub: stub{Description: three}, once: map[string][]byte{}}
	other.Name = "another"
	if _, err := Dial(ctx, run(t, other), Terms{Log: path}); err == nil || !strings.Contains(err.Error(), "answers of another server") {
		t.Error(err)
	}
}

// When ctx ends, so does whatever the client waits for, and what was answered is there.
func TestContext(t *testing.T) {
	quiet(t)
	end, cancel := context.WithCancel(ctx)
	s := &stub{Description: three}
	s.predict = func(w http.ResponseWriter, n int, good []byte) {
		if s.tries.Load() < 3 {
			_, _ = w.Write(good)
			return
		}
		cancel()
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(429)
	}
	c, err := Dial(ctx, run(t, s), Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	a, err := c.Ask(end, sixteen())
	if !errors.Is(err, context.Canceled) || len(a.Labels) != 8 || time.Since(began) > time.Second {
		t.Errorf("%d answers after %v, %v", len(a.Labels), time.Since(began), err)
	}
}

func FuzzAnswer(f *testing.F) {
	d := three
	d.Scores = true
	f.Add(truly(sixteen().Slice(0, 4), d), true)
	f.Add(truly(sixteen().Slice(0, 4), three), false)
	f.Fuzz(func(t *testing.T, b []byte, scores bool) {
		d.Scores = scores
		a, err := parseAnswer(b, d, 4)
		if err != nil {
			return
		}
		for i, label := range a.Labels {
			if label < 0 || label > 2 || scores && (len(a.Scores) != 4 || len(a.Scores[i]) != 3) {
				t.Errorf("%+v", a)
			}
		}
		_, _ = parseDescription(b)
	})
}

func FuzzLog(f *testing.F) {
	var records [][]byte
	r := &record{answers: map[digest]Answers{}, open: map[string][]digest{}, what: three}
	id := contents([]float64{1})
	for _, l := range []logged{{Server: &three}, {Ask: "k", Images: id[:]}, {Answer: "k", Answers: Answers{Labels: []int{1}}}} {
		b, err := json.Marshal(l)
		if err != nil {
			f.Fatal(err)
		}
		records = append(records, b)
	}
	f.Add(bytes.Join(records, []byte("\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		*r = record{answers: map[digest]Answers{}, open: map[string][]digest{}, what: three}
		for i, line := range bytes.Split(b, []byte("\n")) {
			var l logged
			if json.Unmarshal(line, &l) != nil || r.read(l, i == 0) != nil {
				return
			}
		}
		for _, a := range r.answers {
			if err := a.check(three, 1); err != nil {
				t.Error(err)
			}
		}
	})
}
