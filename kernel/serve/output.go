package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lucigo/kernel/jupyter/wire"
)

const (
	collect   = 50 * time.Millisecond // how long printed text waits for more
	maxStream = 128 << 10             // bytes of a stream's message
	maxAfter  = 64 << 10              // bytes that are published after an interrupt although there were too many before
	maxLines  = 60_000                // lines that a request shows, and as many times lineBytes bytes
	lineBytes = 50                    // bytes that a line counts for at least
	maxTail   = 4 << 10               // bytes of the end of what is left out

	// A browser lays out the whole output again at each message, in 25 µs for each line of it, as was measured in
	// JupyterLab 4.6.
	perLine = 50 * time.Microsecond

	tooLong = "[more than %d lines, or as much: what follows is left out, except its end]\n"
	leftOut = "[%d lines, %d KiB, are left out here, except their end]\n"
	dropped = "[what was printed after the interrupt is not all here]\n"
)

// Output publishes what a request shows. It is safe for concurrent use. After the request has ended, it does nothing.
type Output struct {
	server  *server
	ctx     context.Context // of the execution
	request request
	silent  bool // execute results are not published
	stdin   bool // questions are allowed
	count   int  // the execution's number

	asking sync.Mutex // one question at a time

	mu      sync.Mutex // also keeps what is published in order
	streams []stream   // in the order in which text came
	timer   *time.Timer
	pace    pace
	after   int // the bytes that were published after an interrupt
	shown   int // the lines, or lineBytes bytes, of text that were published
	left    left
	dropped bool
	closed  bool
}

// left is what is left out of a text that is too long.
type left struct {
	lines, bytes int
	name         string // the stream of the last of it
	tail         []byte // its end
}

// add takes in text that is left out.
func (l *left) add(name string, text []byte) {
	if l.name != name {
		l.tail = nil
	}
	l.name = name
	l.bytes += len(text)
	l.lines += bytes.Count(text, []byte("\n"))
	l.tail = append(l.tail, text[max(0, len(text)-maxTail):]...)
	l.tail = l.tail[max(0, len(l.tail)-maxTail):]
}

// stream is text that waits to be published.
type stream struct {
	name string
	text []byte
}

// Print prints text to a stream, "stdout" or "stderr". Text is collected for a moment. Where the front end would be
// flooded, Print blocks, until the context of the execution ends.
func (o *Output) Print(stream string, text []byte) {
	for len(text) > 0 {
		text = text[o.collect(stream, text):]
	}
}

// collect takes a piece of text and returns its length.
func (o *Output) collect(name string, text []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return len(text)
	}
	s := o.find(name)
	n := min(len(text), maxStream-len(s.text))
	s.text = append(s.text, text[:n]...)
	if len(s.text) == maxStream {
		o.flush()
	} else if o.timer == nil {
		o.timer = time.AfterFunc(max(collect, time.Duration(o.shown)*perLine), func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.flush()
		})
	}
	return n
}

func (o *Output) find(name string) *stream {
	for i := range o.streams {
		if o.streams[i].name == name {
			return &o.streams[i]
		}
	}
	o.streams = append(o.streams, stream{name: name})
	return &o.streams[len(o.streams)-1]
}

// flush publishes what was collected, except the beginning of a character whose end has not come.
func (o *Output) flush() {
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	rest := o.streams[:0]
	for _, s := range o.streams {
		whole := len(s.text) - partial(s.text)
		o.publishText(s.name, s.text[:whole])
		if whole < len(s.text) {
			rest = append(rest, stream{s.name, append([]byte(nil), s.text[whole:]...)})
		}
	}
	o.streams = rest
}

// partial returns the length of the beginning of a character at the end of text.
func partial(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if end := text[len(text)-n:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return n
		}
	}
	return 0
}

// publishText publishes text as soon as the front end can take it. When nobody may wait any more, text may be dropped.
func (o *Output) publishText(name string, text []byte) {
	if len(text) == 0 {
		return
	}
	if o.shown > maxLines && o.ctx.Err() == nil {
		o.left.add(name, text)
		return
	}
	units := max(bytes.Count(text, []byte("\n")), len(text)/lineBytes)
	message := o.text(name, string(text))
	if !o.granted(max(size(message), lineBytes*units)) {
		if room := maxAfter - o.after; room < len(text) {
			o.dropped = true
			text = text[:max(0, room)]
			if text = text[:len(text)-partial(text)]; len(text) == 0 {
				return
			}
			message = o.text(name, string(text))
		}
		o.after += len(text)
		o.server.publish(message)
		return
	}
	o.server.publish(message)
	if o.shown += units; o.shown > maxLines {
		o.server.publish(o.text("stderr", fmt.Sprintf(tooLong, maxLines)))
	}
}

