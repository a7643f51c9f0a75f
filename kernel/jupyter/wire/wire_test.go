package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

var session = Session{[]byte("key"), "session"}

// encode returns the frames of a message that answers parent.
func encode(t testing.TB, parent Header, content any) [][]byte {
	t.Helper()
	_, frames, err := session.Encode("status", parent, nil, content)
	if err != nil {
		t.Fatal(err)
	}
	return frames
}

// TestParentIsRepeatedAsItWas: fields that this package does not know come back to their sender.
func TestParentIsRepeatedAsItWas(t *testing.T) {
	frames := encode(t, Header{}, map[string]any{})
	frames[2] = []byte(`{"msg_id":"a","msg_type":"x","subshell_id":null,"extra":[1, 2]}`)
	frames[1] = session.Sign(frames[2:6])
	m, err := session.Decode(append([][]byte{[]byte("route")}, frames...))
	if err != nil || len(m.Route) != 1 || m.Parent.ID != "" {
		t.Fatalf("%+v, %v", m, err)
	}
	answer, err := session.Decode(encode(t, m.Header, map[string]any{"html": "<b>&\xff"}))
	if err != nil || answer.Parent.ID != "a" {
		t.Fatalf("%+v, %v", answer, err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, frames[2]); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(answer.Parent.text, want.Bytes()) {
		t.Errorf("the parent is %s, want %s", answer.Parent.text, want.Bytes())
	}
	if !strings.Contains(string(answer.Content), `"<b>&`) {
		t.Errorf("content is %s", answer.Content)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(f [][]byte) [][]byte
		want   string
	}{
		{func(f [][]byte) [][]byte { f[1] = []byte("forged"); return f }, "signature"},
		{func(f [][]byte) [][]byte { f[1] = nil; return f }, "signature"},
		{func(f [][]byte) [][]byte { f[5] = []byte(`{"a":1}`); return f }, "signature"},
		{func(f [][]byte) [][]byte { return f[:5] }, "too few frames"},
		{func(f [][]byte) [][]byte { return nil }, "too few frames"},
		{func(f [][]byte) [][]byte { return f[1:] }, "too few frames"},
		{sign(2, "null"), "no id"},
		{sign(2, `{"msg_id":"a"}`), "no type"},
		{sign(2, `[]`), "header"},
		{sign(2, `{"msg_id":5,"msg_type":"x"}`), "header"},
		{sign(3, `7`), "header"},
		{sign(3, `{"msg_id":"`+strings.Repeat("a", maxHeader)+`"}`), "at most"},
		{sign(4, ``), "not JSON"},
		{sign(5, `{`), "not JSON"},
		{sign(5, strings.Repeat("[", 20000)), "not JSON"},
	} {
		m, err := session.Decode(c.change(encode(t, Header{}, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s: %+v, %v", c.want, m, err)
		}
	}
	for _, parent := range []string{"null", "{}", `{"msg_id":"b"}`} {
		if m, err := session.Decode(sign(3, parent)(encode(t, Header{}, 1))); err != nil {
			t.Errorf("parent %s: %+v, %v", parent, m, err)
		}
	}
	open := Session{ID: "open"} // Without a key, any signature will do.
	if _, err := open.Decode(encode(t, Header{}, 1)); err != nil {
		t.Error(err)
	}
}

// sign replaces a part and signs the message again.
func sign(part int, text string) func([][]byte) [][]byte {
	return func(f [][]byte) [][]byte {
		f[part] = []byte(text)
		f[1] = session.Sign(f[2:6])
		return f
	}
}

func FuzzDecode(f *testing.F) {
	frames := encode(f, Header{}, map[string]any{"execution_state": "idle"})
	f.Add(frames[1], frames[2], frames[3], frames[5])
	f.Add([]byte("sig"), []byte("{}"), []byte("null"), []byte("{"))
	f.Fuzz(func(t *testing.T, sig, head, parent, content []byte) {
		frames := [][]byte{delimiter, sig, head, parent, []byte("{}"), content}
		if _, err := session.Decode(frames); err == nil && !bytes.Equal(sig, session.Sign(frames[2:])) {
			t.Error("a message with another signature is taken")
		}
		frames[1] = session.Sign(frames[2:])
		if m, err := session.Decode(frames); err == nil {
			answer, err := session.Decode(encode(t, m.Header, m.Content)) // What was taken can be answered.
			if err != nil || answer.Parent.ID != strings.ToValidUTF8(m.Header.ID, "\uFFFD") {
				t.Errorf("the answer: %+v, %v", answer, err)
			}
		}
		for n := range frames {
			if _, err := session.Decode(frames[:n]); err == nil {
				t.Errorf("%d frames are a message", n)
			}
		}
	})
}
