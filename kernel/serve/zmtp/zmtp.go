// Package zmtp is the listening side of ZeroMQ's transport protocol (ZMTP 3.0 without encryption): the greeting, and
// messages of several frames. Whatever the other side sends, little memory is used before it has sent as much.
package zmtp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// Bounds of what a peer may send.
const (
	maxCommand = 4 << 10 // the bytes of a command
	maxFrames  = 256     // the frames of a message
)

// ErrTooLarge is a message that is larger than was asked for. It has been skipped, and the next one can be received.
var ErrTooLarge = errors.New("zmtp: a message is too large")

// Conn is a connection whose greeting is done. One goroutine may receive while another sends.
type Conn struct {
	Type     string // the peer's type of socket, such as "DEALER"
	Identity string // how the peer calls itself; often ""
	conn     net.Conn
	r        *bufio.Reader
}

// peers lists the types of socket that may talk to a type.
var peers = map[string][]string{
	"ROUTER": {"DEALER", "REQ", "ROUTER"},
	"XPUB":   {"SUB", "XSUB"},
}

// The greeting: a signature, the version, the mechanism, the role and a filler.
var greeting = [64]byte{0: 0xff, 9: 0x7f, 10: 3, 12: 'N', 'U', 'L', 'L'}

// Accept greets the peer of a new connection as a socket of the given type, ROUTER or XPUB, within the limit.
func Accept(c net.Conn, typ string, limit time.Duration) (*Conn, error) {
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	conn := &Conn{conn: c, r: bufio.NewReaderSize(c, 16<<10)}
	if err := conn.greet(typ); err != nil {
		return nil, fmt.Errorf("zmtp: greeting: %w", err)
	}
	return conn, c.SetDeadline(time.Time{})
}

func (c *Conn) greet(typ string) error {
	if _, err := c.conn.Write(greeting[:]); err != nil {
		return err
	}
	var theirs [len(greeting)]byte
	if _, err := io.ReadFull(c.r, theirs[:]); err != nil {
		return err
	}
	signed := theirs[0] == greeting[0] && theirs[9] == greeting[9]
	if !signed || theirs[10] < 3 || !bytes.Equal(theirs[12:32], greeting[12:32]) {
		return errors.New("the peer does not speak ZMTP 3 without encryption")
	}
	ready := append([]byte{0, 0}, "\x05READY"...)
	for _, p := range [][2]string{{"Socket-Type", typ}, {"Identity", ""}} {
		ready = append(append(ready, byte(len(p[0]))), p[0]...)
		ready = append(binary.BigEndian.AppendUint32(ready, uint32(len(p[1]))), p[1]...)
	}
	ready[0], ready[1] = flagCommand, byte(len(ready)-2)
	if _, err := c.conn.Write(ready); err != nil {
		return err
	}
	flags, size, err := c.header()
	if err != nil {
		return err
	}
	if flags&flagCommand == 0 || size > maxCommand {
		return errors.New("the peer's first frame is no command")
	}
	command := make([]byte, size)
	if _, err := io.ReadFull(c.r, command); err != nil {
		return err
	}
	properties, found := bytes.CutPrefix(command, []byte("\x05READY"))
	if !found {
		return errors.New("the peer's first command is not READY")
	}
	if err := c.read(properties); err != nil {
		return err
	}
	if !slices.Contains(peers[typ], c.Type) {
		return fmt.Errorf("a %s cannot talk to a %.20q", typ, c.Type)
	}
	return nil
}

// read reads the properties of the peer's READY: names of up to 255 bytes and values, each after its length.
func (c *Conn) read(p []byte) error {
	for len(p) > 0 {
		n := int(p[0])
		if len(p) < 1+n+4 {
			return errors.New("a property is cut off")
		}
		name, size := string(p[1:1+n]), int64(binary.BigEndian.Uint32(p[1+n:]))
		p = p[1+n+4:]
		if int64(len(p)) < size {
			return errors.New("a property's value is cut off")
		}
		switch value := string(p[:size]); strings.ToLower(name) { // Names are the same in small and in capital letters.
		case "socket-type":
			c.Type = value
		case "identity":
			c.Identity = value
		}
		p = p[size:]
	}
	return nil
}

// Flags of a frame.
const (
	flagMore = 1 << iota
	flagLong
	flagCommand
)

// header reads a frame's flags and size.
func (c *Conn) header() (flags byte, size uint64, err error) {
	if flags, err = c.r.ReadByte(); err != nil {
		return 0, 0, err
	}
	var b [8]byte
	length := b[7:]
	if flags&flagLong != 0 {
		length = b[:]
	}
	if _, err := io.ReadFull(c.r, length); err != nil {
		return 0, 0, err
	}
	size = binary.BigEndian.Uint64(b[:])
	if flags&^(flagMore|flagLong|flagCommand) != 0 || size > 1<<62 || flags&flagMore != 0 && flags&flagCommand != 0 {
		return 0, 0, errors.New("zmtp: a frame's header is wrong")
	}
	return flags, size, nil
}

// Receive returns the frames of the next message. One with more than limit bytes, or with more than 256 frames, is
// skipped: the error is then ErrTooLarge. After any other error the connection is of no more use.
func (c *Conn) Receive(limit int) ([][]byte, error) {
	var frames [][]byte
	left, tooLarge := uint64(limit), false
	for {
		flags, size, err := c.header()
		if err != nil {
			return nil, err
		}
		command := flags&flagCommand != 0
		if command || tooLarge || size > left || len(frames) == maxFrames {
			tooLarge = tooLarge || !command
			frames = frames[:0]
			if _, err := io.CopyN(io.Discard, c.r, int64(size)); err != nil {
				return nil, err
			}
		} else {
			left -= size
			var b bytes.Buffer // It grows with what arrives.
			if _, err := io.CopyN(&b, c.r, int64(size)); err != nil {
				return nil, err
			}
			frames = append(frames, b.Bytes())
		}
		switch {
		case command || flags&flagMore != 0: // A command may stand between messages.
		case tooLarge:
			return nil, ErrTooLarge
		default:
			return frames, nil
		}
	}
}

// Send sends a message.
func (c *Conn) Send(frames [][]byte) error {
	var buffers net.Buffers
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags |= flagMore
		}
		if len(f) < 256 {
			buffers = append(buffers, []byte{flags, byte(len(f))}, f)
		} else {
			buffers = append(buffers, binary.BigEndian.AppendUint64([]byte{flags | flagLong}, uint64(len(f))), f)
		}
	}
	_, err := buffers.WriteTo(c.conn)
	return err
}

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }
