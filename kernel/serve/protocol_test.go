package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zeromq/zmq4"

	"lucigo/kernel/jupyter/wire"
	"lucigo/kernel/serve/zmtp"
)

// requests are all requests that are answered, except the one that ends the kernel.
func requests() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for typ := range answers {
			if typ != "shutdown_request" && !yield(typ) {
				return
			}
		}
		yield("execute_request")
	})
}

// TestEveryRequestIsAnswered: by one reply of its type, between busy and idle, whatever it contains, and whatever the
// kernel's methods do.
func TestEveryRequestIsAnswered(t *testing.T) {
	fails := func(context.Context, string, int) (Completion, error) {
		return Completion{-3, 99, nil}, errors.New("no")
	}
	failsToo := func(context.Context, string, int, int) (Inspection, error) { return Inspection{}, errors.New("no") }
	for name, k := range map[string]fake{
		"obeys": {},
		"fails": {
			execute:    func(context.Context, Request, *Output) *Failure { return &Failure{} },
			isComplete: func(string) (string, string) { return "what?", "" },
			complete:   fails, inspect: failsToo,
		},
		"panics": {
			execute:    func(context.Context, Request, *Output) *Failure { panic(1) },
			isComplete: func(string) (string, string) { panic(1) },
			complete:   func(context.Context, string, int) (Completion, error) { panic(1) },
			inspect:    func(context.Context, string, int, int) (Inspection, error) { panic(1) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, k)
			for _, typ := range requests() {
				for _, content := range []string{
					`{}`, `[]`, `null`, `5`, `{"code":null,"cursor_pos":1e99}`, `{"code":5,"hist_access_type":5,"seq":""}`,
					`{"code":"x","cursor_pos":1,"hist_access_type":"tail"}`, `{"code":"\ud800","silent":true}`,
					`{"code":"x","cursor_pos":-1,"n":-1,"hist_access_type":"tail"}`,
				} {
					o := c.outcome(c.send("shell", typ, json.RawMessage(content)))
					status, _ := o.reply.field("status").(string)
					want := strings.Replace(typ, "_request", "_reply", 1)
					if o.reply.Header.Type != want || status == "" {
						t.Errorf("%s %s: %v", typ, content, o.reply)
					}
					published := strings.Fields(o.types())
					if len(published) < 2 || published[0] != "busy" || published[len(published)-1] != "idle" {
						t.Errorf("%s %s: %s", typ, content, published)
					}
				}
			}
			if name == "obeys" {
				c.quiet()
			}
		})
	}
}

