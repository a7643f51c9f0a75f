package gopls

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/sourcegraph/jsonrpc2"
)

const cell = "package main\n\nfunc works() {}\n"

// What is asked about is an overlay, only the last one is, and what has changed on disk is known.
func TestLawOneOverlay(t *testing.T) {
	c, dir := started(t, "works")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	address := func(name string) string { return uri(c.path(name)) }
	write("old.go", "package main")
	write("note.txt", "text")
	r := recorded(t, c, "a.go", cell, 3)
	if want := map[string]string{address("a.go"): cell}; !reflect.DeepEqual(r.Texts, want) {
		t.Errorf("open: %q, want %q", r.Texts, want)
	}
	if want := map[string]int{"old.go": 1}; !maps.Equal(r.Changed, want) {
		t.Errorf("changed: %v, want %v", r.Changed, want)
	}
	write("old.go", "package main // longer")
	r = recorded(t, c, filepath.Join(dir, "a.go"), cell+"// more", 3)
	write("old.go", "package main // longer still")
	if same := recorded(t, c, "a.go", cell+"// more", 3); same.Last != "textDocument/didChange" {
		t.Errorf("the last notification after a change on disk is %s", same.Last)
	}
	if r.Texts[address("a.go")] != cell+"// more" || r.Changed["old.go"] != 2 {
		t.Errorf("after a change: %v", r)
	}
	if err := os.Remove(filepath.Join(dir, "old.go")); err != nil {
		t.Fatal(err)
	}
	r = recorded(t, c, "b c.go", cell, 3)
	if r.Last != "textDocument/didChange" { // Otherwise gopls looks for mistakes everywhere.
		t.Errorf("the last notification is %s", r.Last)
	}
	if want := map[string]string{address("b c.go"): cell}; !reflect.DeepEqual(r.Texts, want) || r.Changed["old.go"] != 3 {
		t.Errorf("after another file: %v", r)
	}
	if err := c.Forget(t.Context(), "b c.go"); err != nil {
		t.Fatal(err)
	}
	if err := c.ask(t.Context(), func(_ context.Context, s *session) error {
		if s.open != "" {
			t.Errorf("%q is open after Forget", s.open)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Positions arrive as the server counts, and come back as bytes, with imports inserted and without.
func TestPositions(t *testing.T) {
	text := "package main // works é\n\nvar 日本 = \"𝐚é\" + x\n"
	for mode, column := range map[string]int{"utf-16": 17, "utf-8": 24} {
		c, _ := started(t, mode)
		for _, imports := range [][]string{nil, {"fmt", "lucigo/notebooks/show"}} {
			c.imports = imports
			r := recorded(t, c, "a.go", text, strings.Index(text, "x\n"))
			if want := (position{2, column}); r.At != want {
				t.Errorf("%s, imports %q: at %v, want %v", mode, imports, r.At, want)
			}
			for offset := range len(text) + 1 {
				if offset < len(text) && text[offset]&0xc0 == 0x80 {
					continue // within a rune
				}
				done, err := c.Complete(t.Context(), "a.go", text, offset)
				if err != nil || done.Start != offset || done.End != offset {
					t.Fatalf("%s, imports %q: %d-%d at %d, %v", mode, imports, done.Start, done.End, offset, err)
				}
			}
		}
	}
}

// What gopls asks is answered, and the question that it holds up for that as well.
func TestQuestionsAreAnswered(t *testing.T) {
	c, _ := started(t, "asks")
	r := recorded(t, c, "a.go", "package main", 12)
	want := map[string]string{
		"workspace/configuration":        "[null,null]",
		"client/registerCapability":      "null",
		"client/unregisterCapability":    "null",
		"window/workDoneProgress/create": "null",
		"window/showMessageRequest":      "null",
		"window/showDocument":            `{"success":false}`,
		"workspace/applyEdit":            `{"applied":false}`,
		"workspace/workspaceFolders":     "null",
		"workspace/nonesuch":             "jsonrpc2: code -32601 message: workspace/nonesuch is unknown",
	}
	if !maps.Equal(r.Answers, want) {
		t.Errorf("answers: %q\nwant: %q", r.Answers, want)
	}
}

// A server that dies, or sends what is no message, is an error at once, and the next question starts another one or
// another connection.
func TestRestart(t *testing.T) {
	for mode, reason := range map[string]string{
		"dies": "it ended", "garbage": "no message", "huge": "no message: Content-Length", "endless": "no message",
	} {
		t.Run(mode, func(t *testing.T) {
			c, _ := started(t, mode)
			before := recorded(t, c, "a.go", cell, 3)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := c.Complete(ctx, "a.go", "package main", 3); err == nil || !strings.Contains(err.Error(), reason) || ctx.Err() != nil {
				t.Errorf("error %v, want %q", err, reason)
			}
			after := recorded(t, c, "b.go", cell, 3)
			if mode == "dies" && before.Process == after.Process {
				t.Error("the process that died answers")
			}
		})
	}
}

// A server that hangs is an error when the context ends, and another one answers later; one that is only slow stays.
func TestHangs(t *testing.T) {
	for _, mode := range []string{"hangs", "slow"} {
		t.Run(mode, func(t *testing.T) {
			c, _ := started(t, mode)
			before := recorded(t, c, "a.go", cell, 3)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if _, err := c.Complete(ctx, "a.go", "package main", 3); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			after := recorded(t, c, "a.go", cell, 3)
			if same := before.Process == after.Process; same != (mode == "slow") {
				t.Errorf("the same process: %v", same)
			}
			if mode == "hangs" && syscall.Kill(before.Process, 0) == nil {
				waitFor(t, "the process that hangs to end", func() bool { return syscall.Kill(before.Process, 0) != nil })
			}
		})
	}
}

// A text that the server does not read, because it hangs, does not keep the client longer than its context.
func TestWritingEndsWithTheContext(t *testing.T) {
	c, _ := started(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.Complete(ctx, "a.go", "package main", 3)
	begin := time.Now()
	c.session.proof = nil // It has not been noticed yet.
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	big := "package main // " + strings.Repeat("x", 3<<20)
	if _, err := c.Complete(ctx, "a.go", big, 3); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// One that accepts connections and says nothing is an error, and is replaced.
func TestMute(t *testing.T) {
	d, dir := fakeDaemon(t, "mute")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if c, err := d.join(ctx, dir); c != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, %v", c, err)
	}
	d.env = append(d.env, envFake+"=works")
	waitFor(t, "another one", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		c, err := d.join(ctx, dir)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// A program that ends before it listens is an error that says why, and is not started for ever.
func TestEnds(t *testing.T) {
	d, dir := fakeDaemon(t, "ends")
	if _, err := d.join(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "exit status 3: the disk is full") {
		t.Errorf("error %v", err)
	}
	c, _ := started(t, "dies")
	for range startsPerMinute {
		c.Complete(t.Context(), "a.go", "package main", 3)
	}
	if _, err := c.Complete(t.Context(), "a.go", "package main", 3); err == nil || !strings.Contains(err.Error(), "within a minute") {
		t.Errorf("error %v", err)
	}
}

func TestAnswers(t *testing.T) {
	c, _ := started(t, "null")
	if done, err := c.Complete(t.Context(), "a.go", "package main", 3); err != nil || len(done.Items) != 0 {
		t.Errorf("null: %v, %v", done, err)
	}
	c, _ = started(t, "big")
	if done, err := c.Complete(t.Context(), "a.go", "package main", 3); err != nil || len(done.Items) != 1 || len(done.Items[0].Detail) != 8<<20 {
		t.Errorf("big: %d items, %v", len(done.Items), err)
	}
	for name, ask := range map[string]func() error{
		`file, "a.txt", must end in .go`:                   func() error { _, err := c.Complete(t.Context(), "a.txt", cell, 0); return err },
		"offset, 99, must be within the 30 bytes":          func() error { _, err := c.Complete(t.Context(), "a.go", cell, 99); return err },
		"offset, -1, must be within the 30 bytes":          func() error { _, err := c.Hover(t.Context(), "a.go", cell, -1); return err },
		"text, some bytes, must be UTF-8":                  func() error { _, err := c.Hover(t.Context(), "a.go", "\xff", 0); return err },
		"text, 5000000 bytes, must have at most 4194304":   func() error { _, err := c.Hover(t.Context(), "a.go", strings.Repeat("x", 5e6), 0); return err },
		"gopls: fork/exec /nonesuch: no such file or dire": func() error { _, err := Start(t.Context(), "/nonesuch", ".", nil); return err },
	} {
		if err := ask(); err == nil || !strings.HasPrefix(err.Error(), "gopls: ") || !strings.Contains(err.Error(), strings.TrimPrefix(name, "gopls: fork/exec ")) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	c, _ = started(t, "more")
	done, err := c.Complete(t.Context(), "a.go", cell, 3)
	var names []string
	for _, item := range done.Items {
		names = append(names, item.Text)
		if item.Kind != "function" {
			t.Errorf("kind %q", item.Kind)
		}
	}
	if want := []string{"first", "record", "call"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
	// What has no package clause, and the path of an import, are not asked about: the server here would answer.
	c, _ = started(t, "works")
	for _, text := range []string{"|", "\n|", "// a|", "package|", "package main\nimport \"fm|\"", "package main\nimport \"fm|\nfunc", "package main\nimport (\"a\"\nx \"b/|c\")"} {
		before, after, _ := strings.Cut(text, "|")
		if done, err := c.Complete(t.Context(), "a.go", before+after, len(before)); err != nil || len(done.Items) != 0 || done.Start != len(before) {
			t.Errorf("%q: %v, %v", text, done, err)
		}
	}
	if done, err := c.Complete(t.Context(), "a.go", "package main\nimport \"fmt\"; ", 27); err != nil || len(done.Items) != 1 {
		t.Errorf("after an import: %v, %v", done, err)
	}
}

// Many may ask at once, and each gets its own answer; Close ends them all.
func TestConcurrentQuestions(t *testing.T) {
	c, _ := started(t, "slow")
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			name := strconv.Itoa(i) + ".go"
			if r := recorded(t, c, name, cell, i); !strings.HasSuffix(slices.Collect(maps.Keys(r.Texts))[0], "/"+name) {
				t.Errorf("%s: %v", name, r.Texts)
			}
		})
	}
	wait.Wait()
	for range 3 {
		wait.Go(func() {
			if _, err := c.Complete(t.Context(), "a.go", "package main", 3); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("error %v", err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	begin := time.Now()
	c.Close()
	wait.Wait()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Kernels that start at the same time share one process, which outlives each of them and ends after the last.
func TestOneProcess(t *testing.T) {
	d, dir := fakeDaemon(t, "works")
	clients := make([]*Client, 8)
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			var err error
			if clients[i], err = d.join(t.Context(), dir); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	processes := map[int]bool{}
	for _, c := range clients {
		if c == nil {
			t.FailNow()
		}
		processes[recorded(t, c, "a.go", cell, 3).Process] = true
	}
	if len(processes) != 1 {
		t.Fatalf("%d processes", len(processes))
	}
	process := slices.Collect(maps.Keys(processes))[0]
	for _, c := range clients[1:] {
		c.Close()
	}
	time.Sleep(2 * d.idle)
	if again := recorded(t, clients[0], "a.go", cell, 3).Process; again != process {
		t.Errorf("process %d became %d while it was used", process, again)
	}
	clients[0].Close()
	waitFor(t, "it to end", func() bool { return syscall.Kill(process, 0) != nil })
}

// A kernel that is killed leaves no process either.
func TestKilledClient(t *testing.T) {
	program := os.Args[0]
	if p := os.Getenv("LUCIGO_GOPLS"); p != "" {
		program = p
	}
	_, dir := fakeDaemon(t, "works") // Its directory of sockets is the client's.
	d, err := newDaemon(program, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := exec.Command(os.Args[0], program, dir)
	client.Env = append(os.Environ(), envFake+"=client")
	client.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer client.Process.Kill()
	defer d.kill()
	var process int
	waitFor(t, "it to start", func() bool {
		b, _ := os.ReadFile(d.files + ".lock")
		process, _ = strconv.Atoi(string(b))
		return process > 0
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "asked <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	syscall.Kill(-client.Process.Pid, syscall.SIGKILL)
	client.Wait()
	if syscall.Kill(process, 0) != nil {
		t.Fatal("it was in the client's group, whose interrupts it would get")
	}
	waitFor(t, "it to end", func() bool { return syscall.Kill(process, 0) != nil })
	if _, err := os.Stat(d.files + ".socket"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its socket: %v", err)
	}
}

// Files that a killed process leaves, and a lost socket, keep nobody from starting.
func TestRemains(t *testing.T) {
	c, _ := started(t, "works")
	first := recorded(t, c, "a.go", cell, 3).Process
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end to be noticed", func() bool {
		c.turn <- struct{}{}
		defer func() { <-c.turn }()
		return c.session.ended()
	})
	second := recorded(t, c, "a.go", cell, 3).Process
	if first == second {
		t.Error("the dead process answers")
	}
	if err := os.Remove(c.daemon.files + ".socket"); err != nil {
		t.Fatal(err)
	}
	other, err := c.daemon.join(t.Context(), c.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if third := recorded(t, other, "a.go", cell, 3).Process; third == second {
		t.Error("the process without a socket answers")
	}
}

// A directory that somebody else could write is not used.
func TestForeignDirectory(t *testing.T) {
	d, _ := fakeDaemon(t, "works")
	if err := os.Chmod(filepath.Dir(d.files), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := newDaemon(os.Args[0], nil); err == nil || !strings.Contains(err.Error(), "must be this user's alone") {
		t.Errorf("error %v", err)
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("no longer waited for " + what)
		}
	}
}

func TestURI(t *testing.T) {
	for _, file := range []string{"/a/b.go", "/a b/é%.go", "/a?#:/b.go"} {
		u, err := url.Parse(uri(file))
		if err != nil || u.Path != file || u.Scheme != "file" {
			t.Errorf("%q: %v, %v", uri(file), u, err)
		}
	}
}

// A place is found again, and is what the conversion of the whole line to UTF-16 says.
func FuzzPositions(f *testing.F) {
	f.Add("package main\n\nvar 日本 = \"𝐚é\"\r\n", uint(20))
	f.Add("", uint(0))
	f.Add("\n\n", uint(2))
	f.Fuzz(func(t *testing.T, text string, at uint) {
		text = strings.ToValidUTF8(text, "?")
		offset := int(at % uint(len(text)+1))
		for offset < len(text) && text[offset]&0xc0 == 0x80 {
			offset++
		}
		lines := strings.Split(text[:offset], "\n")
		last := lines[len(lines)-1]
		if p, want := positionOf(text, offset, false), (position{len(lines) - 1, len(utf16.Encode([]rune(last)))}); p != want {
			t.Errorf("%q, %d: %v, want %v", text, offset, p, want)
		}
		for _, bytes := range []bool{false, true} {
			if back := offsetOf(text, positionOf(text, offset, bytes), bytes); back != offset {
				t.Errorf("%q: %d became %d", text, offset, back)
			}
		}
		if end := offsetOf(text, position{int(at % 7), 1 << 30}, at%2 == 0); end > len(text) {
			t.Errorf("%q: %d", text, end)
		}
	})
}

// Inserted imports change no line, and places survive them.
func FuzzInsertion(f *testing.F) {
	f.Add("package main\nimport \"fmt\"\n", uint(15))
	f.Add("// a\npackage /* é */ main; import (`a`; b \"c", uint(9))
	f.Add("package", uint(7))
	f.Add("package a\nimport", uint(16))
	f.Fuzz(func(t *testing.T, text string, at uint) {
		offset := int(at % uint(len(text)+1))
		s := withImports(text, []string{"fmt", "a/b"})
		if back := s.here(s.there(offset)); back != offset {
			t.Errorf("%q: %d became %d", text, offset, back)
		}
		if strings.Count(s.text, "\n") != strings.Count(text, "\n") || len(s.text)-s.insertedBy != len(text) {
			t.Errorf("%q became %q", text, s.text)
		}
		for _, p := range s.paths {
			if p[0] < 0 || p[0] > p[1] || p[1] > len(text) {
				t.Errorf("%q: path at %v", text, p)
			}
		}
		if call := beforeCall(text, offset); call < 0 || call > offset {
			t.Errorf("%q: %d became %d", text, offset, call)
		}
	})
}

// What is written can be read, and nothing else makes the reader fail in another way than with an error.
func FuzzReadMessage(f *testing.F) {
	f.Add("Content-Length: 2\r\n\r\n{}")
	f.Add("Content-Type: a\ncontent-length:2\n\n[]")
	f.Add("Content-Length: 33554433\r\n\r\n{}")
	f.Add("\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		var v any
		readMessage(reader(text), &v)
		var b bytes.Buffer
		want := map[string]any{"a": strings.ToValidUTF8(text, "?")}
		if err := (jsonrpc2.VSCodeObjectCodec{}).WriteObject(&b, want); err != nil {
			t.Fatal(err)
		}
		b.WriteString(text)
		if err := readMessage(reader(b.String()), &v); err != nil || !reflect.DeepEqual(v, any(want)) {
			t.Errorf("%v, %v, want %v", v, err, want)
		}
	})
}
