package jupyter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Request is a piece of code to execute.
type Request struct {
	Code   string
	CellID string        // of the cell that it is; "": of none
	MayErr bool          // an error of the code does not abort the requests that wait
	Limit  time.Duration // how long it may take; 0: for ever

	// OnMessage is called, in order, with the type and the content of every message that the code publishes: stream,
	// display_data, update_display_data, execute_result, error, clear_output. An error it returns interrupts the code
	// and is returned by Execute.
	OnMessage func(typ string, content json.RawMessage) error

	// Tick is called about once a second while the code runs, never together with OnMessage; nil: it is not called. It
	// must take no longer than some seconds: what the code publishes waits.
	Tick func()
}

// Reply is how an execution ended.
type Reply struct {
	Status    string   `json:"status"` // "ok", "error" or "aborted"; "" where the kernel gave no reply
	Count     *int     `json:"execution_count"`
	EName     string   `json:"ename"` // this and the rest: of an error
	EValue    string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// Execute has the kernel execute code and returns when both the reply and the last message have come. When ctx ends,
// the limit passes or OnMessage objects, it interrupts the code, keeps delivering messages while it stops, and returns
// the cause; a kernel that does not obey is killed. An error of the code itself is no error: it is in Reply.
func (k *Kernel) Execute(ctx context.Context, r Request) (reply Reply, err error) {
	select {
	case <-k.exited:
		return Reply{}, k.died()
	default:
	}
	var metadata map[string]any
	if r.CellID != "" {
		metadata = map[string]any{"cellId": r.CellID}
	}
	id, err := k.send(k.shell, "execute_request", metadata, map[string]any{"code": r.Code, "silent": false,
		"store_history": true, "user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": !r.MayErr})
	if err != nil {
		return Reply{}, k.gone()
	}
	var limit <-chan time.Time
	if r.Limit > 0 {
		timer := time.NewTimer(r.Limit)
		defer timer.Stop()
		limit = timer.C
	}
	var (
		cause  error            // why the code is being interrupted
		urge   <-chan time.Time // to interrupt it again: it may have been compiling, which heeds nothing
		lost   <-chan time.Time // to give the kernel up
		cancel = ctx.Done()
		ticks  <-chan time.Time
	)
	if r.Tick != nil {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		ticks = t.C
	}
	interrupt := func(why error, grace time.Duration) {
		if cause != nil {
			return
		}
		cause = why
		limit, cancel = nil, nil
		urge, lost = time.After(0), time.After(grace)
	}
	for replied, idle := false, false; !replied || !idle; {
		select {
		case m := <-k.received:
			switch {
			case m.err != nil:
				interrupt(m.err, limitGrace)
			case m.port == stdinPort:
				interrupt(errors.New("it asks for input, which a run without a front end cannot give"), limitGrace)
			case m.answers(id):
				replied = true
				if err := json.Unmarshal(m.Content, &reply); err != nil {
					return reply, fmt.Errorf("the kernel's reply: %w", err)
				}
			default:
				idle = idle || m.idle(id)
				if err := m.deliver(id, r); err != nil {
					interrupt(err, limitGrace)
				}
			}
		case <-ticks:
			r.Tick()
		case <-limit:
			interrupt(fmt.Errorf("%w: interrupted after %v", ErrLimit, r.Limit), limitGrace)
		case <-cancel:
			interrupt(context.Cause(ctx), stopGrace)
		case <-urge:
			if _, err := k.send(k.control, "interrupt_request", nil, struct{}{}); err != nil {
				return reply, k.gone()
			}
			urge = time.After(200 * time.Millisecond)
		case <-lost:
			k.kill()
			return reply, fmt.Errorf("%w; it did not stop: the kernel was killed", cause)
		case <-k.exited:
			k.drain(id, r)
			return reply, k.died()
		}
	}
	return reply, cause
}

// gone is the error of a kernel to which nothing can be sent any more.
func (k *Kernel) gone() error {
	k.kill()
	return k.died()
}

// deliver delivers a published message, if it is of request id or updates an earlier display.
func (m received) deliver(id string, r Request) error {
	if m.port != iopubPort || r.OnMessage == nil || m.Parent.ID != id && m.Header.Type != "update_display_data" {
		return nil
	}
	switch m.Header.Type {
	case "stream", "display_data", "update_display_data", "execute_result", "error", "clear_output":
		return r.OnMessage(m.Header.Type, m.Content)
	}
	return nil
}

// drain delivers what a dead kernel had already published.
func (k *Kernel) drain(id string, r Request) {
	for {
		select {
		case m := <-k.received:
			if m.err == nil && m.deliver(id, r) != nil {
				return
			}
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}
