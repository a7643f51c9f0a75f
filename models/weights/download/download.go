// Package download brings files of weights into the cache: resumed after a break, bounded, verified.
//
// It carries an HTTP client and a progress bar along. Notebook cells do not link it; package weights runs
// it as a process of its own.
package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"lucigo/internal/atomicfile"
	"lucigo/models/weights"
)

// Client downloads. Its zero value works.
type Client struct {
	// HTTP makes the requests; nil is http.DefaultClient.
	HTTP *http.Client

	// Progress is told how many of how many bytes have arrived, after each piece; nil is not.
	Progress func(have, of int64)

	// Patience is how long a server may send nothing; 0 is 30 s.
	Patience time.Duration

	// Pause is how long to wait before going on after a break, which doubles with each break in a row;
	// 0 is 1 s.
	Pause time.Duration
}

// attempts is how often in a row a download may break without a byte having arrived.
const attempts = 4

// File puts f into the cache and returns its path. If it is there and right already, that is all. What
// has arrived when it fails, or ctx ends, stays beside it as NAME.part, and the next call goes on there.
// Of two processes one waits for the other.
func (c Client) File(ctx context.Context, f weights.File) (string, error) {
	path, err := f.Cached()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("no place for %s: %w; set LUCIGO_CACHE to a directory of your own", f.Name, err)
	}
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return "", fmt.Errorf("waiting for another download of %s: %w", f.Name, err)
	}
	defer lock.Unlock()
	if here, err := f.Here(ctx); here != "" || err != nil {
		return here, err
	}
	atomicfile.Sweep(path, 0) // whoever holds the lock may
	part := path + ".part"
	if err := c.parts(ctx, f, part); err != nil {
		return "", err
	}
	if err := finish(f, part, path); err != nil {
		return "", err
	}
	return path, nil
}

// parts appends to the file part what it lacks of f's parts.
func (c Client) parts(ctx context.Context, f weights.File, part string) error {
	if len(f.Parts) == 0 {
		return fmt.Errorf("%s is published nowhere", f.Name)
	}
	out, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var total int64
	for _, p := range f.Parts {
		total += p.Size
	}
	if have > total { // left by something else
		have = 0
		if err := errors.Join(out.Truncate(0), seek(out, 0)); err != nil {
			return err
		}
	}
	told := &counter{have, total, c.Progress}
	var begin int64
	for _, p := range f.Parts {
		if err := c.part(ctx, p, out, begin, told); err != nil {
			return fmt.Errorf("%s: %w", p.URL, err)
		}
		begin += p.Size
	}
	return out.Close()
}

// counter counts what has arrived.
type counter struct {
	have, total int64
	progress    func(have, of int64)
}

func (c *counter) add(n int64) {
	c.have += n
	if c.progress != nil {
		c.progress(c.have, c.total)
	}
}

// part appends what is missing of p, which begins at byte begin of out. It goes on after breaks.
func (c Client) part(ctx context.Context, p weights.Part, out *os.File, begin int64, told *counter) error {
	pause := c.Pause
	if pause == 0 {
		pause = time.Second
	}
	for try := 0; told.have < begin+p.Size; {
		before := told.have
		err := c.request(ctx, p, out, begin, told)
		var again *breakError
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &again):
			return err
		case told.have > before:
			try = 0
		default:
			if try++; try == attempts {
				return err
			}
			select {
			case <-time.After(pause << (try - 1)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// breakError is what may go better the next time.
type breakError struct{ error }

func (e *breakError) Unwrap() error { return e.error }

// broken is a breakError that says why ctx ended, if it has.
func broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return &breakError{err}
}

// request asks once for the rest of p, and appends what comes.
func (c Client) request(ctx context.Context, p weights.Part, out *os.File, begin int64, told *counter) error {
	patience := c.Patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(patience, func() { cancel(fmt.Errorf("the server sends nothing for %v", patience)) })
	defer silent.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return err
	}
	from := told.have - begin
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	req.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file itself
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return broken(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && from > 0:
		if want := fmt.Sprintf("bytes %d-%d/%d", from, p.Size-1, p.Size); resp.Header.Get("Content-Range") != want {
			return fmt.Errorf("the server sends %q, want %q: it has another file now", resp.Header.Get("Content-Range"), want)
		}
	case resp.StatusCode == http.StatusOK:
		if from > 0 { // the server knows no ranges
			told.have = begin
			if err := errors.Join(out.Truncate(begin), seek(out, begin)); err != nil {
				return err
			}
			from = 0
		}
		if resp.ContentLength >= 0 && resp.ContentLength != p.Size {
			return fmt.Errorf("the server has %d bytes, want %d: it has another file now", resp.ContentLength, p.Size)
		}
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return &breakError{fmt.Errorf("the server says %s", resp.Status)}
	default:
		return fmt.Errorf("the server says %s", resp.Status)
	}

	left := p.Size - from
	buffer := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(buffer)
		silent.Reset(patience)
		if int64(n) > left {
			return fmt.Errorf("the server sends more than %d bytes: it has another file now", p.Size)
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return err
		}
		left -= int64(n)
		told.add(int64(n))
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

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, io.SeekStart)
	return err
}

// finish makes the file of its parts, checks it, and puts it in its place. Parts that are wrong are
// removed: they cannot be repaired.
func finish(f weights.File, part, path string) error {
	whole, err := os.ReadFile(part)
	if err != nil {
		return err
	}
	if f.Join != nil {
		if whole, err = f.Join(whole); err != nil {
			return errors.Join(fmt.Errorf("%s: what was downloaded does not make it: %w", f.Name, err), os.Remove(part))
		}
	}
	sum := sha256.Sum256(whole)
	if got := hex.EncodeToString(sum[:]); got != f.SHA256 || int64(len(whole)) != f.Size {
		err := fmt.Errorf("%s: what was downloaded has %d bytes and SHA-256 %s, want %d and %s: the server has another file now", f.Name, len(whole), got, f.Size, f.SHA256)
		return errors.Join(err, os.Remove(part))
	}
	err = atomicfile.Write(path, 0o600, func(tmp *os.File) error {
		if _, err := tmp.Write(whole); err != nil {
			return err
		}
		return tmp.Sync()
	})
	if err != nil {
		return err
	}
	return os.Remove(part)
}
