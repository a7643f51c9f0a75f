package gopls

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/jsonrpc2"
)

// envFake turns the test program into a server that misbehaves as the variable says, or into a client that waits.
const envFake = "LUCIGO_FAKE_GOPLS"

func TestMain(m *testing.M) {
	mode := os.Getenv(envFake)
	switch {
	case mode == "client":
		c, err := Start(context.Background(), os.Args[1], os.Args[2], append(os.Environ(), envFake+"=works"))
		if err == nil {
			os.WriteFile(filepath.Join(os.Args[2], "new.go"), []byte("package main\n"), 0o666)
			_, err = c.Complete(context.Background(), "cell.go", cell, len(cell))
		}
		fmt.Println("asked", err)
		time.Sleep(time.Hour)
	case mode != "" && len(os.Args) > 1 && os.Args[1] == "serve":
		flags := flag.NewFlagSet("serve", flag.ExitOnError)
		listen := flags.String("listen", "", "")
		idle := flags.Duration("listen.timeout", 0, "")
		flags.Parse(os.Args[2:])
		fake{mode: mode}.serve(strings.TrimPrefix(*listen, "unix;"), *idle)
	default:
		os.Exit(m.Run())
	}
}

// fake is a language server that answers a request for completions with what it knows: an item whose detail is its
// record in JSON. A request whose text contains "works" is always answered.
type fake struct{ mode string }

type record struct {
	Process int
	Texts   map[string]string
	Changed map[string]int // the last kind of change of a file on disk
	At      position
	Last    string // the method before the request
	Answers map[string]string
}

func (f fake) serve(socket string, idle time.Duration) {
	if f.mode == "ends" {
		fmt.Fprintln(os.Stderr, "first line\nthe disk is full")
		os.Exit(3)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var connections atomic.Int64
	timer := time.AfterFunc(idle, func() {
		os.Remove(socket)
		os.Exit(0)
	})
	for {
		conn, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		if f.mode == "mute" {
			continue
		}
		timer.Stop()
		connections.Add(1)
		s := &server{fake: f, raw: conn, record: record{Process: os.Getpid(), Texts: map[string]string{}, Changed: map[string]int{}}}
		rpc := jsonrpc2.NewConn(context.Background(), jsonrpc2.NewBufferedStream(conn, jsonrpc2.VSCodeObjectCodec{}), s)
		go func() {
			<-rpc.DisconnectNotify()
			if connections.Add(-1) == 0 {
				timer.Reset(idle)
			}
		}()
	}
}

type server struct {
	fake
	raw    net.Conn
	record record
}

func (s *server) Handle(ctx context.Context, conn *jsonrpc2.Conn, r *jsonrpc2.Request) {
	var params struct {
		Document struct {
			URI  string `json:"uri"`
			Text string `json:"text"`
		} `json:"textDocument"`
		Position position `json:"position"`
		Changes  []struct {
			URI  string `json:"uri"`
			Type int    `json:"type"`
		} `json:"changes"`
		Content []struct {
			Text string `json:"text"`
		} `json:"contentChanges"`
	}
	if r.Params != nil {
		json.Unmarshal(*r.Params, &params)
	}
	uri := params.Document.URI
	last := s.record.Last
	s.record.Last = r.Method
	switch r.Method {
	case "initialize":
		encoding := "utf-16"
		if s.mode == "utf-8" {
			encoding = "utf-8"
		}
		conn.Reply(ctx, r.ID, map[string]any{"capabilities": map[string]any{"positionEncoding": encoding}})
	case "textDocument/didOpen":
		s.record.Texts[uri] = params.Document.Text
	case "textDocument/didChange":
		s.record.Texts[uri] = params.Content[0].Text
	case "textDocument/didClose":
		delete(s.record.Texts, uri)
	case "workspace/didChangeWatchedFiles":
		for _, c := range params.Changes {
			s.record.Changed[c.URI[strings.LastIndex(c.URI, "/")+1:]] = c.Type
		}
	case "textDocument/hover":
		conn.Reply(ctx, r.ID, nil)
	case "textDocument/completion":
		s.record.At, s.record.Last = params.Position, last
		s.complete(ctx, conn, r, strings.Contains(s.record.Texts[uri], "works"))
	default:
		if !r.Notif {
			conn.ReplyWithError(ctx, r.ID, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: "unknown"})
		}
	}
}

