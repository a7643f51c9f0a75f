package serve

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lucigo/kernel/jupyter/wire"
)

// TestLawPace: Jupyter's server would drop nothing of what is granted, even if it is late, and much is granted.
func TestLawPace(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, most := range []int{1, 100, 10_000, 300_000, paceBurst} {
		type message struct {
			at time.Time
			n  int
		}
		var p pace
		var recent []message
		begin := time.Unix(0, 0)
		now, total, bytes := begin, 0, 0
		for now.Sub(begin) < time.Minute {
			n := 1 + random.IntN(most)
			if wait := p.take(now, n); wait > 0 {
				now = now.Add(wait)
				continue
			}
			recent, total, bytes = append(recent, message{now, n}), total+n, bytes+n
			for now.Sub(recent[0].at) >= 4500*time.Millisecond {
				recent, bytes = recent[1:], bytes-recent[0].n
			}
			if bytes > 3_000_000 || len(recent) > 3000 {
				t.Fatalf("up to %d bytes: %d messages, %d bytes in 4.5 seconds", most, len(recent), bytes)
			}
			if random.IntN(100) == 0 && now.Sub(begin) > 10*time.Second { // First as fast as it goes.
				now = now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
			}
		}
		if most > paceLeast && float64(total) < 0.75*60*paceRate {
			t.Errorf("up to %d bytes: %d bytes in a minute", most, total)
		}
	}
	var p pace
	if p.take(time.Unix(9, 0), paceBurst) != 0 {
		t.Error("a burst has to wait")
	}
}

// TestLawMatch: a pattern matches what the regular expression matches that says the same.
func TestLawMatch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteString(string([]rune(letters)[random.IntN(utf8.RuneCountInString(letters))]))
		}
		return b.String()
	}
	matches := 0
	for range 20_000 {
		pattern, text := word("aé*?["), word("aé[\n")
		expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile("(?s)^" + expression + "$").MatchString(text)
		if got := match([]rune(pattern), []rune(text)); got != want {
			t.Fatalf("%q, %q: %v", pattern, text, got)
		}
		if want {
			matches++
		}
	}
	if matches < 1000 {
		t.Errorf("%d matches", matches)
	}
	begin := time.Now()
	match([]rune(strings.Repeat("a*", 1000)+"b"), []rune(strings.Repeat("a", 10_000)))
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestHistory(t *testing.T) {
	var h history
	for i, code := range []string{"a", "b", "a", "cc", "b"} {
		h.add(i+1, code)
	}
	n := func(i int) *int { return &i }
	for _, c := range []struct {
		access
		want string
	}{
		{access{Type: "tail", N: n(2)}, "4cc 5b"},
		{access{Type: "tail", N: n(99)}, "1a 2b 3a 4cc 5b"},
		{access{Type: "tail", N: n(-1)}, ""},
		{access{Type: "tail"}, "1a 2b 3a 4cc 5b"},
		{access{Type: "range", Start: 2, Stop: n(4)}, "2b 3a"},
		{access{Type: "range", Start: 1}, "1a 2b 3a 4cc 5b"},
		{access{Type: "range", Session: thisSession, Start: -2}, "4cc 5b"},
		{access{Type: "range", Start: 1, Stop: n(-4)}, "1a"},
		{access{Type: "range", Session: -1, Start: 1}, ""},
		{access{Type: "search", Pattern: "?"}, "1a 2b 3a 5b"},
		{access{Type: "search", Pattern: "?", Unique: true}, "3a 5b"},
		{access{Type: "search", Pattern: "c*", N: n(1)}, "4cc"},
		{access{Type: "search", Pattern: "?", Unique: true, N: n(1)}, "5b"},
		{access{Type: "search"}, "1a 2b 3a 4cc 5b"},
		{access{Type: "other"}, ""},
	} {
		var got []string
		for _, in := range h.find(c.access) {
			got = append(got, fmt.Sprint(in.line, in.code))
		}
		if s := strings.ReplaceAll(strings.Join(got, "|"), " ", ""); s != strings.ReplaceAll(c.want, " ", "|") {
			t.Errorf("%+v: %s, want %s", c.access, s, c.want)
		}
	}
	for i := range 3 * maxInputs {
		h.add(i, strings.Repeat("x", 1000))
	}
	h.add(9, strings.Repeat("x", maxInputBytes+1))
	bytes := 0
	for _, in := range h.list {
		bytes += len(in.code)
	}
	if bytes > maxInputBytes || bytes != h.bytes || len(h.list) > maxInputs || bytes < maxInputBytes/2 {
		t.Errorf("%d inputs, %d bytes, said to be %d", len(h.list), bytes, h.bytes)
	}
}

