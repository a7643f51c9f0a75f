// Package wire is the form of Jupyter's messages: how they are serialised into frames, signed and checked.
package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the version of the messaging protocol that the messages follow.
const Version = "5.4"

// maxHeader bounds a header, which is repeated in every message that answers it.
const maxHeader = 16 << 10

// Header is a message's header. One that was received keeps its own text, which is what a message with it as a parent
// contains.
type Header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`

	text json.RawMessage
}

// MarshalJSON gives a header that was received as it was, and a zero header as an empty object.
func (h Header) MarshalJSON() ([]byte, error) {
	type plain Header // Without this method.
	switch {
	case h.text != nil:
		return h.text, nil
	case h.ID == "":
		return []byte("{}"), nil
	}
	return json.Marshal(plain(h))
}

// Message is a message that was received.
type Message struct {
	Route             [][]byte // the frames before the delimiter: they say where an answer goes
	Header, Parent    Header
	Metadata, Content json.RawMessage // well-formed
}

// delimiter stands between the frames of the route and the message.
var delimiter = []byte("<IDS|MSG>")

// NewID returns a random identifier.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // Never fails.
	return hex.EncodeToString(b[:])
}

// Session signs and checks the messages of one session. Without a key, messages are not signed.
type Session struct {
	Key []byte
	ID  string
}

// Sign returns the signature of a message's four parts: header, parent's header, metadata and content.
func (s Session) Sign(parts [][]byte) []byte {
	if len(s.Key) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, s.Key)
	for _, p := range parts {
		mac.Write(p)
	}
	return hex.AppendEncode(nil, mac.Sum(nil))
}

// Encode makes a message: its id and its frames, from the delimiter on. Metadata may be nil.
func (s Session) Encode(
	typ string, parent Header, metadata map[string]any, content any,
) (id string, frames [][]byte, err error) {
	h := Header{ID: NewID(), Session: s.ID, Username: "lucigo", Type: typ, Version: Version}
	h.Date = time.Now().UTC().Format(time.RFC3339Nano)
	if metadata == nil {
		metadata = map[string]any{}
	}
	parts := make([][]byte, 4)
	for i, v := range []any{h, parent, metadata, content} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "", nil, fmt.Errorf("wire: %s: %w", typ, err)
		}
		parts[i] = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	}
	return h.ID, append([][]byte{delimiter, s.Sign(parts)}, parts...), nil
}

// Decode checks and reads a message from the frames received: route, delimiter, signature, header, parent's header,
// metadata, content, and perhaps binary buffers, which are dropped.
func (s Session) Decode(frames [][]byte) (Message, error) {
	var m Message
	for len(frames) > 0 && !bytes.Equal(frames[0], delimiter) {
		m.Route = append(m.Route, frames[0])
		frames = frames[1:]
	}
	if len(frames) < 6 {
		return Message{}, errors.New("wire: a message has too few frames")
	}
	parts := frames[2:6]
	if !hmac.Equal(s.Sign(parts), frames[1]) && len(s.Key) > 0 {
		return Message{}, errors.New("wire: a message has a wrong signature: it is not of this kernel's session")
	}
	for i, h := range []*Header{&m.Header, &m.Parent} {
		if len(parts[i]) > maxHeader {
			return Message{}, fmt.Errorf("wire: a header has %d bytes, at most %d may be", len(parts[i]), maxHeader)
		}
		if err := json.Unmarshal(parts[i], h); err != nil {
			return Message{}, fmt.Errorf("wire: a header: %w", err)
		}
		if h.text = parts[i]; h.ID == "" { // A parent may be {}, or null.
			*h = Header{}
		}
	}
	if m.Header.ID == "" || m.Header.Type == "" {
		return Message{}, errors.New("wire: a message has no id or no type")
	}
	for _, p := range parts[2:] {
		if !json.Valid(p) {
			return Message{}, fmt.Errorf("wire: a message of type %.50q is not JSON", m.Header.Type)
		}
	}
	m.Metadata, m.Content = parts[2], parts[3]
	return m, nil
}
