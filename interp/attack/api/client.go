package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lucigo/interp"
)

// Oracle is what labels images, and all that a black-box attack knows of a network: a Client, or Local.
type Oracle interface {
	// Ask returns the answers to a batch of images. With an error, they are those to the first images, as far as it got.
	Ask(ctx context.Context, x interp.Images) (Answers, error)

	// Classes are the names of the classes.
	Classes() []string
}

// Local is the oracle of a model in this process, which tells labels, and scores too where Scores is set.
type Local struct {
	*interp.Model
	Scores bool
}

// Ask asks the model.
func (l Local) Ask(ctx context.Context, x interp.Images) (Answers, error) {
	return ask(ctx, l.Model, l.Scores, x)
}

// Terms are how a server is asked. The zero value has no budget and no log, and gives up after a minute without an answer.
type Terms struct {
	// Budget is the most images that are ever sent, by this client and those before it that had the same Log; 0: any number. An image
	// that is sent again because its answer was lost counts again, unless the server says that it counts it once.
	Budget int

	// Log is the file in which all that is asked and answered is kept. An image with an answer there is not asked again, so whatever
	// was killed and does the same again goes on where it was. "": images are asked as often as they come.
	Log string

	Timeout  time.Duration // for one request; 0: 1 minute
	Patience time.Duration // for tries of one request, pauses included; 0: 1 minute
}

// ErrBudget is the error of a budget that is spent.
var ErrBudget = errors.New("the budget is spent")

// Client asks a server. It is safe for concurrent use, and sends one request at a time. When a server says that it is asked too often, or
// is not there, the client waits as long as it is told, or twice as long each time, and tries again.
type Client struct {
	url   string
	terms Terms
	what  Description
	web   *http.Client
	turn  chan struct{}
	log   *record
}

// Dial asks a server, such as http://127.0.0.1:8080, what it is, and opens the log.
func Dial(ctx context.Context, address string, t Terms) (*Client, error) {
	switch {
	case t.Budget < 0:
		return nil, fmt.Errorf("api: Terms.Budget is %d, must be at least 0", t.Budget)
	case t.Timeout < 0:
		return nil, fmt.Errorf("api: Terms.Timeout is %v, must be at least 0", t.Timeout)
	case t.Patience < 0:
		return nil, fmt.Errorf("api: Terms.Patience is %v, must be at least 0", t.Patience)
	}
	if t.Timeout == 0 {
		t.Timeout = time.Minute
	}
	if t.Patience == 0 {
		t.Patience = time.Minute
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("api: the address is %.100q, must be one such as http://127.0.0.1:8080", address)
	}
	c := &Client{url: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/"), terms: t, turn: make(chan struct{}, 1)}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	c.web = &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	err = c.exchange(ctx, http.MethodGet, "/v1/model", "", nil, 8<<20, func(b []byte) (err error) {
		c.what, err = parseDescription(b)
		return err
	}, nil)
	if err == nil {
		c.log, err = openRecord(t.Log, c.what)
	}
	if err != nil {
		transport.CloseIdleConnections()
		return nil, fmt.Errorf("api: %w", err)
	}
	return c, nil
}

// Close closes the log and the connections.
func (c *Client) Close() error {
	c.turn <- struct{}{} // the request under way is finished first
	defer func() { <-c.turn }()
	c.web.CloseIdleConnections()
	return c.log.close()
}

// Description returns what the server says of its model.
func (c *Client) Description() Description { return c.what }

// Classes returns the names of the classes.
func (c *Client) Classes() []string { return c.what.Classes }

// Spent returns how many images count against the budget.
func (c *Client) Spent() int {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	return c.log.spent
}

// Queries asks the server how many images it has answered.
func (c *Client) Queries(ctx context.Context) (q Queries, err error) {
	err = c.exchange(ctx, http.MethodGet, "/v1/queries", "", nil, 8<<20, func(b []byte) error { return json.Unmarshal(b, &q) }, nil)
	if err != nil {
		return q, fmt.Errorf("api: %w", err)
	}
	return q, nil
}

// Labels returns the labels of the images: Ask for those who need no scores.
func (c *Client) Labels(ctx context.Context, x interp.Images) ([]int, error) {
	a, err := c.Ask(ctx, x)
	return a.Labels, err
}

// Ask asks about the images, in as many requests as the server needs. With an error, the answers are those to the first images.
func (c *Client) Ask(ctx context.Context, x interp.Images) (Answers, error) {
	if err := c.what.takes(x); err != nil {
		return Answers{}, fmt.Errorf("api: %w", err)
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Answers{}, ctx.Err()
	}
	ids, missing := make([]digest, x.N), []int(nil)
	asked := map[digest]bool{}
	for i := range ids {
		ids[i] = contents(x.Of(i))
		if _, known := c.log.answers[ids[i]]; known || c.log.file != nil && asked[ids[i]] {
			continue
		}
		asked[ids[i]] = true
		missing = append(missing, i)
	}
	var fresh Answers // to missing
	var err error
	for err == nil && len(fresh.Labels) < len(missing) {
		var a Answers
		a, err = c.some(ctx, x, ids, missing[len(fresh.Labels):])
		fresh.add(a)
	}
	var all Answers
	for i, id := range ids {
		a, known := c.log.answers[id]
		if len(missing) > 0 && missing[0] == i {
			if len(fresh.Labels) == 0 {
				break
			}
			a, fresh, missing = fresh.slice(0, 1), fresh.slice(1, len(fresh.Labels)), missing[1:]
		} else if !known {
			break
		}
		all.add(a)
	}
	if err != nil {
		return all, fmt.Errorf("api: %d of %d images are answered: %w", len(all.Labels), x.N, err)
	}
	return all, nil
}

// some asks about the first of the images that are listed: as many as go in a request, and as the budget allows.
func (c *Client) some(ctx context.Context, x interp.Images, ids []digest, listed []int) (Answers, error) {
	listed = listed[:min(len(listed), c.what.Images)]
	key, of := c.log.pending(ids, listed)
	again := key != "" && c.what.Once // it was sent, and to send it again is free
	if left := c.terms.Budget - c.log.spent; again {
		listed = listed[:len(of)]
	} else if c.terms.Budget > 0 {
		if left < 1 {
			return Answers{}, c.broke()
		}
		listed = listed[:min(left, len(listed))]
	}
	part := x.Pick(listed...)
	of = nil
	for _, i := range listed {
		of = append(of, ids[i])
	}
	charge := func() error {
		if c.terms.Budget > 0 && c.log.spent+len(of) > c.terms.Budget {
			return fmt.Errorf("the answer was lost, and may have counted: %w", c.broke())
		}
		return c.log.ask(key, of)
	}
	if !again {
		key = rand.Text()
		if err := charge(); err != nil {
			return Answers{}, err
		}
	}
	if c.what.Once {
		charge = nil
	}
	var a Answers
	err := c.exchange(ctx, http.MethodPost, "/v1/predict", key, appendRequest(nil, part), maxAnswer(c.what, part.N),
		func(b []byte) (err error) {
			a, err = parseAnswer(b, c.what, part.N)
			return err
		}, charge)
	if err != nil {
		return Answers{}, err
	}
	return a, c.log.answer(key, of, a)
}

func (c *Client) broke() error {
	return fmt.Errorf("%w: %d of %d images have been sent; raise Terms.Budget, or go on with what is answered", ErrBudget,
		c.log.spent, c.terms.Budget)
}

// fault is why a try of a request failed.
type fault struct {
	err   error
	final bool          // to try again is of no use
	doubt bool          // the server may have counted it
	after time.Duration // what the server asks to wait
}