func TestQueue(t *testing.T) {
	var q queue
	r := func(size int) request { return request{Message: wire.Message{Content: make([]byte, size)}} }
	for i := range maxWaiting {
		if !q.add(r(i % 3)) {
			t.Fatal(i)
		}
	}
	if q.add(r(0)) {
		t.Error("more requests than are allowed")
	}
	if r, ok := q.next(t.Context()); !ok || len(r.Content) != 0 || !q.add(r) || len(q.clear()) != maxWaiting {
		t.Error("the first request")
	}
	if !q.add(r(maxWaitingBytes)) || q.add(r(1)) {
		t.Error("more bytes than are allowed")
	}
	if _, ok := q.next(t.Context()); !ok || !q.add(r(1)) {
		t.Error("bytes are not given back")
	}
	ctx, cancel := context.WithCancel(t.Context())
	q.clear()
	cancel()
	if _, ok := q.next(ctx); ok {
		t.Error("a request out of nothing")
	}
}

// TestLawUnsent: what waits for a peer that does not read is bounded, and how executions end still reaches it.
func TestLawUnsent(t *testing.T) {
	p := &peer{gone: make(chan struct{}), wake: make(chan struct{}, 1)}
	large, little := [][]byte{make([]byte, 1<<20)}, [][]byte{make([]byte, 100)}
	for range 1000 {
		p.send(large)
		p.send(little)
	}
	waits := 0
	for _, m := range p.unsent {
		waits += size(m)
	}
	if waits != p.size || waits > smallUnsent || waits < maxUnsent/2 {
		t.Errorf("%d bytes, said to be %d", waits, p.size)
	}
	if last := p.unsent[len(p.unsent)-900:]; len(last[0][0]) != 100 {
		t.Error("little messages are dropped with the large ones")
	}
	p.drop()
	if p.send([][]byte{make([]byte, 2*maxUnsent)}); len(p.unsent) != 1 {
		t.Error("a message that is alone has to fit")
	}
}

func TestValve(t *testing.T) {
	var b bytes.Buffer
	v := valve{w: &b}
	for range 1000 {
		fmt.Fprintln(&v, "x")
	}
	if n := strings.Count(b.String(), "x"); n < valveBurst || n > 2*valveBurst {
		t.Errorf("%d lines", n)
	}
}

func TestConnectionFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.json")
	const good = `{"transport":"tcp","ip":"127.0.0.1","key":"k","signature_scheme":"hmac-sha256",` +
		`"shell_port":1,"iopub_port":2,"stdin_port":3,"control_port":4,"hb_port":5}`
	for _, c := range [][2]string{
		{`"tcp"`, `"udp"`}, {`"127.0.0.1"`, `""`}, {`hmac-sha256`, `hmac-md5`},
		{`"shell_port":1`, `"shell_port":0`}, {`"shell_port":1`, `"shell_port":70000`},
		{`"shell_port":1`, `"shell_port":"x"`}, {`}`, ``}, {`"127.0.0.1"`, `"no.such.host.invalid"`},
	} {
		if err := os.WriteFile(file, []byte(strings.Replace(good, c[0], c[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Serve(t.Context(), file, fake{}); err == nil || !strings.HasPrefix(err.Error(), "serve: ") {
			t.Errorf("%s: %v", c[1], err)
		}
	}
	if err := Serve(t.Context(), file+"x", fake{}); err == nil {
		t.Error("no file")
	}
}
