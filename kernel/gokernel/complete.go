//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lucigo/kernel/gopls"
	"lucigo/kernel/serve"
	"lucigo/kernel/session"
)

// patience is how long a front end waits for gopls before it gets the names that the kernel knows by itself.
const patience = 2 * time.Second

// warmed are the packages that gopls reads before it is asked.
var warmed = []string{"bytes", "cmp", "context", "errors", "flag", "fmt", "image", "image/color", "image/png", "io",
	"iter", "log", "maps", "math", "math/rand/v2", "os", "path/filepath", "regexp", "slices", "sort", "strconv", "strings",
	"sync", "testing", "time", "lucigo/interp", "lucigo/interp/saliency", "lucigo/interp/objective", "lucigo/interp/featvis",
	"lucigo/interp/dream", "lucigo/interp/exemplar", "lucigo/models", "lucigo/notebooks/show", "lucigo/notebooks/claim",
	"lucigo/notebooks/subject", "lucigo/notebooks/kept", "github.com/gomlx/gomlx/core/graph"}

// completer asks gopls for a session, where there is one.
type completer struct {
	once  sync.Once
	mu    sync.Mutex
	gopls *gopls.Client // nil until it is ready
	end   context.CancelFunc
}

// envGopls names gopls, which may not be there.
const envGopls = "LUCIGO_GOPLS"

// goplsFile is gopls, or "".
func goplsFile() string {
	file := os.Getenv(envGopls)
	if _, err := os.Stat(file); err != nil {
		return ""
	}
	return file
}

// start starts gopls in the background, once, and makes it read the session's packages.
func (c *completer) start(s *session.Session) {
	c.once.Do(func() {
		program := goplsFile()
		if program == "" {
			return
		}
		var ctx context.Context
		ctx, c.end = context.WithCancel(context.Background())
		go func() {
			if _, _, err := s.Draft("", 0, nil); err != nil { // It makes the directory.
				return
			}
			client, err := gopls.Start(ctx, program, s.Editing(), os.Environ())
			if err != nil {
				return // Completion goes on without it.
			}
			for tries := 10; ; tries-- { // The first time on a machine it reads more than it may take.
				if err = read(ctx, client, s, "fmt.", "show.", "saliency.", "interp."); err == nil {
					break
				}
				if ctx.Err() != nil || tries == 0 {
					client.Close()
					return
				}
				time.Sleep(time.Second)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if ctx.Err() != nil {
				client.Close()
				return
			}
			c.gopls = client
		}()
	})
}

// read has gopls read what the session is now, by asking for completions of code.
func read(ctx context.Context, client *gopls.Client, s *session.Session, codes ...string) error {
	for _, code := range codes {
		d, ok, err := s.Draft(code, len(code), warmed)
		if err == nil && ok {
			_, err = client.Complete(ctx, filepath.Base(d.File), d.Text, d.Offset)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// changed has gopls read what a cell has declared, so that the next question does not wait for it.
func (k *kernel) changed() {
	if client := k.ready(); client != nil {
		go func() {
			ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
			defer stop()
			read(ctx, client, k.Session, "fmt.")
		}()
	}
}

func (c *completer) ready() *gopls.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gopls
}

func (c *completer) close() {
	if c.end != nil {
		c.end()
	}
	if client := c.ready(); client != nil {
		client.Close()
	}
}

// Complete asks gopls, and where it is not there, not ready or too slow, the session's own knowledge of names.
func (k *kernel) Complete(ctx context.Context, code string, cursor int) (serve.Completion, error) {
	k.start(k.Session)
	at := bytesOf(code, cursor)
	if client := k.ready(); client != nil {
		ctx, stop := context.WithTimeout(ctx, patience)
		defer stop()
		if d, ok, err := k.Draft(code, at, warmed); err == nil && ok {
			if done, err := client.Complete(ctx, filepath.Base(d.File), d.Text, d.Offset); err == nil && len(done.Items) > 0 {
				c := serve.Completion{Start: utf8.RuneCountInString(code[:min(d.Cell(done.Start), at)]), End: cursor}
				for _, i := range done.Items {
					c.Matches = append(c.Matches, serve.Match{Text: i.Text, Kind: i.Kind, Signature: i.Detail})
				}
				return c, nil
			}
		}
	}
	start, names := k.Names(code, at)
	c := serve.Completion{Start: utf8.RuneCountInString(code[:start]), End: cursor}
	for _, name := range names {
		c.Matches = append(c.Matches, serve.Match{Text: name})
	}
	if len(names) == 0 && goplsFile() == "" && strings.TrimSpace(code) != "" { // Of two, none is taken without being seen.
		word := code[start:at]
		hint := word + " /* fields and methods need gopls: go run ./kernel install */"
		c.Matches = []serve.Match{{Text: word, Kind: "hint"}, {Text: hint, Kind: "hint"}}
	}
	return c, nil
}

// Inspect asks gopls what is at the cursor.
func (k *kernel) Inspect(ctx context.Context, code string, cursor, detail int) (serve.Inspection, error) {
	k.start(k.Session)
	at := bytesOf(code, cursor)
	client := k.ready()
	if client == nil {
		if strings.TrimSpace(code) == "" || goplsFile() != "" {
			return serve.Inspection{}, nil
		}
		text := "Hover texts come from gopls, which go run ./kernel install builds."
		return serve.Inspection{Data: map[string]any{"text/plain": text}}, nil
	}
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	d, ok, err := k.Draft(code, at, warmed)
	if err != nil || !ok {
		return serve.Inspection{}, err
	}
	text, err := client.Hover(ctx, filepath.Base(d.File), d.Text, d.Offset)
	if err != nil || text == "" {
		return serve.Inspection{}, err
	}
	return serve.Inspection{Data: map[string]any{"text/markdown": text, "text/plain": text}}, nil
}