// text is a message of text.
func (o *Output) text(stream, text string) [][]byte {
	return o.server.encode(o.request.Header, "stream", map[string]string{"name": stream, "text": text})
}

// granted waits until n bytes may be published, and says whether they may: at the context's end it waits no more.
func (o *Output) granted(n int) bool {
	for {
		wait := o.pace.take(time.Now(), n)
		if wait == 0 {
			return true
		}
		if o.ctx.Err() != nil {
			return false
		}
		select {
		case <-time.After(wait):
		case <-o.ctx.Done():
		}
	}
}

// send publishes a message after the text that was printed before it.
func (o *Output) send(typ string, content any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.flush()
	message := o.server.encode(o.request.Header, typ, content)
	o.granted(paceLeast) // The server counts such messages, and not their bytes.
	o.server.publish(message)
}

// Display shows data, by type of content ("text/html", …). A display with an id can be updated later.
func (o *Output) Display(data, metadata map[string]any, id string, update bool) {
	transient := map[string]any{}
	if id != "" {
		transient["display_id"] = id
	}
	typ := "display_data"
	if update {
		typ = "update_display_data"
	}
	o.send(typ, map[string]any{
		"data": object(data), "metadata": object(metadata), "transient": transient,
	})
}

// Result shows the execution's result.
func (o *Output) Result(data, metadata map[string]any) {
	if !o.silent {
		o.send("execute_result", map[string]any{
			"data": object(data), "metadata": object(metadata), "execution_count": o.count,
		})
	}
}

// Clear removes what the request has shown so far; with wait, when the next thing is shown.
func (o *Output) Clear(wait bool) {
	o.send("clear_output", map[string]any{"wait": wait})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shown, o.left = 0, left{}
}

// object returns m, where nil is the empty object.
func object(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// stdinLimit is how long the front end may take to open its connection for input.
const stdinLimit = 2 * time.Second

// Input asks the person at the front end for a line. The error is ErrNoInput where the request does not allow it, and
// the cause of the context's end where that comes first.
func (o *Output) Input(ctx context.Context, prompt string, password bool) (string, error) {
	if !o.stdin {
		return "", ErrNoInput
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(o.ctx, func() { cancel(context.Cause(o.ctx)) })()
	o.asking.Lock()
	defer o.asking.Unlock()
	o.mu.Lock()
	o.flush() // The prompt comes after what was printed.
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return "", fmt.Errorf("%w: the request has ended", ErrNoInput)
	}
	var to *peer
	for begin := time.Now(); to == nil; {
		if time.Since(begin) > stdinLimit {
			return "", fmt.Errorf("%w: it has no connection for input", ErrNoInput)
		}
		if to = o.server.stdin.named(o.request.from.Identity); to == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return "", err
	}
	id, frames, err := o.server.session.Encode("input_request", o.request.Header, nil,
		map[string]any{"prompt": prompt, "password": password})
	if err != nil {
		return "", err
	}
	answer := o.server.expect(&question{id, o.request.Header.ID, to, make(chan string, 1)})
	defer o.server.expect(nil)
	to.send(frames)
	select {
	case line := <-answer:
		return line, nil
	case <-to.gone:
		return "", errors.New("the front end has gone")
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// close publishes what is left. Nothing is published after it.
func (o *Output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
	for _, s := range o.streams { // The beginning of a character.
		o.publishText(s.name, s.text)
	}
	o.streams = nil
	if o.left.bytes > 0 {
		text := o.left.tail
		if i := bytes.IndexByte(text, '\n'); i >= 0 && len(text) == maxTail {
			text = text[i+1:]
		}
		o.server.publish(o.text("stderr", fmt.Sprintf(leftOut, o.left.lines, o.left.bytes>>10)))
		o.server.publish(o.text(o.left.name, strings.ToValidUTF8(string(text), "\ufffd")))
	}
	if o.dropped {
		o.server.publish(o.text("stderr", dropped))
	}
	o.closed = true
}

// question is one that was asked of the front end.
type question struct {
	id      string // of the message
	request string // the id of the request in whose course it is asked
	to      *peer
	answer  chan string
}

// expect makes q, or nil, the question whose answer is waited for.
func (s *server) expect(q *question) <-chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.question = q
	if q == nil {
		return nil
	}
	return q.answer
}

// input takes an answer, if it is one to the present question. Some front ends do not say what they answer to.
func (s *server) input(p *peer, m wire.Message) {
	r := request{m, p}
	content, err := parse[struct{ Value string }](r)
	if err != nil {
		s.log.Print(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.question
	if q == nil || q.to != p || m.Parent.ID != "" && m.Parent.ID != q.id && m.Parent.ID != q.request {
		return
	}
	s.question = nil
	q.answer <- content.Value
}
