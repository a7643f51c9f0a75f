package zmtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// ready is a READY with a type of socket and an identity.
func ready(typ, identity string) []byte {
	b := append([]byte{flagCommand, 0}, "\x05READY"...)
	for _, p := range [][2]string{{"Socket-Type", typ}, {"IDENTITY", identity}, {"X-Other", "value"}} {
		b = append(append(b, byte(len(p[0]))), p[0]...)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(p[1]))), p[1]...)
	}
	b[1] = byte(len(b) - 2)
	return b
}

// script is a peer that has sent what it says, and reads whatever comes.
type script struct {
	net.Conn // It has no other methods.
	io.Reader
}

func (s script) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s script) Write(p []byte) (int, error) { return len(p), nil }
func (s script) SetDeadline(time.Time) error { return nil }

func accept(typ string, b []byte) (*Conn, error) {
	return Accept(script{Reader: bytes.NewReader(b)}, typ, time.Second)
}

func TestAccept(t *testing.T) {
	hello := slices.Concat(greeting[:], ready("DEALER", "me"))
	c, err := accept("ROUTER", hello)
	if err != nil || c.Type != "DEALER" || c.Identity != "me" {
		t.Errorf("%+v, %v", c, err)
	}
	change := func(at int, to byte) []byte {
		b := bytes.Clone(hello)
		b[at] = to
		return b
	}
	huge := binary.BigEndian.AppendUint64(append(bytes.Clone(greeting[:]), flagCommand|flagLong), 1<<40)
	for name, b := range map[string][]byte{
		"nothing":              {},
		"HTTP":                 []byte("GET / HTTP/1.1\r\n\r\n" + strings.Repeat("x", 100)),
		"version 2":            change(10, 2),
		"encrypted":            change(12, 'C'),
		"no command":           change(64, 0),
		"unknown flags":        change(64, 0xff),
		"another command":      change(67, 'S'),
		"a property cut off":   change(72, 200),
		"a value cut off":      change(84, 200),
		"a wrong type":         slices.Concat(greeting[:], ready("SUB", "me")),
		"a cut READY":          hello[:len(hello)-3],
		"a command of a TiB":   huge,
		"only half a greeting": greeting[:32],
	} {
		if c, err := accept("ROUTER", b); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for _, n := range []int{0, 64} { // Who says nothing is not waited for.
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		go theirs.Write(hello[:n])
		if _, err := Accept(ours, "ROUTER", 50*time.Millisecond); err == nil {
			t.Errorf("after %d bytes", n)
		}
		theirs.Close()
	}
}

// pair returns two ends of a connection.
func pair(t testing.TB) (a, b *Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	y, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close(); y.Close() })
	ended := make(chan error)
	go func() {
		var err error
		b, err = Accept(y, "ROUTER", 10*time.Second)
		ended <- err
	}()
	a, err = Accept(x, "ROUTER", 10*time.Second)
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// TestLawReceivedIsSent: messages arrive as they were sent, except those that are too large.
func TestLawReceivedIsSent(t *testing.T) {
	a, b := pair(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var m [][]byte
		total := 0
		for range 1 + random.IntN(maxFrames+3)*random.IntN(2) {
			f := make([]byte, []int{0, 1, 255, 256, 300}[random.IntN(5)])
			for i := range f {
				f[i] = byte(random.Uint32())
			}
			m = append(m, f)
			total += len(f)
		}
		go func() {
			if err := a.Send(m); err != nil {
				t.Error(err)
			}
		}()
		const limit = 20_000
		got, err := b.Receive(limit)
		if fits := total <= limit && len(m) <= maxFrames; !fits {
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%d frames, %d bytes: %v", len(m), total, err)
			}
		} else if err != nil || !slices.EqualFunc(got, m, bytes.Equal) {
			t.Fatalf("%d frames, %d bytes: %d frames, %v", len(m), total, len(got), err)
		}
	}
}

// TestNoMemoryForPromises: a header that announces much costs nothing.
func TestNoMemoryForPromises(t *testing.T) {
	hello := slices.Concat(greeting[:], ready("DEALER", ""))
	frame := binary.BigEndian.AppendUint64([]byte{flagLong}, 1<<40)
	c, err := accept("ROUTER", slices.Concat(hello, frame, []byte("little")))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.Receive(1 << 50); err == nil {
		t.Error("a message that does not come")
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

func FuzzReceive(f *testing.F) {
	hello := slices.Concat(greeting[:], ready("DEALER", "me"))
	f.Add(slices.Concat(hello, []byte{flagMore, 1, 'a', 0, 2, 'b', 'c', flagCommand, 0}))
	f.Add(slices.Concat(hello, []byte{flagLong, 0, 0, 0, 0, 0, 0, 1, 0}))
	f.Add(greeting[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := accept("ROUTER", b)
		for err == nil || errors.Is(err, ErrTooLarge) {
			var frames [][]byte
			frames, err = c.Receive(100)
			total := 0
			for _, x := range frames {
				total += len(x)
			}
			if total > 100 || len(frames) > maxFrames || err == nil && len(frames) == 0 {
				t.Fatalf("%d frames, %d bytes", len(frames), total)
			}
		}
	})
}
