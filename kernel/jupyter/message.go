package jupyter

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zeromq/zmq4"
)

// header is a message's header, of version 5.3 of the messaging protocol.
type header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// message is one message, received or to be sent.
type message struct {
	header, parent header
	content        json.RawMessage
}

var delimiter = []byte("<IDS|MSG>")

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // Never fails.
	return hex.EncodeToString(b[:])
}

// wire signs and serialises messages of one session.
type wire struct {
	key     []byte
	session string
}

func (w wire) sign(parts [][]byte) []byte {
	mac := hmac.New(sha256.New, w.key)
	for _, p := range parts {
		mac.Write(p)
	}
	return hex.AppendEncode(nil, mac.Sum(nil))
}

// encode makes a message of the given type, and its id. metadata is what its receiver may pass by; nil is none.
func (w wire) encode(typ string, metadata map[string]any, content any) (id string, frames [][]byte, err error) {
	h := header{ID: newID(), Session: w.session, Username: "lucigo", Date: time.Now().UTC().Format(time.RFC3339Nano), Type: typ, Version: "5.3"}
	hb, err := json.Marshal(h)
	if err != nil {
		return "", nil, err
	}
	cb, err := json.Marshal(content)
	if err != nil {
		return "", nil, err
	}
	mb := []byte("{}")
	if metadata != nil {
		if mb, err = json.Marshal(metadata); err != nil {
			return "", nil, err
		}
	}
	parts := [][]byte{hb, []byte("{}"), mb, cb}
	return h.ID, append([][]byte{delimiter, w.sign(parts)}, parts...), nil
}

// decode checks and reads a message from the frames received: routing prefix, delimiter, signature, header, parent
// header, metadata, content, and perhaps binary buffers.
func (w wire) decode(frames [][]byte) (message, error) {
	for len(frames) > 0 && string(frames[0]) != string(delimiter) {
		frames = frames[1:]
	}
	if len(frames) < 6 {
		return message{}, errors.New("a message from the kernel has too few frames")
	}
	parts := frames[2:6]
	if !hmac.Equal(w.sign(parts), frames[1]) {
		return message{}, errors.New("a message has a wrong signature: it is not from this kernel")
	}
	m := message{content: parts[3]}
	if err := errors.Join(json.Unmarshal(parts[0], &m.header), json.Unmarshal(parts[1], &m.parent)); err != nil {
		return message{}, fmt.Errorf("a message from the kernel: %w", err)
	}
	return m, nil
}

func multipart(frames [][]byte) zmq4.Msg { return zmq4.NewMsgFrom(frames...) }
