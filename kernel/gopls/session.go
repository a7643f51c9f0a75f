package gopls

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

// session is one connection with gopls, which knows the directory and what is open in it.
type session struct {
	conn    net.Conn
	rpc     *jsonrpc2.Conn
	codec   *codec
	utf8    bool // how gopls counts in a line: bytes, not units of UTF-16
	seen    map[string]stamp
	open    string // the file whose text gopls has been sent, "" if there is none
	text    string
	version int
	awake   bool      // gopls has been told what makes it look for mistakes
	asked   uint64    // the number of the last question
	warm    bool      // the packages of Warm have been read
	proof   chan bool // nil, or says whether gopls is alive
}

func newSession(ctx context.Context, d daemon, dir string) (*session, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, codec: &codec{}}
	quiet := jsonrpc2.SetLogger(log.New(io.Discard, "", 0)) // The codec keeps the reason of an end.
	s.rpc = jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(conn, s.codec), questions{}, quiet)
	if err := s.greet(ctx, dir, d.env); err != nil {
		go func() {
			defer s.end()
			if s.doubt(d.patience); !<-s.proof {
				d.kill() // It accepts connections and greets nobody.
			}
		}()
		return nil, err
	}
	return s, nil
}

// greet introduces the client and its directory, and learns how positions are counted.
func (s *session) greet(ctx context.Context, dir string, env []string) (err error) {
	defer s.bound(ctx)()
	if s.seen, err = scan(dir); err != nil {
		return err
	}
	var reply struct {
		Capabilities struct {
			PositionEncoding string `json:"positionEncoding"`
		} `json:"capabilities"`
	}
	err = s.call(ctx, "initialize", map[string]any{
		"processId":        os.Getpid(),
		"rootUri":          uri(dir),
		"workspaceFolders": []map[string]any{{"uri": uri(dir), "name": "cells"}},
		"capabilities": map[string]any{
			"general":      map[string]any{"positionEncodings": []string{"utf-8", "utf-16"}},
			"textDocument": map[string]any{"hover": map[string]any{"contentFormat": []string{"markdown"}}},
		},
		"initializationOptions": settings(env),
	}, &reply)
	if err != nil {
		return err
	}
	s.utf8 = reply.Capabilities.PositionEncoding == "utf-8"
	return s.notify(ctx, "initialized", struct{}{})
}

// settings are gopls's: names only, and nothing done that nobody asks for.
func settings(env []string) map[string]any {
	goEnv := map[string]string{}
	for _, v := range env {
		if name, value, ok := strings.Cut(v, "="); ok && (strings.HasPrefix(name, "GO") || strings.HasPrefix(name, "CGO_")) {
			goEnv[name] = value
		}
	}
	return map[string]any{
		"env":                            goEnv,
		"completeUnimported":             true, // a cell needs no import lines
		"completionDocumentation":        false,
		"completeFunctionCalls":          false,
		"completionBudget":               "100ms",
		"deepCompletion":                 false,
		"experimentalPostfixCompletions": false,
		"matcher":                        "CaseInsensitive",
		"usePlaceholders":                false,
		"diagnosticsTrigger":             "Save",
		"diagnosticsDelay":               "1s", // see write; a session that has ended lasts as long as it, and so does gopls
		"staticcheck":                    false,
		"semanticTokens":                 false,
		"codelenses":                     map[string]bool{},
		"hoverKind":                      "FullDocumentation",
		"linksInHover":                   false,
		"telemetryPrompt":                false,
	}
}

// call asks for something.
func (s *session) call(ctx context.Context, method string, params, result any) error {
	s.asked++
	err := s.rpc.Call(ctx, method, params, result, jsonrpc2.PickID(jsonrpc2.ID{Num: s.asked}))
	return s.checked(err)
}

func (s *session) notify(ctx context.Context, method string, params any) error {
	return s.checked(s.rpc.Notify(ctx, method, params))
}

// checked is the error of a message that has been sent.
func (s *session) checked(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // A part of the message is out.
		s.end()
	case errors.Is(err, jsonrpc2.ErrClosed):
		return s.lost()
	}
	return err
}

// lost is why the connection is closed.
func (s *session) lost() error {
	<-s.rpc.DisconnectNotify() // It follows the end of the calls.
	return s.codec.reason()
}

// bound ends all writing with the context, for gopls may have stopped reading, until stop is called.
func (s *session) bound(ctx context.Context) (stop func()) {
	s.conn.SetWriteDeadline(time.Time{})
	ended := make(chan struct{})
	in := context.AfterFunc(ctx, func() {
		s.conn.SetWriteDeadline(time.Now())
		close(ended)
	})
	return func() {
		if !in() {
			<-ended
		}
	}
}

func (s *session) end() { s.rpc.Close() }

// ended says whether the connection is no longer there.
func (s *session) ended() bool {
	select {
	case <-s.rpc.DisconnectNotify():
		return true
	default:
		return false
	}
}

// doubt takes back the last question and asks gopls for a sign of life: it answers even what it does not know.
func (s *session) doubt(patience time.Duration) {
	if s.proof != nil {
		return
	}
	proof, last := make(chan bool, 1), s.asked
	s.proof = proof
	s.asked++
	ping := jsonrpc2.PickID(jsonrpc2.ID{Num: s.asked})
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		defer s.bound(ctx)()
		s.rpc.Notify(ctx, "$/cancelRequest", map[string]any{"id": last})
		s.rpc.Call(ctx, "lucigo/alive", struct{}{}, nil, ping)
		proof <- ctx.Err() == nil
	}()
}