func (s *server) complete(ctx context.Context, conn *jsonrpc2.Conn, r *jsonrpc2.Request, works bool) {
	answer := func() {
		detail, _ := json.Marshal(s.record)
		at := s.record.At
		item := func(label, text string, format int, sort string) map[string]any {
			return map[string]any{"label": label, "kind": 3, "detail": string(detail), "insertTextFormat": format, "sortText": sort,
				"textEdit": map[string]any{"newText": text, "range": map[string]any{"start": at, "end": at}}}
		}
		items := []map[string]any{item("record", "record", 1, "2")}
		if s.mode == "more" { // The same again, with an operator, one with places to fill in, an expression, one that comes first.
			items = append(items, item("record", "record", 1, "3"), item("record", "*record", 1, "4"), item("s", "s($1)", 2, "5"),
				item("call", "call(x...)", 1, "6"), item("a b", "a b", 1, "7"), item("first", "&first", 1, "1"))
		}
		conn.Reply(ctx, r.ID, items)
	}
	if works {
		answer()
		return
	}
	switch s.mode {
	case "dies":
		os.Exit(3)
	case "hangs":
		time.Sleep(time.Hour) // Nothing is read any more.
	case "slow": // It never answers, but is alive.
	case "garbage":
		s.raw.Write([]byte("Content-Length: 7\r\n\r\nnot {} \r\n"))
	case "huge":
		s.raw.Write([]byte("Content-Length: 4000000000\r\n\r\n{"))
	case "endless":
		for {
			if _, err := s.raw.Write([]byte(strings.Repeat("x", 1<<16))); err != nil {
				return
			}
		}
	case "big":
		detail := strings.Repeat("é", 4<<20)
		conn.Reply(ctx, r.ID, map[string]any{"items": []map[string]any{{"label": "big", "kind": 3, "detail": detail,
			"textEdit": map[string]any{"newText": "big", "range": map[string]any{"start": s.record.At, "end": s.record.At}}}}})
	case "null":
		conn.Reply(ctx, r.ID, nil)
	case "asks":
		go func() { // The answers are read by the loop that this function holds up.
			s.record.Answers = map[string]string{}
			for method, params := range map[string]any{
				"workspace/configuration":        map[string]any{"items": []any{map[string]any{"section": "gopls"}, map[string]any{}}},
				"client/registerCapability":      map[string]any{"registrations": []any{}},
				"client/unregisterCapability":    map[string]any{},
				"window/workDoneProgress/create": map[string]any{"token": "t"},
				"window/showMessageRequest":      map[string]any{"message": "Telemetry?", "actions": []any{}},
				"window/showDocument":            map[string]any{"uri": "https://go.dev"},
				"workspace/applyEdit":            map[string]any{"edit": map[string]any{}},
				"workspace/workspaceFolders":     nil,
				"workspace/nonesuch":             nil,
			} {
				var reply json.RawMessage
				err := conn.Call(ctx, method, params, &reply)
				s.record.Answers[method] = string(reply)
				if err != nil {
					s.record.Answers[method] = err.Error()
				}
				conn.Notify(ctx, "window/logMessage", map[string]any{"type": 3, "message": "asked"})
			}
			answer()
		}()
	default:
		answer()
	}
}

// started starts a client of a fake server in the mode, in a directory of its own, with short times.
func started(t *testing.T, mode string) (*Client, string) {
	t.Helper()
	d, dir := fakeDaemon(t, mode)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := d.join(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, dir
}

func fakeDaemon(t *testing.T, mode string) (daemon, string) {
	t.Helper()
	tmp, err := os.MkdirTemp("", "") // t.TempDir's names are too long for a socket.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	t.Setenv("TMPDIR", tmp)
	d, err := newDaemon(os.Args[0], append(os.Environ(), envFake+"="+mode))
	if err != nil {
		t.Fatal(err)
	}
	d.idle, d.patience = 300*time.Millisecond, 500*time.Millisecond
	t.Cleanup(d.kill)
	return d, t.TempDir()
}

// recorded asks c and returns what the fake server knows then.
func recorded(t *testing.T, c *Client, file, text string, offset int) record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done, err := c.Complete(ctx, file, text, offset)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Items) != 1 {
		t.Fatalf("%d items", len(done.Items))
	}
	var r record
	if err := json.Unmarshal([]byte(done.Items[0].Detail), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func reader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }
