// Package gopls asks gopls, the language server of Go, what could be written at a place in a file and what a name means.
//
// It is made for a directory of Go files that changes all the time: a notebook's program, with a file for each cell.
// What is being typed is sent along with each question; what has changed on disk is found out before it.
//
// One gopls serves all programs of a user on a machine. It is started by the first of them, and ends soon after the
// last, however that one ends.
package gopls

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// Client asks gopls about the files of one directory. It is safe for concurrent use and answers one question at a time.
type Client struct {
	daemon  daemon
	dir     string        // absolute, without symbolic links
	turn    chan struct{} // holds a value while a question is asked
	session *session      // nil before the first connection, and after a lost one
	starts  []time.Time   // the last connections, oldest first
	imports []string      // what is imported in every text that is sent
	life    context.Context
	close   context.CancelFunc // of life
}

// Completion is what could be written at a place.
type Completion struct {
	Start, End int // the bytes of the text that an item replaces
	Items      []Item
}

// Item is a name that could be written at a place.
type Item struct {
	Text   string
	Kind   string // "function", "struct", "module" and the like; "" if gopls does not say
	Detail string // its type, or the path of a package
}

// A connection is made this many times a minute at most, so that a gopls that ends at once is not started for ever.
const startsPerMinute = 4

// Start starts gopls, which is the file program, or joins the one that runs, for the module in the directory dir. The
// variables of env are gopls's environment if it starts; those of them that Go's own commands read hold for dir alone.
func Start(ctx context.Context, program, dir string, env []string) (*Client, error) {
	d, err := newDaemon(program, env)
	if err != nil {
		return nil, fmt.Errorf("gopls: %w", err)
	}
	return d.join(ctx, dir)
}

// join is Start for a given daemon.
func (d daemon) join(ctx context.Context, dir string) (*Client, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("gopls: %w", err)
	}
	c := &Client{daemon: d, dir: dir, turn: make(chan struct{}, 1)}
	c.life, c.close = context.WithCancel(context.Background())
	if err := c.ask(ctx, func(context.Context, *session) error { return nil }); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Complete says what could be written at the byte offset of text. The file of that name in the directory is taken to
// contain text; all others are as they are on disk. There is nothing in a text without a package clause, and in the
// path of an import, which gopls would search for in vain.
func (c *Client) Complete(ctx context.Context, file, text string, offset int) (Completion, error) {
	var done Completion
	err := c.ask(ctx, func(ctx context.Context, s *session) error {
		t, err := c.text(file, text)
		if err == nil {
			done, err = s.complete(ctx, t, offset)
		}
		return err
	})
	return done, err
}

// Hover describes what stands at the byte offset of text, in Markdown; "" if there is nothing to say. After an opening
// parenthesis it is what is called there. File and text are as those of Complete.
func (c *Client) Hover(ctx context.Context, file, text string, offset int) (markdown string, err error) {
	err = c.ask(ctx, func(ctx context.Context, s *session) error {
		t, err := c.text(file, text)
		if err == nil {
			markdown, err = s.hover(ctx, t, offset)
		}
		return err
	})
	return markdown, err
}

// Warm makes gopls read these packages and what has changed on disk, so that later questions are answered at once. It
// returns when that is done. The questions should be about file; gopls has to look for the packages of each other one
// anew.
//
// From then on each text that gopls gets imports these packages besides its own imports, to no effect but that. For
// where an import is added, gopls has the go command look for packages before it answers.
func (c *Client) Warm(ctx context.Context, file string, imports []string) error {
	return c.ask(ctx, func(ctx context.Context, s *session) error {
		c.imports = imports
		var head strings.Builder
		head.WriteString("package main\n\n")
		for i, path := range imports {
			fmt.Fprintf(&head, "import p%d %q\n", i, path)
		}
		head.WriteString("\nfunc _() {\n\t")
		// A package that is not imported is looked for in all that there are, which need to be listed once.
		names := []string{"nowhere"}
		for i := range imports {
			names = append(names, fmt.Sprintf("p%d", i))
		}
		for _, name := range names {
			before := head.String() + name + "."
			t, err := c.text(file, before+"\n}\n")
			if err != nil {
				return err
			}
			done, err := s.complete(ctx, t, len(before))
			if err != nil || s.warm {
				return err
			}
			if len(done.Items) == 0 {
				continue
			}
			before += done.Items[0].Text // The types are read for the one, the source for the other.
			if t, err = c.text(file, before+"\n}\n"); err != nil {
				return err
			}
			if _, err = s.hover(ctx, t, len(before)); err != nil {
				return err
			}
		}
		s.warm = true
		return nil
	})
}

// Forget takes back what a question said that file contains: from now on it contains what it does on disk, if it is
// there at all. A question about another file does the same.
func (c *Client) Forget(ctx context.Context, file string) error {
	return c.ask(ctx, func(ctx context.Context, s *session) error {
		if s.open == c.path(file) {
			return s.close(ctx)
		}
		return nil
	})
}

// Close ends the connection, and a question that is being asked. Gopls ends by itself when it has had no connection for
// some seconds.
func (c *Client) Close() error {
	c.close()
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.drop()
	return nil
}

func (c *Client) path(file string) string { return filepath.Join(c.dir, filepath.Base(file)) }

// text is what gopls gets of a file that contains text.
func (c *Client) text(file, text string) (sent, error) {
	switch {
	case filepath.Ext(file) != ".go":
		return sent{}, fmt.Errorf("file, %q, must end in .go", file)
	case len(text) > maxMessage/8:
		return sent{}, fmt.Errorf("text, %d bytes, must have at most %d", len(text), maxMessage/8)
	case !utf8.ValidString(text):
		return sent{}, errors.New("text, some bytes, must be UTF-8")
	}
	t := withImports(text, c.imports)
	t.file = c.path(file)
	return t, nil
}

// ask asks a question when it is its turn, over a connection that is there then.
func (c *Client) ask(ctx context.Context, question func(context.Context, *session) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.life, func() { cancel(fs.ErrClosed) })()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return fmt.Errorf("gopls: %w", context.Cause(ctx))
	}
	err := c.connect(ctx)
	if err == nil {
		stop := c.session.bound(ctx)
		if err = c.session.rescan(ctx, c.dir); err == nil {
			err = question(ctx, c.session)
		}
		stop()
		c.settle(ctx)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // Whatever failed, failed because of this.
		err = context.Cause(ctx)
	}
	return fmt.Errorf("gopls: %w", err)
}

// settle looks after a session that has been asked something: one that has ended is dropped, and one that was too slow
// has to prove that it is alive before it is asked again.
func (c *Client) settle(ctx context.Context) {
	switch {
	case c.session.ended():
		c.drop()
	case ctx.Err() != nil:
		c.session.doubt(c.daemon.patience)
	}
}

// connect makes a connection unless there is one that works.
func (c *Client) connect(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.session != nil {
		alive, err := c.session.proved(ctx)
		if err != nil || alive && !c.session.ended() {
			return err
		}
		if !alive && !c.session.ended() {
			c.daemon.kill() // It hangs, for everybody.
		}
		c.drop()
	}
	now := time.Now()
	for len(c.starts) > 0 && now.Sub(c.starts[0]) > time.Minute {
		c.starts = c.starts[1:]
	}
	if len(c.starts) >= startsPerMinute {
		return fmt.Errorf("it has ended %d times within a minute; it is started again in %v", len(c.starts),
			time.Until(c.starts[0].Add(time.Minute)).Round(time.Second))
	}
	c.starts = append(c.starts, now)
	var err error
	for range 2 { // One that was about to end may have been the first.
		if c.session, err = newSession(ctx, c.daemon, c.dir); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (c *Client) drop() {
	if c.session != nil {
		c.session.end()
		c.session = nil
	}
}

// stamp is how a file's change is noticed.
type stamp struct {
	modified time.Time
	size     int64
}

// scan is the state of the files in dir that gopls reads.
func scan(dir string) (map[string]stamp, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]stamp{}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".go", ".mod", ".sum":
			if info, err := e.Info(); err == nil { // Otherwise it has been removed meanwhile.
				files[filepath.Join(dir, e.Name())] = stamp{info.ModTime(), info.Size()}
			}
		}
	}
	return files, nil
}