// proved says whether gopls is alive, as far as that has been in doubt.
func (s *session) proved(ctx context.Context) (alive bool, err error) {
	if s.proof == nil {
		return true, nil
	}
	select {
	case alive := <-s.proof:
		s.proof = nil
		return alive, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// rescan tells gopls which files have changed on disk.
func (s *session) rescan(ctx context.Context, dir string) error {
	files, err := scan(dir)
	if err != nil {
		return err
	}
	const created, changed, deleted = 1, 2, 3
	type event struct {
		URI  string `json:"uri"`
		Type int    `json:"type"`
	}
	var events []event
	for name, stamp := range files {
		switch old, ok := s.seen[name]; {
		case !ok:
			events = append(events, event{uri(name), created})
		case old != stamp:
			events = append(events, event{uri(name), changed})
		}
	}
	for name := range s.seen {
		if _, ok := files[name]; !ok {
			events = append(events, event{uri(name), deleted})
		}
	}
	s.seen = files
	if len(events) == 0 {
		return nil
	}
	s.awake = true
	return s.notify(ctx, "workspace/didChangeWatchedFiles", map[string]any{"changes": events})
}

// write makes text what file contains, as far as gopls knows, and every other file what it contains on disk.
//
// A file that is opened, and one that changes on disk, make gopls look for mistakes a second later, in all that is
// imported too, which takes it many seconds and half a gigabyte. The kernel compiles cells, and nobody reads what gopls
// finds. A change of an open file calls that off and, as the settings say, starts nothing.
func (s *session) write(ctx context.Context, file, text string) error {
	if s.open != file {
		if err := s.close(ctx); err != nil {
			return err
		}
		s.open, s.text, s.version, s.awake = file, text, s.version+1, true
		if err := s.notify(ctx, "textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri(file), "languageId": "go", "version": s.version, "text": text}}); err != nil {
			return err
		}
	}
	if s.text == text && !s.awake {
		return nil
	}
	s.text, s.version, s.awake = text, s.version+1, false
	return s.notify(ctx, "textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": uri(file), "version": s.version},
		"contentChanges": []map[string]any{{"text": text}}})
}

// close takes back what write said.
func (s *session) close(ctx context.Context) error {
	if s.open == "" {
		return nil
	}
	name := s.open
	s.open, s.text = "", ""
	return s.notify(ctx, "textDocument/didClose", map[string]any{"textDocument": document{uri(name)}})
}

// questions answers what gopls asks, the way a client does that has no settings but those of its greeting, shows
// nothing and edits nothing.
type questions struct{}

func (questions) Handle(ctx context.Context, conn *jsonrpc2.Conn, r *jsonrpc2.Request) {
	if r.Notif {
		return
	}
	switch r.Method {
	case "workspace/configuration":
		var params struct {
			Items []struct{} `json:"items"`
		}
		if r.Params != nil {
			json.Unmarshal(*r.Params, &params)
		}
		conn.Reply(ctx, r.ID, make([]any, len(params.Items)))
	case "workspace/applyEdit":
		conn.Reply(ctx, r.ID, map[string]any{"applied": false})
	case "window/showDocument":
		conn.Reply(ctx, r.ID, map[string]any{"success": false})
	case "client/registerCapability", "client/unregisterCapability", "window/workDoneProgress/create",
		"window/showMessageRequest", "workspace/workspaceFolders", "workspace/codeLens/refresh",
		"workspace/diagnostic/refresh", "workspace/inlayHint/refresh", "workspace/semanticTokens/refresh":
		conn.Reply(ctx, r.ID, nil)
	default:
		conn.ReplyWithError(ctx, r.ID, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: r.Method + " is unknown"})
	}
}

// maxMessage is the most bytes that a message of gopls may have.
const maxMessage = 32 << 20

// codec frames messages as the protocol of language servers does, with a bound on what it reads, and keeps why reading
// ended.
type codec struct {
	jsonrpc2.VSCodeObjectCodec
	mu  sync.Mutex
	err error
}

// ReadObject reads one message.
func (c *codec) ReadObject(r *bufio.Reader, v any) error {
	err := readMessage(r, v)
	if err != nil {
		c.mu.Lock()
		c.err = err
		c.mu.Unlock()
	}
	return err
}

// reason is why the connection ended.
func (c *codec) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil || c.err == io.EOF || errors.Is(c.err, net.ErrClosed) || errors.Is(c.err, io.ErrUnexpectedEOF) {
		return errors.New("it ended while it was asked")
	}
	return fmt.Errorf("it sent what is no message: %w", c.err)
}

// readMessage reads header lines, an empty line, and as many bytes of JSON as the header says.
func readMessage(r *bufio.Reader, v any) error {
	length := -1
	for range 16 {
		line, err := r.ReadSlice('\n') // at most as long as the reader's buffer
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch {
		case name == "" && length < 0:
			return errors.New("Content-Length, none, must be there")
		case name == "":
			body, err := io.ReadAll(io.LimitReader(r, int64(length))) // It grows with what comes.
			if err == nil && len(body) < length {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return err
			}
			return json.Unmarshal(body, v)
		case strings.EqualFold(name, "Content-Length"):
			length, err = strconv.Atoi(strings.TrimSpace(value))
			if err != nil || length < 0 || length > maxMessage {
				return fmt.Errorf("Content-Length, %.20q, must be a number from 0 to %d", value, maxMessage)
			}
		}
	}
	return errors.New("header, more than 15 lines, must end")
}
