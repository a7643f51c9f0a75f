// Package download brings published files onto this machine: resumed after a break, bounded, verified.
package download

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"lucigo/internal/atomicfile"
	"lucigo/internal/digest"
	"lucigo/internal/project"
)

// Part is something published: its address and length in bytes.
type Part struct {
	URL  string
	Size int64
}

// Client downloads. Its zero value works.
type Client struct {
	// Progress is told how many of how many bytes have arrived, after each piece; nil is not.
	Progress func(have, of int64)

	patience time.Duration // how long a server may send nothing; 0 is 30 s
	pause    time.Duration // before going on after a break, doubled with each break in a row; 0 is 1 s
}

// attempts is how often in a row a download may break without a byte having arrived.
const attempts = 4

// Alone calls do while no other process is in a call of Alone for the same path, whose directory it makes. What killed
// processes left of the file is removed before.
func Alone(ctx context.Context, path string, do func() error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("no place for %s: %w; set %s to a directory of your own", filepath.Base(path), err, project.EnvCache)
	}
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return fmt.Errorf("waiting for another process that makes %s: %w", path, err)
	}
	defer lock.Unlock()
	atomicfile.Sweep(path, 0)
	return do()
}

// Get makes the file at path of the parts, one after the other. It asks for what the file lacks, and goes on after
// breaks; what has arrived when it fails, or ctx ends, stays for the next call. Nothing but a wrong hash removes the
// file: sha256 is that of the whole, in lower-case hexadecimal.
func (c Client) Get(ctx context.Context, path, sha256 string, parts ...Part) error {
	if err := c.complete(ctx, path, parts); err != nil {
		return err
	}
	got, err := digest.SHA256(ctx, path)
	if err == nil && got != sha256 {
		err = errors.Join(fmt.Errorf("what was downloaded has SHA-256 %s, must be %s: it is damaged, or the server has another file now", got, sha256),
			os.Remove(path))
	}
	return err
}

// transfer is a file that is being completed.
type transfer struct {
	Client
	out         *os.File
	have, total int64
}

func (c Client) complete(ctx context.Context, path string, parts []Part) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	t := &transfer{Client: c, out: out}
	for _, p := range parts {
		t.total += p.Size
	}
	if t.have, err = out.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	if t.have > t.total { // left by something else
		if err := t.cut(0); err != nil {
			return err
		}
	}
	var begin int64
	for _, p := range parts {
		if err := t.part(ctx, p, begin); err != nil {
			return fmt.Errorf("%s: %w", p.URL, err)
		}
		begin += p.Size
	}
	return errors.Join(out.Sync(), out.Close())
}

// cut leaves the first n bytes.
func (t *transfer) cut(n int64) error {
	t.have = n
	_, err := t.out.Seek(n, io.SeekStart)
	return errors.Join(t.out.Truncate(n), err)
}

// part appends what is missing of p, which begins at byte begin of the file.
func (t *transfer) part(ctx context.Context, p Part, begin int64) error {
	for try := 0; t.have < begin+p.Size; try++ {
		before := t.have
		err := t.request(ctx, p, begin)
		var again *breakError
		switch {
		case err == nil || ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &again) || t.have <= before && try == attempts-1:
			return err
		case t.have > before:
			try = -1
			continue
		}
		select {
		case <-time.After(cmp.Or(t.pause, time.Second) << try):
		case <-ctx.Done():
		}
	}
	return nil
}

// breakError is what may go better the next time.
type breakError struct{ error }

// Unwrap returns the error itself.
func (e *breakError) Unwrap() error { return e.error }

// broken is a breakError that says why ctx ended, if it has.
func broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &breakError{err}
}

// request asks once for the rest of p, and appends what comes.
func (t *transfer) request(ctx context.Context, p Part, begin int64) error {
	patience := cmp.Or(t.patience, 30*time.Second)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(patience, func() { cancel(fmt.Errorf("the server sends nothing for %v", patience)) })
	defer silent.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return err
	}
	from := t.have - begin
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file itself
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return broken(ctx, err)
	}
	defer resp.Body.Close()
	if err := p.check(resp, from); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK && from > 0 { // the server knows no ranges
		if err := t.cut(begin); err != nil {
			return err
		}
	}
	buffer := make([]byte, 64<<10)
	for left := begin + p.Size - t.have; ; {
		n, err := resp.Body.Read(buffer)
		silent.Reset(patience)
		if int64(n) > left {
			return fmt.Errorf("the server sends more than %d bytes: it has another file now", p.Size)
		}
		if _, err := t.out.Write(buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
		if t.have += int64(n); t.Progress != nil {
			t.Progress(t.have, t.total)
		}
		switch {
		case err == io.EOF && left == 0:
			return nil
		case err == io.EOF:
			return &breakError{fmt.Errorf("the server stopped %d bytes before the end", left)}
		case err != nil:
			return broken(ctx, err)
		}
	}
}

// check returns an error if the answer to a request for p from a byte on is not p's content: nothing of it is to be kept.
func (p Part) check(resp *http.Response, from int64) error {
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		from = 0
	case status == http.StatusPartialContent && from > 0:
		if got, want := resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-%d/%d", from, p.Size-1, p.Size); got != want {
			return fmt.Errorf("the server sends %q, must be %q: it has another file now", got, want)
		}
	case status >= 500 || status == http.StatusTooManyRequests:
		return &breakError{fmt.Errorf("the server says %s", resp.Status)}
	default:
		return fmt.Errorf("the server says %s", resp.Status)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // one that cannot be read is none
	switch encoding := resp.Header.Get("Content-Encoding"); {
	case kind == "text/html":
		return errors.New("the server sends a web page instead of the file: the network may want a login")
	case encoding != "" && encoding != "identity":
		return fmt.Errorf("the server sends the file encoded as %q, which was not asked for", encoding)
	case resp.ContentLength >= 0 && resp.ContentLength != p.Size-from:
		return fmt.Errorf("the server sends %d bytes, must be %d: it has another file now", resp.ContentLength, p.Size-from)
	}
	return nil
}

// Bar returns a Progress that draws a bar on standard error, or nil where that is no terminal.
func Bar(name string) func(have, of int64) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(have, of int64) {
		if bar == nil {
			bar = progressbar.DefaultBytes(of, name)
		}
		_ = bar.Set64(have) // a bar that cannot be drawn is no reason to stop
	}
}