// exchange sends a request until it is answered, for as long as Patience lasts. Before it is sent again where it may have counted,
// charge is called; nil is where it does not count.
func (c *Client) exchange(ctx context.Context, method, path, key string, body []byte, most int64,
	parse func([]byte) error, charge func() error) error {
	const lost = 3 // tries that the server may have counted
	began, doubts := time.Now(), 0
	for failures := 0; ; failures++ {
		f := c.try(ctx, method, path, key, body, most, parse)
		if f == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.final {
			return f.err
		}
		pause := f.after + backoff(failures)
		if time.Since(began)+pause > c.terms.Patience {
			if f.after > c.terms.Patience {
				return fmt.Errorf("%w; it asks to wait %v, and Terms.Patience is %v: raise it, or go on later", f.err, f.after,
					c.terms.Patience)
			}
			return fmt.Errorf("%w; it was tried %d times in %v: see that the server runs, and go on later, or raise Terms.Patience",
				f.err, failures+1, time.Since(began).Round(time.Millisecond))
		}
		if f.doubt && charge != nil {
			if doubts++; doubts == lost {
				return fmt.Errorf("%w; it was tried %d times, and the server may have counted each: look at what it says of itself (%s/v1/queries)", f.err, lost, c.url)
			}
			if err := charge(); err != nil {
				return fmt.Errorf("%w; %w", f.err, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// try sends a request once.
func (c *Client) try(ctx context.Context, method, path, key string, body []byte, most int64, parse func([]byte) error) *fault {
	ctx, cancel := context.WithTimeout(ctx, c.terms.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return &fault{err: err, final: true}
	}
	if body != nil {
		r.Header.Set("Content-Type", jsonType)
		if c.what.Once { // otherwise package http would send it again by itself where a connection breaks, and it would count twice
			r.Header.Set(keyed, key)
		}
	}
	answer, err := c.web.Do(r)
	if err != nil {
		return unsent(err, c.terms.Timeout)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c.status(answer)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return &fault{err: fmt.Errorf("the server broke off in the middle of its answer: %w", err), doubt: true}
	case int64(len(b)) > most:
		return &fault{err: fmt.Errorf("the server sends more than %d bytes, more than any answer has: it is no server of this kind, or lies", most), final: true}
	}
	err = parse(b)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && syntax.Offset == int64(len(b)):
		return &fault{err: fmt.Errorf("the server broke off in the middle of its answer: %w", err), doubt: true}
	}
	return &fault{err: fmt.Errorf("the server's answer cannot be true: %w; it is no server of this kind, or lies: do not trust its other answers", err), final: true}
}

// unsent is the fault of a request that had no answer.
func unsent(err error, timeout time.Duration) *fault {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &fault{err: fmt.Errorf("there is no such host: %w; correct the address", err), final: true}
	case errors.As(err, &cert):
		return &fault{err: fmt.Errorf("the server's certificate is not trusted: %w; correct the address, or install its authority",
			err), final: true}
	case errors.Is(err, context.DeadlineExceeded):
		return &fault{err: fmt.Errorf("the server has not answered within %v (Terms.Timeout)", timeout), doubt: true}
	case errors.As(err, &op) && op.Op == "dial":
		return &fault{err: fmt.Errorf("the server cannot be reached: %w", err)}
	}
	return &fault{err: fmt.Errorf("the server broke off: %w", err), doubt: true}
}

// status is the fault of an answer that is no success.
func (c *Client) status(answer *http.Response) *fault {
	b, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // as much as comes
	said := fmt.Errorf("the server answers %.60q", answer.Status)
	var f failed
	if json.Unmarshal(b, &f) == nil && f.Error.Cause != "" {
		said = fmt.Errorf("%w: %.300q: %.300q", said, f.Error.Cause, f.Error.Remedy)
	}
	switch s := answer.StatusCode; {
	case s == http.StatusTooManyRequests || s == http.StatusServiceUnavailable:
		return &fault{err: said, after: retryAfter(answer.Header, time.Now())}
	case s == http.StatusRequestTimeout || s >= 500:
		return &fault{err: said, doubt: true, after: retryAfter(answer.Header, time.Now())}
	case s >= 300 && s < 400:
		return &fault{err: fmt.Errorf("%w: it is elsewhere, at %.200q: use that address", said, answer.Header.Get("Location")),
			final: true}
	case s == http.StatusNotFound:
		return &fault{err: fmt.Errorf("%w: %s is no server of this kind: correct the address", said, c.url), final: true}
	}
	return &fault{err: said, final: true}
}
