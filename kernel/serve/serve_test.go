package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"

	"lucigo/kernel/jupyter/wire"
)

// fake is an interpreter that does as its fields say; those that are nil give the simplest answer.
type fake struct {
	execute    func(ctx context.Context, r Request, out *Output) *Failure
	isComplete func(code string) (string, string)
	complete   func(ctx context.Context, code string, cursor int) (Completion, error)
	inspect    func(ctx context.Context, code string, cursor, detail int) (Inspection, error)
}

func (f fake) Info() Info {
	return Info{Implementation: "fake", Version: "1", Banner: "A fake.",
		Language: Language{Name: "go", Version: "1.0", MIMEType: "text/x-go", FileExtension: ".go"}}
}

func (f fake) Execute(ctx context.Context, r Request, out *Output) *Failure {
	if f.execute == nil {
		return nil
	}
	return f.execute(ctx, r, out)
}

func (f fake) IsComplete(code string) (string, string) {
	if f.isComplete == nil {
		return "complete", ""
	}
	return f.isComplete(code)
}

func (f fake) Complete(ctx context.Context, code string, cursor int) (Completion, error) {
	if f.complete == nil {
		return Completion{}, nil
	}
	return f.complete(ctx, code, cursor)
}

func (f fake) Inspect(ctx context.Context, code string, cursor, detail int) (Inspection, error) {
	if f.inspect == nil {
		return Inspection{}, nil
	}
	return f.inspect(ctx, code, cursor, detail)
}

// client is a front end.
type client struct {
	t        testing.TB
	file     string
	session  wire.Session
	sockets  map[string]zmq4.Socket
	received chan message
	log      *logged
	ended    chan error // Serve's result
	end      context.CancelFunc
}

// message is one that was received, and on which socket.
type message struct {
	wire.Message
	on string
}

// logged is a log that may be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var ports = map[string]int{"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}

// start serves a kernel and connects to it.
func start(t testing.TB, k Kernel) *client {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := &client{
		t:        t,
		file:     filepath.Join(dir, "c.json"),
		session:  wire.Session{Key: []byte("key"), ID: wire.NewID()},
		received: make(chan message, 1<<16),
		log:      &logged{},
		ended:    make(chan error, 1),
	}
	content := map[string]any{"transport": "ipc", "ip": filepath.Join(dir, "s"), "key": "key"}
	content["signature_scheme"] = "hmac-sha256"
	for name, port := range ports {
		content[name+"_port"] = port
	}
	b, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.end = cancel
	go func() { c.ended <- serve(ctx, c.file, k, c.log) }()
	life, cut := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-c.ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Serve does not end")
		}
		cut()
	})
	id := zmq4.WithID(zmq4.SocketIdentity(c.session.ID))
	c.sockets = map[string]zmq4.Socket{"shell": zmq4.NewDealer(life, id), "control": zmq4.NewDealer(life, id),
		"stdin": zmq4.NewDealer(life, id), "iopub": zmq4.NewSub(life)}
	for name, s := range c.sockets {
		c.dial(s, name)
		go c.pump(life, s, name)
	}
	if err := c.sockets["iopub"].SetOption(zmq4.OptionSubscribe, ""); err != nil {
		t.Fatal(err)
	}
	c.until(func(m message) bool { return m.Header.Type == "iopub_welcome" })
	return c
}

func (c *client) address(name string) string {
	return fmt.Sprintf("%s-%d", filepath.Join(filepath.Dir(c.file), "s"), ports[name])
}

func (c *client) dial(s zmq4.Socket, name string) {
	c.t.Helper()
	for range 500 {
		if _, err := os.Stat(c.address(name)); err == nil {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if err := s.Dial("ipc://" + c.address(name)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) pump(life context.Context, s zmq4.Socket, name string) {
	for {
		z, err := s.Recv()
		if err != nil {
			return
		}
		frames := z.Frames
		m, err := c.session.Decode(frames)
		if err != nil {
			c.t.Errorf("%s: %v", name, err)
			continue
		}
		select {
		case c.received <- message{m, name}:
		case <-life.Done():
			return
		}
	}
}

// send sends a message and returns its id.
func (c *client) send(on, typ string, content any) string {
	c.t.Helper()
	id, frames, err := c.session.Encode(typ, wire.Header{}, map[string]any{"cellId": "cell"}, content)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.sockets[on].SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// execute sends a request to execute code, with more fields than the code if that is wanted.
func (c *client) execute(code string, more ...map[string]any) string {
	content := map[string]any{"code": code, "silent": false, "store_history": true, "allow_stdin": false,
		"user_expressions": map[string]any{}, "stop_on_error": true}
	for _, m := range more {
		for k, v := range m {
			content[k] = v
		}
	}
	return c.send("shell", "execute_request", content)
}

// until returns the messages up to the first that is as wanted.
func (c *client) until(wanted func(message) bool) (list []message) {
	c.t.Helper()
	for limit := time.After(20 * time.Second); ; {
		select {
		case m := <-c.received:
			list = append(list, m)
			if wanted(m) {
				return list
			}
		case <-limit:
			c.t.Fatalf("the message does not come; these did: %v; log: %s", list, c.log)
		}
	}
}

func (m message) String() string {
	return fmt.Sprintf("%s %s %.200s", m.on, m.Header.Type, m.Content)
}

// field returns a field of a message's content.
func (m message) field(name string) any {
	var v map[string]any
	json.Unmarshal(m.Content, &v)
	return v[name]
}

func (m message) idle(id string) bool {
	return m.Header.Type == "status" && m.Parent.ID == id && m.field("execution_state") == "idle"
}

// outcome is what came of a request.
type outcome struct {
	reply     message
	published []message
}

// types lists the types of what was published, status messages as their state.
func (o outcome) types() string {
	var list []string
	for _, m := range o.published {
		if m.Header.Type == "status" {
			list = append(list, m.field("execution_state").(string))
		} else {
			list = append(list, m.Header.Type)
		}
	}
	return strings.Join(list, " ")
}

func (o outcome) text(stream string) string {
	var b strings.Builder
	for _, m := range o.published {
		if m.Header.Type == "stream" && m.field("name") == stream {
			b.WriteString(m.field("text").(string))
		}
	}
	return b.String()
}

// outcomes waits for the replies and the last publications of requests.
func (c *client) outcomes(ids ...string) map[string]outcome {
	c.t.Helper()
	all, left := map[string]outcome{}, 2*len(ids)
	c.until(func(m message) bool {
		o := all[m.Parent.ID]
		switch {
		case m.on == "iopub":
			o.published = append(o.published, m)
		case m.on != "stdin":
			if o.reply.on != "" {
				c.t.Errorf("a second reply: %v", m)
			}
			o.reply = m
		}
		all[m.Parent.ID] = o
		if slices.Contains(ids, m.Parent.ID) && (m.on == "shell" || m.on == "control" || m.idle(m.Parent.ID)) {
			left--
		}
		return left == 0
	})
	return all
}

func (c *client) outcome(id string) outcome {
	c.t.Helper()
	return c.outcomes(id)[id]
}

// quiet fails the test where the kernel has logged something.
func (c *client) quiet() {
	c.t.Helper()
	if s := c.log.String(); s != "" {
		c.t.Errorf("log: %s", s)
	}
}

func TestExecute(t *testing.T) {
	got := make(chan Request, 1)
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		got <- r
		out.Print("stdout", []byte("a"))
		out.Print("stderr", []byte("b"))
		out.Print("stdout", []byte("c\n"))
		out.Display(map[string]any{"text/html": "<b>"}, nil, "d", false)
		out.Print("stdout", []byte("d"))
		out.Display(map[string]any{"text/html": "<i>"}, map[string]any{"x": 1}, "d", true)
		out.Clear(true)
		out.Result(map[string]any{"text/plain": "5"}, nil)
		return nil
	}})
	o := c.outcome(c.execute("x := 1"))
	want := "busy execute_input stream stream display_data stream update_display_data clear_output execute_result idle"
	if o.types() != want {
		t.Errorf("published %s\nwant      %s", o.types(), want)
	}
	if o.text("stdout") != "ac\nd" || o.text("stderr") != "b" {
		t.Errorf("%q, %q", o.text("stdout"), o.text("stderr"))
	}
	if got, want := <-got, (Request{"x := 1", "cell", 1, false, true, false}); got != want {
		t.Errorf("request %+v, want %+v", got, want)
	}
	if s := string(o.reply.Content); s != `{"execution_count":1,"payload":[],"status":"ok","user_expressions":{}}` {
		t.Errorf("reply %s", s)
	}
	display := string(o.published[4].Content)
	if display != `{"data":{"text/html":"<b>"},"metadata":{},"transient":{"display_id":"d"}}` {
		t.Errorf("display %s", display)
	}
	if s := string(o.published[8].Content); s != `{"data":{"text/plain":"5"},"execution_count":1,"metadata":{}}` {
		t.Errorf("result %s", s)
	}
	c.quiet()
}

// TestCount: which executions count, and which are published.
func TestCount(t *testing.T) {
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		out.Result(nil, nil)
		if r.Code == "fail" {
			return &Failure{"Oops", "it failed", nil}
		}
		return nil
	}})
	for _, x := range []struct {
		code  string
		with  map[string]any
		count float64
		types string
	}{
		{"a", nil, 1, "busy execute_input execute_result idle"},
		{"b", map[string]any{"silent": true}, 1, "busy idle"},
		{"c", map[string]any{"store_history": false}, 1, "busy execute_input execute_result idle"},
		{"fail", nil, 2, "busy execute_input execute_result error idle"},
		{"d", nil, 3, "busy execute_input execute_result idle"},
		{"", nil, 3, "busy execute_input idle"},
		{" \n", map[string]any{"silent": true}, 3, "busy idle"},
		{"e", map[string]any{"store_history": nil, "stop_on_error": nil}, 4, "busy execute_input execute_result idle"},
	} {
		o := c.outcome(c.execute(x.code, x.with))
		if o.reply.field("execution_count") != x.count || o.types() != x.types {
			t.Errorf("%q %v: %s, published %s", x.code, x.with, o.reply.Content, o.types())
		}
	}
	h := c.outcome(c.send("shell", "history_request", map[string]any{"hist_access_type": "tail", "n": 10, "raw": true}))
	inputs := string(h.reply.Content)
	if inputs != `{"history":[[1,1,"a"],[1,2,"fail"],[1,3,"d"],[1,4,"e"]],"status":"ok"}` {
		t.Errorf("history %s", inputs)
	}
	c.quiet()
}

func TestFailure(t *testing.T) {
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		if r.Code == "panic" {
			panic("oh no")
		}
		out.Print("stdout", []byte("before"))
		return &Failure{"Oops", "it failed", []string{"line 1", "line 2"}}
	}})
	o := c.outcome(c.execute("x", map[string]any{"user_expressions": map[string]any{"e": "1+1"}}))
	if o.types() != "busy execute_input stream error idle" {
		t.Error(o.types())
	}
	published := string(o.published[3].Content)
	if published != `{"ename":"Oops","evalue":"it failed","traceback":["line 1","line 2"]}` {
		t.Errorf("error %s", published)
	}
	r := o.reply
	for name, want := range map[string]string{
		"status": "error", "ename": "Oops", "evalue": "it failed", "traceback": "[line 1 line 2]", "execution_count": "1",
	} {
		if fmt.Sprint(r.field(name)) != want {
			t.Errorf("%s is not %s: %s", name, want, r.Content)
		}
	}
	if e, _ := r.field("user_expressions").(map[string]any)["e"].(map[string]any); e["status"] != "error" {
		t.Errorf("reply %s", r.Content)
	}
	c.quiet()
	o = c.outcome(c.execute("panic"))
	if !strings.Contains(fmt.Sprint(o.reply.field("evalue")), "oh no") || o.types() != "busy execute_input error idle" {
		t.Errorf("%s, %s", o.reply.Content, o.types())
	}
	if !strings.Contains(c.log.String(), "oh no") {
		t.Errorf("log %q", c.log)
	}
}