// TestReplies: what the replies contain.
func TestReplies(t *testing.T) {
	c := start(t, fake{
		isComplete: func(code string) (string, string) { return code, "\t" },
		complete: func(ctx context.Context, code string, cursor int) (Completion, error) {
			if code == "none" {
				return Completion{}, errors.New("no gopls")
			}
			return Completion{cursor - 1, cursor, []Match{{"Println", "function", "func()"}}}, nil
		},
		inspect: func(ctx context.Context, code string, cursor, detail int) (Inspection, error) {
			return Inspection{Data: map[string]any{"text/plain": fmt.Sprint(code, cursor, detail)}}, nil
		},
	})
	const place = `{"code":"é𝐚fm","cursor_pos":%s}`
	match := func(start, end int) string {
		return fmt.Sprintf(`{"cursor_end":%d,"cursor_start":%d,"matches":["Println"],"metadata":{`+
			`"_jupyter_types_experimental":[{"end":%[1]d,"signature":"func()","start":%[2]d,"text":"Println",`+
			`"type":"function"}]},"status":"ok"}`, end, start)
	}
	for _, x := range [][3]string{
		{"kernel_info_request", `{}`, `{"banner":"A fake.","debugger":false,"help_links":[],"implementation":"fake",` +
			`"implementation_version":"1","language_info":{"name":"go","version":"1.0","mimetype":"text/x-go",` +
			`"file_extension":".go"},"protocol_version":"5.4","status":"ok","supported_features":[]}`},
		{"connect_request", `{}`,
			`{"control_port":4,"hb_port":5,"iopub_port":2,"shell_port":1,"status":"ok","stdin_port":3}`},
		{"is_complete_request", `{"code":"incomplete"}`, `{"indent":"\t","status":"incomplete"}`},
		{"is_complete_request", `{"code":"complete"}`, `{"status":"complete"}`},
		{"is_complete_request", `{"code":"invalid"}`, `{"status":"invalid"}`},
		{"is_complete_request", `{"code":"unknown"}`, `{"status":"unknown"}`},
		{"complete_request", fmt.Sprintf(place, "4"), match(3, 4)},
		{"complete_request", fmt.Sprintf(place, "2"), match(1, 2)},
		{"complete_request", fmt.Sprintf(place, "null"), match(3, 4)},
		{"complete_request", fmt.Sprintf(place, "99"), match(3, 4)},
		{"complete_request", fmt.Sprintf(place, "0"), match(0, 0)},
		{"complete_request", fmt.Sprintf(place, "-7"), match(0, 0)},
		{"complete_request", `{"code":"none","cursor_pos":2}`, `{"cursor_end":2,"cursor_start":2,"ename":"Error",` +
			`"evalue":"no gopls","matches":[],"metadata":{"_jupyter_types_experimental":[]},"status":"error",` +
			`"traceback":[]}`},
		{"inspect_request", `{"code":"é𝐚fm","cursor_pos":3,"detail_level":1}`,
			`{"data":{"text/plain":"é𝐚fm3 1"},"found":true,"metadata":{},"status":"ok"}`},
		{"inspect_request", `{"code":" \n","cursor_pos":0}`,
			`{"data":{},"found":false,"metadata":{},"status":"ok"}`},
		{"comm_info_request", `{"target_name":"x"}`, `{"comms":{},"status":"ok"}`},
		{"interrupt_request", `{}`, `{"status":"ok"}`},
		{"debug_request", `{"seq":7,"type":"request","command":"initialize"}`,
			`{"command":"initialize","message":"this kernel has no debugger","request_seq":7,"status":"ok",` +
				`"success":false,"type":"response"}`},
		{"create_subshell_request", `{}`,
			`{"ename":"Error","evalue":"this kernel has no subshells","status":"error","traceback":[]}`},
		{"history_request", `{"hist_access_type":"tail","n":5}`, `{"history":[],"status":"ok"}`},
	} {
		if got := c.outcome(c.send("shell", x[0], json.RawMessage(x[1]))).reply.Content; string(got) != x[2] {
			t.Errorf("%s %s\n     %s\nwant %s", x[0], x[1], got, x[2])
		}
	}
	c.outcome(c.execute("x"))
	o := c.outcome(c.send("shell", "history_request",
		map[string]any{"hist_access_type": "search", "pattern": "?", "output": true, "unique": true}))
	if s := string(o.reply.Content); s != `{"history":[[1,1,["x",null]]],"status":"ok"}` {
		t.Error(s)
	}
	c.quiet()
}

// TestWithoutReply: messages that have no reply, between busy and idle.
func TestWithoutReply(t *testing.T) {
	c := start(t, fake{})
	for typ, want := range map[string]string{
		"comm_open": "busy comm_close idle", "comm_msg": "busy idle", "comm_close": "busy idle", "usage_request": "busy idle",
	} {
		id := c.send("shell", typ, map[string]any{"comm_id": "c", "target_name": "jupyter.widget", "data": map[string]any{}})
		var o outcome
		for _, m := range c.until(func(m message) bool { return m.idle(id) }) {
			if m.on != "iopub" {
				t.Errorf("%s: a reply %v", typ, m)
			}
			o.published = append(o.published, m)
		}
		if o.types() != want {
			t.Errorf("%s: %s", typ, o.types())
		}
	}
	if s := c.log.String(); !strings.Contains(s, `"usage_request"`) || strings.Count(s, "\n") != 1 {
		t.Errorf("log %q", s)
	}
}

