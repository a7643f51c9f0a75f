package serve

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"lucigo/kernel/jupyter/wire"
)

// questionLimit is how long the kernel may look for an answer.
const questionLimit = 20 * time.Second

// answers holds what is done at each type of request other than to execute: the content of the reply, or an error.
var answers = map[string]func(context.Context, *server, request) (map[string]any, error){
	"kernel_info_request":     answerInfo,
	"connect_request":         answerConnect,
	"is_complete_request":     answerIsComplete,
	"complete_request":        answerComplete,
	"inspect_request":         answerInspect,
	"history_request":         answerHistory,
	"comm_info_request":       answerCommInfo,
	"interrupt_request":       answerInterrupt,
	"shutdown_request":        answerShutdown,
	"debug_request":           answerDebug,
	"create_subshell_request": refuseSubshell,
	"delete_subshell_request": refuseSubshell,
	"list_subshell_request":   refuseSubshell,
}

// answer answers a request.
func (s *server) answer(ctx context.Context, r request) {
	s.status(r.Header, "busy")
	s.answerBusy(ctx, r)
	s.status(r.Header, "idle")
	if r.Header.Type == "shutdown_request" {
		s.end()
	}
}

func (s *server) answerBusy(ctx context.Context, r request) {
	switch r.Header.Type {
	case "comm_open":
		s.refuseComm(r)
		return
	case "comm_msg", "comm_close":
		return
	}
	f := answers[r.Header.Type]
	if f == nil {
		s.log.Printf("a message of the unknown type %.50q is ignored", r.Header.Type)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, questionLimit)
	defer cancel()
	var content map[string]any
	var err error
	if fault := s.recovered(func() { content, err = f(ctx, s, r) }); fault != nil {
		err = fault
	}
	status := map[string]any{"status": "ok"}
	if err != nil {
		status = failed(err)
	}
	maps.Copy(status, content)
	s.reply(r, nil, status)
	if r.Header.Type == "shutdown_request" {
		s.publish(s.encode(r.Header, "shutdown_reply", status))
	}
}

func answerInfo(_ context.Context, s *server, _ request) (map[string]any, error) {
	info := s.kernel.Info()
	return map[string]any{
		"protocol_version":       wire.Version,
		"implementation":         info.Implementation,
		"implementation_version": info.Version,
		"banner":                 info.Banner,
		"language_info":          info.Language,
		"help_links":             append([]Link{}, info.HelpLinks...),
		"debugger":               false,
		"supported_features":     []string{},
	}, nil
}

func answerConnect(_ context.Context, s *server, _ request) (map[string]any, error) {
	p := s.connection.Ports
	return map[string]any{
		"shell_port":   p.Shell,
		"control_port": p.Control,
		"stdin_port":   p.Stdin,
		"iopub_port":   p.IOPub,
		"hb_port":      p.Heartbeat,
	}, nil
}

func answerIsComplete(_ context.Context, s *server, r request) (map[string]any, error) {
	c, err := parse[struct{ Code string }](r)
	if err != nil {
		return nil, err
	}
	status, indent := s.kernel.IsComplete(c.Code)
	switch status {
	case "incomplete":
		return map[string]any{"status": status, "indent": indent}, nil
	case "complete", "invalid":
		return map[string]any{"status": status}, nil
	}
	return map[string]any{"status": "unknown"}, nil
}

// place is code and a cursor in it, a number of code points; nil means the code's end.
type place struct {
	Code   string `json:"code"`
	Cursor *int   `json:"cursor_pos"`
	Detail int    `json:"detail_level"`
}

func parsePlace(r request) (p place, cursor, length int, err error) {
	p, err = parse[place](r)
	length = utf8.RuneCountInString(p.Code)
	cursor = length
	if p.Cursor != nil {
		cursor = min(max(*p.Cursor, 0), length)
	}
	return p, cursor, length, err
}

func answerComplete(ctx context.Context, s *server, r request) (map[string]any, error) {
	p, cursor, length, err := parsePlace(r)
	found := Completion{Start: cursor, End: cursor}
	if err == nil {
		if found, err = s.kernel.Complete(ctx, p.Code, cursor); err != nil {
			found = Completion{Start: cursor, End: cursor}
		}
	}
	start := min(max(found.Start, 0), length)
	end := min(max(found.End, start), length)
	texts, kinds := []string{}, []map[string]any{}
	for _, m := range found.Matches {
		texts = append(texts, m.Text)
		kinds = append(kinds, map[string]any{
			"text": m.Text, "type": m.Kind, "signature": m.Signature, "start": start, "end": end,
		})
	}
	return map[string]any{
		"matches": texts, "cursor_start": start, "cursor_end": end,
		"metadata": map[string]any{"_jupyter_types_experimental": kinds},
	}, err
}

func answerInspect(ctx context.Context, s *server, r request) (map[string]any, error) {
	p, cursor, _, err := parsePlace(r)
	var found Inspection
	if err == nil && strings.TrimSpace(p.Code) != "" {
		if found, err = s.kernel.Inspect(ctx, p.Code, cursor, p.Detail); err != nil {
			found = Inspection{}
		}
	}
	return map[string]any{
		"found": len(found.Data) > 0, "data": object(found.Data), "metadata": object(found.Metadata),
	}, err
}

func answerHistory(_ context.Context, s *server, r request) (map[string]any, error) {
	a, err := parse[access](r)
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := [][]any{}
	if err == nil {
		for _, in := range s.history.find(a) {
			line := []any{thisSession, in.line, in.code}
			if a.Output {
				line[2] = []any{in.code, nil}
			}
			lines = append(lines, line)
		}
	}
	return map[string]any{"history": lines}, err
}

func answerCommInfo(context.Context, *server, request) (map[string]any, error) {
	return map[string]any{"comms": map[string]any{}}, nil
}

func answerInterrupt(_ context.Context, s *server, _ request) (map[string]any, error) {
	s.interrupt()
	return nil, nil
}

func answerShutdown(_ context.Context, _ *server, r request) (map[string]any, error) {
	c, _ := parse[struct{ Restart bool }](r) // The kernel ends in any case.
	return map[string]any{"restart": c.Restart}, nil
}

// answerDebug answers as the debug adapter protocol does where a command fails.
func answerDebug(_ context.Context, _ *server, r request) (map[string]any, error) {
	c, err := parse[struct {
		Seq     int    `json:"seq"`
		Command string `json:"command"`
	}](r)
	return map[string]any{
		"type": "response", "request_seq": c.Seq, "command": c.Command,
		"success": false, "message": "this kernel has no debugger",
	}, err
}

func refuseSubshell(context.Context, *server, request) (map[string]any, error) {
	return nil, errors.New("this kernel has no subshells")
}

// refuseComm closes a comm that the front end has opened: there is nobody to talk to.
func (s *server) refuseComm(r request) {
	c, err := parse[struct {
		ID string `json:"comm_id"`
	}](r)
	if err != nil || c.ID == "" {
		return
	}
	s.publish(s.encode(r.Header, "comm_close", map[string]any{"comm_id": c.ID, "data": map[string]any{}}))
}