// TestStopOnError: what waits after a failure is answered and not run; what is sent after the reply runs.
func TestStopOnError(t *testing.T) {
	var mu sync.Mutex
	var ran []string
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		mu.Lock()
		ran = append(ran, r.Code)
		mu.Unlock()
		if strings.HasPrefix(r.Code, "fail") {
			return &Failure{"Oops", "", nil}
		}
		return nil
	}})
	for _, stop := range []bool{true, false} {
		mu.Lock()
		ran = nil
		mu.Unlock()
		ids := []string{
			c.execute("fail", map[string]any{"stop_on_error": stop}),
			c.execute("a"),
			c.execute("b", map[string]any{"stop_on_error": false}),
			c.execute(" "),
		}
		all := c.outcomes(ids...)
		want, wantRan := "ok", "[fail a b]"
		if stop {
			want, wantRan = "aborted", "[fail]"
		}
		for _, id := range ids[1:] {
			if o := all[id]; o.reply.field("status") != want || stop && o.types() != "busy idle" {
				t.Errorf("stop %v: %s, %s", stop, o.reply.Content, o.types())
			}
		}
		mu.Lock()
		if fmt.Sprint(ran) != wantRan {
			t.Errorf("stop %v: ran %v", stop, ran)
		}
		mu.Unlock()
		if o := c.outcome(c.execute("later")); o.reply.field("status") != "ok" {
			t.Errorf("afterwards: %s", o.reply.Content)
		}
	}
}

// waitFor runs until it is interrupted.
func waitFor(ctx context.Context, _ Request, _ *Output) *Failure {
	<-ctx.Done()
	return &Failure{Name: "Interrupted", Value: context.Cause(ctx).Error()}
}

func TestInterrupt(t *testing.T) {
	c := start(t, fake{execute: waitFor})
	idle := c.outcome(c.send("control", "interrupt_request", struct{}{})) // Nothing runs.
	if idle.reply.field("status") != "ok" || idle.reply.on != "control" {
		t.Errorf("%v", idle.reply)
	}
	id, waits := c.execute("x", map[string]any{"stop_on_error": false}), c.execute("y")
	c.until(func(m message) bool { return m.Header.Type == "execute_input" })
	begin := time.Now()
	interrupt := c.send("control", "interrupt_request", struct{}{})
	all := c.outcomes(id, waits, interrupt)
	for id, want := range map[string]string{id: "error", interrupt: "ok", waits: "aborted"} {
		if r := all[id].reply; r.field("status") != want {
			t.Errorf("want %s: %v", want, r)
		}
	}
	if v := all[id].reply.field("evalue"); v != "interrupted" {
		t.Errorf("%v", v)
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	c.quiet()
}

// TestAnswersWhileACellRuns: all other requests are answered, with their own parent, and the kernel stays busy.
func TestAnswersWhileACellRuns(t *testing.T) {
	c := start(t, fake{execute: waitFor})
	id := c.execute("x")
	c.until(func(m message) bool { return m.Header.Type == "execute_input" })
	for _, on := range []string{"shell", "control"} {
		for typ := range answers {
			if typ == "shutdown_request" || typ == "interrupt_request" {
				continue
			}
			ask := c.send(on, typ, map[string]any{"code": "a", "hist_access_type": "tail", "cursor_pos": 1})
			all := c.outcomes(ask)
			o := all[ask]
			want := strings.Replace(typ, "_request", "_reply", 1)
			if o.reply.Header.Type != want || o.reply.on != on || o.types() != "busy idle" {
				t.Errorf("%s: %v, %s", typ, o.reply, o.types())
			}
			last := all[id].published
			if len(last) == 0 {
				last = c.until(func(m message) bool { return m.on == "iopub" })
			}
			if m := last[len(last)-1]; m.Parent.ID != id || m.field("execution_state") != "busy" {
				t.Errorf("%s: the last status is %v", typ, m)
			}
		}
	}
	c.send("control", "interrupt_request", struct{}{})
	c.outcome(id)
	c.quiet()
}

// TestManyCompletions: requests that come at once are all answered, in order, while a cell runs.
func TestManyCompletions(t *testing.T) {
	c := start(t, fake{
		execute: waitFor,
		complete: func(_ context.Context, code string, cursor int) (Completion, error) {
			return Completion{0, cursor, []Match{{Text: code + "!"}}}, nil
		},
	})
	c.execute("x")
	var ids []string
	for i := range 1000 {
		ids = append(ids, c.send("shell", "complete_request", map[string]any{"code": fmt.Sprint(i), "cursor_pos": 1}))
	}
	next := 0
	c.until(func(m message) bool {
		if m.Header.Type == "complete_reply" {
			if m.Parent.ID != ids[next] || fmt.Sprint(m.field("matches")) != fmt.Sprintf("[%d!]", next) {
				t.Fatalf("reply %d is %v", next, m)
			}
			next++
		}
		return next == len(ids)
	})
	c.quiet()
}

// TestManyLines: short prints become few messages, and nothing is lost.
func TestManyLines(t *testing.T) {
	var want strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&want, "this is line %d of the output\n", i)
	}
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		for line := range strings.Lines(want.String()) {
			out.Print("stdout", []byte(line))
		}
		return nil
	}})
	o := c.outcome(c.execute("x"))
	if o.text("stdout") != want.String() {
		t.Error("the text is not whole")
	}
	if n := strings.Count(o.types(), "stream"); n > 50 {
		t.Errorf("%d messages", n)
	} else {
		t.Logf("%d messages", n)
	}
	c.quiet()
}