// raw connects to a socket without a greeting.
func (c *client) raw(name string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("unix", c.address(name))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

// TestHostileMessages neither end the kernel nor hang it, and are not obeyed.
func TestHostileMessages(t *testing.T) {
	ran := make(chan string, 100)
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		ran <- r.Code
		return nil
	}})
	greeting := append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'}, make([]byte, 48)...)
	ready := "\x04\x1a\x05READY\x0bSocket-Type\x00\x00\x00\x03REQ"
	promise := "\x02\x3f\xff\xff\xff\xff\xff\xff\xff"
	for name := range ports {
		c.raw(name) // It stays silent.
		c.raw(name).Close()
		c.raw(name).Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		c.raw(name).Write(greeting)
		c.raw(name).Write(append(greeting, ready+promise...))
		c.raw(name).Write(append(greeting, "\x06\x00\x00\x01\x00\x00\x00\x00\x00"...)) // A command of a TiB.
	}
	forger := wire.Session{Key: []byte("wrong"), ID: "forger"}
	_, forged, err := forger.Encode("execute_request", wire.Header{}, nil, map[string]any{"code": "forged"})
	if err != nil {
		t.Fatal(err)
	}
	_, changed, _ := c.session.Encode("execute_request", wire.Header{}, nil, map[string]any{"code": "good"})
	changed[5] = []byte(strings.Replace(string(changed[5]), "good", "evil", 1))
	for _, frames := range [][][]byte{
		forged, changed, forged[:3], {{}}, {[]byte("x")}, make([][]byte, 1000), {forged[0]}, {make([]byte, maxMessage+1)},
		append(slices.Clone(forged), make([]byte, 1<<20)), {[]byte("\x01"), nil},
	} {
		for _, on := range []string{"shell", "control", "stdin"} {
			if err := c.sockets[on].SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, on := range []string{"shell", "control"} {
		if r := c.outcome(c.send(on, "kernel_info_request", struct{}{})).reply; r.field("status") != "ok" {
			t.Errorf("%v", r)
		}
	}
	c.outcome(c.execute("honest"))
	if code := <-ran; code != "honest" || len(ran) > 0 {
		t.Errorf("%q was run, and %d more", code, len(ran))
	}
	if s := c.log.String(); !strings.Contains(s, "signature") || strings.Count(s, "\n") > 2*valveBurst {
		t.Errorf("log %s", s)
	}
}

// TestHeartbeat: what is sent comes back.
func TestHeartbeat(t *testing.T) {
	c := start(t, fake{execute: waitFor})
	c.execute("x")
	beat := zmq4.NewReq(t.Context())
	c.dial(beat, "hb")
	for i := range 3 {
		want := fmt.Sprint("ping", i)
		if err := beat.Send(zmq4.NewMsgString(want)); err != nil {
			t.Fatal(err)
		}
		if m, err := beat.Recv(); err != nil || string(m.Bytes()) != want {
			t.Errorf("%s, %v", m, err)
		}
	}
}

// TestTCP: a kernel on the network's sockets, whose front end connects again.
func TestTCP(t *testing.T) {
	ports := map[string]any{"ip": "127.0.0.1", "key": "", "signature_scheme": "hmac-sha256"}
	var listeners []net.Listener
	for _, name := range []string{"shell", "control", "iopub", "stdin", "hb"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		ports[name+"_port"] = l.Addr().(*net.TCPAddr).Port
	}
	b, err := json.Marshal(ports)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Serve(t.Context(), file, fake{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("the ports are in use: %v", err)
	}
	for _, l := range listeners {
		l.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, running, finish := make(chan error, 1), make(chan bool), make(chan bool)
	go func() {
		ended <- Serve(ctx, file, fake{execute: func(context.Context, Request, *Output) *Failure {
			running <- true
			<-finish
			return nil
		}})
	}()
	var s wire.Session
	shell := func() zmq4.Socket {
		d := zmq4.NewDealer(t.Context(), zmq4.WithID(zmq4.SocketIdentity("me")),
			zmq4.WithDialerRetry(20*time.Millisecond))
		if err := d.Dial(fmt.Sprintf("tcp://127.0.0.1:%d", ports["shell_port"])); err != nil {
			t.Fatal(err)
		}
		return d
	}
	ask := func(on zmq4.Socket, typ string) string {
		id, frames, err := s.Encode(typ, wire.Header{}, nil, map[string]any{"code": "x"})
		if err != nil {
			t.Fatal(err)
		}
		if err := on.SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	answered := func(on zmq4.Socket, id string) {
		z, err := on.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m, err := s.Decode(z.Frames); err != nil || m.Parent.ID != id {
			t.Errorf("%+v, %v", m, err)
		}
	}
	first := shell()
	execution := ask(first, "execute_request")
	<-running
	first.Close()
	second := shell()
	answered(second, ask(second, "kernel_info_request"))
	close(finish)
	answered(second, execution)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestCharacters: a character is never cut, what is none is replaced, and streams keep to themselves.
func TestCharacters(t *testing.T) {
	text := strings.Repeat("aé€𝐚", 2000)
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		for i := range text {
			for _, b := range []byte(text[i : i+len(string([]rune(text[i:])[:1]))]) {
				out.Print("stdout", []byte{b})
			}
			if i%1000 == 0 {
				time.Sleep(2 * collect)
			}
		}
		euro := []byte("€")
		out.Print("stdout", euro[:1])
		out.Print("stderr", euro[:2])
		out.Display(nil, nil, "", false)
		out.Print("stdout", euro[1:])
		out.Print("stderr", []byte("\xff\x00x"))
		out.Print("stdout", euro[:2])
		return nil
	}})
	o := c.outcome(c.execute("x"))
	if s := o.text("stdout"); s != text+"€\uFFFD\uFFFD" {
		t.Errorf("%d bytes: …%q", len(s), s[max(0, len(s)-20):])
	}
	if s := o.text("stderr"); s != "\uFFFD\uFFFD\uFFFD\x00x" {
		t.Errorf("%q", s)
	}
	c.quiet()
}

// TestUnencodable: data that cannot be sent is said to be so, where the person looks.
func TestUnencodable(t *testing.T) {
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		out.Display(map[string]any{"application/json": math.NaN()}, nil, "", false)
		return nil
	}})
	if o := c.outcome(c.execute("x")); !strings.Contains(o.text("stderr"), "NaN") || o.reply.field("status") != "ok" {
		t.Errorf("%s, %q", o.reply.Content, o.text("stderr"))
	}
	if !strings.Contains(c.log.String(), "NaN") {
		t.Errorf("log %q", c.log)
	}
}

