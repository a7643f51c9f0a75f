package serve

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"
)

// gather is how long a failure waits for requests that are on their way, to abort them too. Those that are sent after
// the reply are not among them.
const gather = 30 * time.Millisecond

// execute answers a request to execute code.
func (s *server) execute(ctx context.Context, r request) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.status(r.Header, "busy")
	x := &execution{request: r, cancel: cancel}
	s.mu.Lock()
	s.running = x
	s.mu.Unlock()
	started := time.Now().UTC().Format(time.RFC3339Nano)
	content, stop := s.run(ctx, x)
	var aborted []request
	if stop {
		time.Sleep(gather)
		aborted = s.executions.clear()
	}
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	s.reply(r, map[string]any{"started": started}, content)
	s.status(r.Header, "idle")
	for _, r := range aborted {
		s.status(r.Header, "busy")
		s.reply(r, nil, map[string]string{"status": "aborted"})
		s.status(r.Header, "idle")
	}
}

// run runs the code of an execution. It returns the reply and whether what waits is aborted.
func (s *server) run(ctx context.Context, x *execution) (reply map[string]any, stop bool) {
	c, err := parse[struct {
		Code        *string        `json:"code"`
		Silent      bool           `json:"silent"`
		Store       *bool          `json:"store_history"`
		Stop        *bool          `json:"stop_on_error"`
		AllowStdin  bool           `json:"allow_stdin"`
		Expressions map[string]any `json:"user_expressions"`
	}](x.request)
	if err == nil && c.Code == nil {
		err = errors.New("a request to execute has no code")
	}
	if err != nil {
		return failed(err), false
	}
	blank := strings.TrimSpace(*c.Code) == ""
	q := Request{Code: *c.Code, Silent: c.Silent, AllowStdin: c.AllowStdin}
	q.StoreHistory = !c.Silent && !blank && (c.Store == nil || *c.Store)
	var cell struct {
		ID string `json:"cellId"`
	}
	if json.Unmarshal(x.Metadata, &cell) == nil {
		q.Cell = cell.ID
	}
	s.mu.Lock()
	if q.StoreHistory {
		s.count++
		s.history.add(s.count, q.Code)
	}
	q.Count = s.count
	s.mu.Unlock()
	if !q.Silent {
		s.publish(s.encode(x.Header, "execute_input", map[string]any{"code": q.Code, "execution_count": q.Count}))
	}
	var failure *Failure
	if !blank {
		out := &Output{server: s, ctx: ctx, request: x.request,
			silent: q.Silent, stdin: q.AllowStdin, count: q.Count}
		if err := s.recovered(func() { failure = s.kernel.Execute(ctx, q, out) }); err != nil {
			failure = &Failure{Name: "Panic", Value: err.Error(), Traceback: []string{err.Error()}}
		}
		out.close()
	}
	s.mu.Lock()
	interrupted := x.interrupted
	s.mu.Unlock()
	expressions := map[string]any{}
	for name := range c.Expressions {
		expressions[name] = failed(errors.New("this kernel evaluates no expressions after a cell"))
	}
	reply = map[string]any{
		"status": "ok", "execution_count": q.Count, "payload": []any{}, "user_expressions": expressions,
	}
	if failure != nil {
		content := map[string]any{
			"ename": failure.Name, "evalue": failure.Value, "traceback": append([]string{}, failure.Traceback...),
		}
		s.publish(s.encode(x.Header, "error", content))
		maps.Copy(reply, content)
		reply["status"] = "error"
	}
	return reply, interrupted || failure != nil && (c.Stop == nil || *c.Stop)
}

// interrupt ends the context of the execution that runs, if one does.
func (s *server) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running.interrupted = true
		s.running.cancel(ErrInterrupted)
	}
}