// TestSlowPrints: text appears a moment after it is printed, and not at the end.
func TestSlowPrints(t *testing.T) {
	seen := make(chan bool)
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		out.Print("stdout", []byte("hello"))
		<-seen
		return nil
	}})
	id := c.execute("x")
	c.until(func(m message) bool { return m.Header.Type == "stream" })
	close(seen)
	c.outcome(id)
}

// endless prints until it is interrupted.
func endless(ctx context.Context, r Request, out *Output) *Failure {
	line := []byte(strings.Repeat("x", 99) + "\n")
	for ctx.Err() == nil {
		out.Print("stdout", line)
	}
	for range 10_000 { // What is still in the pipe, for example.
		out.Print("stdout", line)
	}
	return &Failure{Name: "Interrupted"}
}

// TestEndlessPrint: it can be interrupted, what was dropped is said, and the front end's limit is kept.
func TestEndlessPrint(t *testing.T) {
	c := start(t, fake{execute: endless})
	id := c.execute("x")
	bytes, started := 0, time.Now()
	c.until(func(m message) bool { bytes += len(m.Content); return bytes > paceBurst/2 })
	time.Sleep(time.Second)
	begin := time.Now()
	interrupt := c.send("control", "interrupt_request", struct{}{})
	all := c.outcomes(id, interrupt)
	t.Logf("interrupted after %v", time.Since(begin))
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	if s := all[id].text("stderr"); s != dropped {
		t.Errorf("%q", s)
	}
	for _, m := range all[id].published {
		bytes += len(m.Content)
	}
	if most := paceBurst + int(paceRate*time.Since(started).Seconds()) + maxAfter + 10_000; bytes > most {
		t.Errorf("%d bytes, at most %d are allowed", bytes, most)
	}
	c.quiet()
}

// TestSubscriberThatDoesNotRead holds nobody up.
func TestSubscriberThatDoesNotRead(t *testing.T) {
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		for ctx.Err() == nil {
			out.Display(map[string]any{"text/plain": strings.Repeat("x", 1<<20)}, nil, "", false)
		}
		return &Failure{Name: "Interrupted"}
	}})
	dead := zmq4.NewSub(t.Context())
	c.dial(dead, "iopub")
	if err := dead.SetOption(zmq4.OptionSubscribe, ""); err != nil {
		t.Fatal(err)
	}
	id := c.execute("x")
	for range 100 { // 100 MiB.
		c.until(func(m message) bool { return m.Header.Type == "display_data" })
	}
	begin := time.Now()
	c.outcomes(id, c.send("control", "interrupt_request", struct{}{}))
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	c.quiet()
}

// TestLargePrint: memory is bounded whatever is printed.
func TestLargePrint(t *testing.T) {
	text := []byte(strings.Repeat("0123456789abcdef", 100<<20/16))
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		out.Print("stdout", text)
		return &Failure{Name: "Interrupted"}
	}})
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	id := c.execute("x")
	n := 0
	c.until(func(m message) bool {
		if m.Header.Type == "stream" {
			n++
		}
		return n == 8
	})
	runtime.ReadMemStats(&during)
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 50<<20 {
		t.Errorf("%d MiB", grown>>20)
	}
	all := c.outcomes(id, c.send("control", "interrupt_request", struct{}{}))
	// A slow machine may come to the most that is shown before the interrupt.
	if said := all[id].text("stderr"); said != dropped && !strings.HasPrefix(said, fmt.Sprintf(tooLong, maxLines)) {
		t.Errorf("what is dropped is not said: %q", said)
	}
}