// TestOutputsAfterTheEnd are dropped, and their senders are not held up.
func TestOutputsAfterTheEnd(t *testing.T) {
	outs := make(chan *Output, 1)
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		outs <- out
		return nil
	}})
	id := c.execute("x", map[string]any{"allow_stdin": true})
	c.outcome(id)
	kept := <-outs
	kept.Print("stdout", make([]byte, 10<<20))
	kept.Display(nil, nil, "", false)
	kept.Clear(true)
	kept.Result(nil, nil)
	if _, err := kept.Input(context.Background(), "", false); err == nil {
		t.Error("a question after the end")
	}
	time.Sleep(2 * collect)
	c.send("shell", "kernel_info_request", nil)
	for _, m := range c.until(func(m message) bool { return m.Header.Type == "kernel_info_reply" }) {
		if m.Parent.ID == id {
			t.Errorf("%v", m)
		}
	}
}

// TestRepliesAreNotHeldBack: a cell's end is told although the next one runs.
func TestRepliesAreNotHeldBack(t *testing.T) {
	waits := make(chan struct{})
	c := start(t, fake{execute: func(ctx context.Context, r Request, out *Output) *Failure {
		if r.Code == "wait" {
			close(waits)
			<-ctx.Done()
		}
		return nil
	}})
	a, b := c.execute("x"), c.execute("wait")
	c.outcome(a)
	<-waits // An interrupt that comes between the two cells interrupts neither.
	c.send("control", "interrupt_request", nil)
	c.outcome(b)
}

