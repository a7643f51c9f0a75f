package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"lucigo/kernel/jupyter/wire"
)

// How long a kernel takes to end.
const (
	endExecution = 400 * time.Millisecond // for the execution to end
	endSending   = 300 * time.Millisecond // for messages to be sent
)

// server is a kernel that is being served.
type server struct {
	kernel     Kernel
	connection connection
	session    wire.Session
	log        *log.Logger
	end        context.CancelFunc

	shell, control, stdin, iopub, heartbeat *socket

	executions, questions queue

	mu       sync.Mutex // also keeps status messages in order
	running  *execution // nil: none
	question *question  // nil: none
	count    int        // executions that were counted
	history  history
}

// execution is a request that is being executed.
type execution struct {
	request
	cancel      context.CancelCauseFunc
	interrupted bool
}

// Serve serves k on the sockets of a connection file until the front end ends the kernel, or ctx ends. It waits a
// moment for the execution then running, and no longer. Faults in what front ends send are written to standard error.
func Serve(ctx context.Context, connectionFile string, k Kernel) error {
	return serve(ctx, connectionFile, k, os.Stderr)
}

func serve(ctx context.Context, file string, k Kernel, logged io.Writer) error {
	c, err := readConnection(file)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	s := &server{kernel: k, connection: c, session: wire.Session{Key: []byte(c.Key), ID: wire.NewID()}, end: end,
		log: log.New(&valve{w: logged}, "serve: ", log.LstdFlags)}
	var sockets []*socket
	defer func() {
		for deadline := time.Now().Add(endSending); len(sockets) > 0; sockets = sockets[1:] {
			sockets[0].close(deadline)
		}
	}()
	for _, x := range []struct {
		socket  **socket
		port    int
		typ     string
		receive func(*peer, [][]byte)
	}{
		{&s.shell, c.Shell, "ROUTER", s.take},
		{&s.control, c.Control, "ROUTER", s.take},
		{&s.stdin, c.Stdin, "ROUTER", s.take},
		{&s.iopub, c.IOPub, "XPUB", s.subscribe},
		{&s.heartbeat, c.Heartbeat, "ROUTER", func(p *peer, frames [][]byte) { p.send(frames) }},
	} {
		l, err := c.listen(x.port)
		if err != nil {
			return fmt.Errorf("serve: listening: %w", err)
		}
		*x.socket = &socket{typ: x.typ, listener: l, log: s.log, receive: x.receive}
		sockets = append(sockets, *x.socket)
	}
	for _, x := range sockets { // All exist before the first message comes.
		go x.accept()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for r, ok := s.executions.next(ctx); ok; r, ok = s.executions.next(ctx) {
			s.execute(ctx, r)
		}
	}()
	go func() {
		for r, ok := s.questions.next(ctx); ok; r, ok = s.questions.next(ctx) {
			s.answer(ctx, r)
		}
	}()
	<-ctx.Done()
	select {
	case <-ended:
	case <-time.After(endExecution):
	}
	return nil
}

// take takes a message of a front end.
func (s *server) take(p *peer, frames [][]byte) {
	m, err := s.session.Decode(frames)
	if err != nil {
		s.log.Print(err)
		return
	}
	r := request{m, p}
	waits := &s.questions
	switch m.Header.Type {
	case "input_reply":
		s.input(p, m)
		return
	case "execute_request":
		waits = &s.executions
	case "complete_request", "inspect_request":
	default:
		s.answer(context.Background(), r)
		return
	}
	if !waits.add(r) {
		s.status(r.Header, "busy")
		s.reply(r, nil, failed(fmt.Errorf("too many requests wait")))
		s.status(r.Header, "idle")
	}
}

// subscribe takes a message of a peer that listens to what is published, and greets it when it has subscribed.
func (s *server) subscribe(p *peer, frames [][]byte) {
	if topic, added := p.subscribe(frames); added {
		message := s.encode(wire.Header{}, "iopub_welcome", map[string]string{"subscription": topic})
		message[0] = []byte(topic)
		p.send(message)
	}
}

// encode makes a message to be published.
func (s *server) encode(parent wire.Header, typ string, content any) [][]byte {
	_, frames, err := s.session.Encode(typ, parent, nil, content)
	if err != nil { // The kernel's data cannot be written as JSON.
		s.log.Print(err)
		text := fmt.Sprintf("this cannot be shown: %v\n", err)
		_, frames, _ = s.session.Encode("stream", parent, nil, map[string]string{"name": "stderr", "text": text})
	}
	return append([][]byte{[]byte(typ)}, frames...)
}

// publish sends a message to everybody who has subscribed to it.
func (s *server) publish(message [][]byte) {
	for _, p := range s.iopub.all() {
		if p.subscribed(string(message[0])) {
			p.send(message)
		}
	}
}

// status publishes that a request is being worked on ("busy") or done ("idle"). Front ends take the last status for
// the kernel's: after another request is done while an execution runs, the kernel is still busy.
func (s *server) status(parent wire.Header, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(s.encode(parent, "status", map[string]string{"execution_state": state}))
	if state == "idle" && s.running != nil {
		s.publish(s.encode(s.running.Header, "status", map[string]string{"execution_state": "busy"}))
	}
}

// reply sends the reply to a request.
func (s *server) reply(r request, metadata map[string]any, content any) {
	typ := strings.TrimSuffix(r.Header.Type, "_request") + "_reply"
	_, frames, err := s.session.Encode(typ, r.Header, metadata, content)
	if err != nil {
		s.log.Print(err)
		_, frames, _ = s.session.Encode(typ, r.Header, nil, failed(err))
	}
	r.from.current().send(append(append([][]byte{}, r.Route...), frames...))
}

// failed is the content of the reply to a request that cannot be fulfilled.
func failed(err error) map[string]any {
	return map[string]any{"status": "error", "ename": "Error", "evalue": err.Error(), "traceback": []string{}}
}

// parse reads a request's content.
func parse[T any](r request) (content T, err error) {
	if err := json.Unmarshal(r.Content, &content); err != nil {
		return content, fmt.Errorf("the content of a message of type %.50q: %w", r.Header.Type, err)
	}
	return content, nil
}

// recovered calls f and returns its panic as an error, which is logged.
func (s *server) recovered(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault of the kernel: %v", p)
			s.log.Printf("%v\n%s", err, debug.Stack())
		}
	}()
	f()
	return nil
}

// valve drops what is written too often.
type valve struct {
	mu    sync.Mutex
	w     io.Writer
	level float64
	at    time.Time
}

// At once, and in a second.
const (
	valveBurst = 20
	valveRate  = 1
)

// Write writes p, or drops it, and is successful.
func (v *valve) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.level = max(0, v.level-valveRate*now.Sub(v.at).Seconds())
	v.at = now
	if v.level < valveBurst {
		v.level++
		v.w.Write(p)
	}
	return len(p), nil
}