// A front end shows only so many lines; what follows costs no time, and its end is shown.
func TestTooManyLines(t *testing.T) {
	const lines = 20 * maxLines
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		if r.Code == "clear" {
			out.Print("stdout", bytes.Repeat([]byte("x\n"), maxLines+1))
			out.Clear(false)
			out.Print("stdout", []byte("after"))
			return nil
		}
		for i := range lines {
			out.Print("stdout", fmt.Appendf(nil, "%d\n", i))
		}
		return nil
	}})
	begin := time.Now()
	o := c.outcome(c.execute("x"))
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it takes %v", took)
	}
	text, notice := o.text("stdout"), o.text("stderr")
	if n := strings.Count(text, "\n"); n < maxLines || n > 3*maxLines || !strings.HasPrefix(text, "0\n1\n2\n") || !strings.HasSuffix(text, fmt.Sprintf("%d\n", lines-1)) {
		t.Errorf("%d lines, from %.20q to %q", n, text, text[len(text)-20:])
	}
	if !strings.Contains(notice, fmt.Sprintf(tooLong, maxLines)) || !strings.Contains(notice, "lines, ") {
		t.Errorf("it says %q", notice)
	}
	if text := c.outcome(c.execute("clear")).text("stdout"); !strings.HasSuffix(text, "after") {
		t.Errorf("after what was cleared: %q", text[max(0, len(text)-20):])
	}
}

func TestInput(t *testing.T) {
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		out.Print("stdout", []byte("before"))
		line, err := out.Input(ctx, "name?", r.Code == "secret")
		if err != nil {
			return &Failure{"Error", err.Error(), nil}
		}
		out.Print("stdout", []byte("hello "+line))
		return nil
	}})
	o := c.outcome(c.execute("x"))
	if o.reply.field("evalue") != ErrNoInput.Error() {
		t.Errorf("not allowed: %s", o.reply.Content)
	}
	allow := map[string]any{"allow_stdin": true}
	for _, code := range []string{"x", "secret"} {
		id := c.execute(code, allow)
		seen := c.until(func(m message) bool { return m.on == "stdin" })
		ask := seen[len(seen)-1]
		if ask.Header.Type != "input_request" || ask.Parent.ID != id || ask.field("prompt") != "name?" ||
			ask.field("password") != (code == "secret") {
			t.Errorf("%v", ask)
		}
		another := wire.Header{ID: "another", Type: "input_request"}
		_, stale, _ := c.session.Encode("input_reply", another, nil, map[string]any{"value": "stale"})
		c.sockets["stdin"].SendMulti(zmq4.NewMsgFrom(stale...))
		c.send("stdin", "input_reply", map[string]any{"value": "Ada"})
		if o := c.outcome(id); !strings.HasSuffix(o.text("stdout"), "hello Ada") || o.reply.field("status") != "ok" {
			t.Errorf("%s: %s", o.reply.Content, o.text("stdout"))
		}
	}
	id := c.execute("x", allow)
	c.until(func(m message) bool { return m.on == "stdin" })
	c.send("control", "interrupt_request", struct{}{})
	if o := c.outcome(id); o.reply.field("evalue") != "interrupted" {
		t.Errorf("%s", o.reply.Content)
	}
	c.quiet()
}

func TestShutdown(t *testing.T) {
	for _, on := range []string{"control", "shell"} {
		for _, restart := range []bool{true, false} {
			hangs := func(context.Context, Request, *Output) *Failure { select {} }
			for _, k := range []fake{{}, {execute: waitFor}, {execute: endless}, {execute: hangs}} {
				c := start(t, k)
				c.execute("x")
				c.until(func(m message) bool { return m.Header.Type == "execute_input" })
				begin := time.Now()
				o := c.outcome(c.send(on, "shutdown_request", map[string]any{"restart": restart}))
				r := o.reply
				if r.Header.Type != "shutdown_reply" || r.field("restart") != restart || r.field("status") != "ok" {
					t.Errorf("%v", r)
				}
				err := <-c.ended
				c.ended <- err
				if d := time.Since(begin); err != nil || d > 10*time.Second {
					t.Errorf("%v after %v", err, d)
				}
				if _, err := os.Stat(c.address("shell")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a socket is left: %v", err)
				}
				c.quiet()
			}
		}
	}
}