// detached returns a server without connections, and a peer that keeps what is sent to it.
func detached(k Kernel) (*server, *peer) {
	s := &server{kernel: k, session: wire.Session{Key: []byte("k")}, log: log.New(io.Discard, "", 0), end: func() {}}
	s.stdin, s.iopub = &socket{}, &socket{}
	return s, &peer{Conn: &zmtp.Conn{}, socket: &socket{}, gone: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// TestRequestsOnTheirWay: what was sent before the reply to a failure is aborted, although it comes after the failure.
func TestRequestsOnTheirWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := detached(fake{execute: func(_ context.Context, r Request, _ *Output) *Failure {
			if r.Code == "fail" {
				return &Failure{Name: "Oops"}
			}
			return nil
		}})
		go func() {
			for r, ok := s.executions.next(t.Context()); ok; r, ok = s.executions.next(t.Context()) {
				s.execute(t.Context(), r)
			}
		}()
		for _, x := range []struct {
			code  string
			after time.Duration
		}{{"fail", 0}, {"on its way", gather / 2}, {"later", gather}} {
			time.Sleep(x.after)
			_, frames, err := s.session.Encode("execute_request", wire.Header{}, nil, map[string]any{"code": x.code})
			if err != nil {
				t.Fatal(err)
			}
			s.take(p, frames)
		}
		synctest.Wait()
		var got []string
		for _, frames := range p.unsent {
			m, err := s.session.Decode(frames)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, message{m, ""}.field("status").(string))
		}
		if s := fmt.Sprint(got); s != "[error aborted ok]" {
			t.Error(s)
		}
	})
}

// TestNextAfterAFailure: what is sent at once after the reply to a failure is run, however often.
func TestNextAfterAFailure(t *testing.T) {
	c := start(t, fake{execute: func(context.Context, Request, *Output) *Failure { return &Failure{Name: "Oops"} }})
	for range 20 {
		id := c.execute("x")
		reply := c.until(func(m message) bool { return m.on == "shell" && m.Parent.ID == id })
		if m := reply[len(reply)-1]; m.field("status") != "error" {
			t.Fatalf("%v", m)
		}
	}
}

// TestUnknownSubshell: a request for a subshell that does not exist is not lost.
func TestUnknownSubshell(t *testing.T) {
	c := start(t, fake{})
	_, frames, err := c.session.Encode("execute_request", wire.Header{}, nil, map[string]any{"code": "x"})
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]any{}
	if err := json.Unmarshal(frames[2], &header); err != nil {
		t.Fatal(err)
	}
	maps.Copy(header, map[string]any{"subshell_id": "gone"})
	frames[2], _ = json.Marshal(header)
	frames[1] = c.session.Sign(frames[2:])
	if err := c.sockets["shell"].SendMulti(zmq4.NewMsgFrom(frames...)); err != nil {
		t.Fatal(err)
	}
	if o := c.outcome(header["msg_id"].(string)); o.reply.field("status") != "ok" {
		t.Errorf("%v", o.reply)
	}
}

// FuzzRequest: one reply, whatever the request contains.
func FuzzRequest(f *testing.F) {
	for i, typ := range append(requests(), "comm_open", "input_reply", "shutdown_request") {
		f.Add(typ, []byte(`{"code":"x𝐚","cursor_pos":1,"hist_access_type":"search","pattern":"*a?","n":1,"unique":true,`+
			`"comm_id":"c","value":""}`), []byte(`{"cellId":5}`))
		const from = `{"code":"x","hist_access_type":"range","start":%d,"stop":-1,"cursor_pos":%[1]d}`
		f.Add(typ, fmt.Appendf(nil, from, i-9), []byte(`null`))
	}
	f.Fuzz(func(t *testing.T, typ string, content, metadata []byte) {
		s, p := detached(fake{})
		session := s.session
		_, frames, err := session.Encode(typ, wire.Header{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		frames[4], frames[5] = metadata, content
		frames[1] = session.Sign(frames[2:])
		m, err := session.Decode(frames)
		if err != nil {
			return
		}
		s.take(p, frames)
		for _, r := range s.executions.clear() {
			s.execute(t.Context(), r)
		}
		for _, r := range s.questions.clear() {
			s.answer(t.Context(), r)
		}
		want := 1
		if answers[m.Header.Type] == nil && m.Header.Type != "execute_request" {
			want = 0
		}
		if len(p.unsent) != want {
			t.Fatalf("%d replies", len(p.unsent))
		}
		if want == 1 {
			if reply, err := session.Decode(p.unsent[0]); err != nil || reply.Parent.ID != m.Header.ID {
				t.Fatalf("%+v, %v", reply, err)
			}
		}
	})
}
