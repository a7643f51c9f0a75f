//go:build unix

package session

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
	"golang.org/x/sys/unix"

	"lucigo/notebooks/claim/record"
)

func init() {
	gob.Register(map[string]any{}) // What package cell sends.
}

// ResultType is the media type that marks an output as the cell's result; its value is not used.
const ResultType = "application/vnd.lucigo.result"

// displays is the kernel's end of the protocol by which a cell's program displays (package gonbui): values in Go's gob
// format, from the program through one named pipe, and back through another.
type displays struct {
	*process
	path, back string
	in         *os.File // the reading end of path
	fd         int      // in's
	own        *os.File // a writing end, so that it has one at any time
	out        *os.File // back
	reply      *gob.Encoder

	feed   chan []byte   // to the decoder
	hungry chan struct{} // from the decoder: it has dealt with everything
	rest   []byte
	size   int // of what is read of a message
}

// messageSize is the most that a program may display at once: the kernel holds all of it, and a run keeps no more.
const messageSize = 128 << 20

// replyTime is how long a program may leave the kernel's replies unread, once their pipe is full.
const replyTime = time.Second

func (p *process) openDisplays() (*displays, error) {
	dir, err := os.MkdirTemp(p.Session.dir, "pipes-")
	if err != nil {
		return nil, err
	}
	d := &displays{process: p, path: filepath.Join(dir, "out"), back: filepath.Join(dir, "back"),
		feed: make(chan []byte), hungry: make(chan struct{})}
	if err := errors.Join(unix.Mkfifo(d.path, 0o600), unix.Mkfifo(d.back, 0o600)); err != nil {
		return nil, err
	}
	var err1, err2, err3 error
	d.in, err1 = os.OpenFile(d.path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	d.own, err2 = os.OpenFile(d.path, os.O_WRONLY, 0)
	d.out, err3 = os.OpenFile(d.back, os.O_RDWR, 0)
	if err := errors.Join(err1, err2, err3); err != nil {
		d.closeFiles()
		return nil, err
	}
	d.fd = int(d.in.Fd())
	if err := unix.SetNonblock(d.fd, true); err != nil {
		return nil, err
	}
	d.reply = gob.NewEncoder(d.out)
	go d.decode()
	<-d.hungry
	return d, nil
}

// take deals with bytes from the program. It returns when all displays that they complete are out.
func (d *displays) take(b []byte) {
	d.feed <- b
	<-d.hungry
}

func (d *displays) close() {
	close(d.feed)
	for range d.hungry { // until the decoder has returned
	}
	d.closeFiles()
}

func (d *displays) closeFiles() {
	for _, f := range []*os.File{d.in, d.own, d.out} {
		if f != nil {
			f.Close()
		}
	}
	os.RemoveAll(filepath.Dir(d.path))
}

// Read gives the decoder what take was given.
func (d *displays) Read(b []byte) (int, error) {
	if len(d.rest) == 0 {
		d.hungry <- struct{}{}
		fed, ok := <-d.feed
		if !ok {
			return 0, io.EOF
		}
		d.rest = fed
	}
	n := copy(b, d.rest)
	d.rest = d.rest[n:]
	if d.size += n; d.size > messageSize {
		return 0, fmt.Errorf("it is larger than %d MiB", messageSize>>20)
	}
	return n, nil
}

// decode deals with the program's messages until there are no more.
func (d *displays) decode() {
	defer close(d.hungry)
	dec := gob.NewDecoder(d)
	for {
		var m protocol.DisplayData
		if err := dec.Decode(&m); err != nil {
			if !errors.Is(err, io.EOF) {
				d.print("stderr", fmt.Appendf(nil, "an output cannot be read: %v\n", err))
			}
			break
		}
		d.size = 0
		d.message(m)
	}
	for ok := true; ok; _, ok = <-d.feed { // What follows cannot be read either.
		d.hungry <- struct{}{}
	}
}

// acknowledge answers a program that waits until all it has displayed is out. One that does not read its answers gets
// no more.
func (d *displays) acknowledge(value any) {
	if d.reply == nil {
		return
	}
	d.out.SetWriteDeadline(time.Now().Add(replyTime))
	if err := d.reply.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value}); err != nil {
		d.print("stderr", fmt.Appendf(nil, "the program does not read the kernel's replies: %v\n", err))
		d.reply = nil
	}
}

// message deals with one message.
func (d *displays) message(m protocol.DisplayData) {
	if value, ok := m.Data[protocol.MIMECommValue]; ok {
		if v, ok := value.(protocol.CommValue); ok && v.Address == protocol.GonbuiSyncAddress {
			d.acknowledge(v.Value)
		}
		return // Widgets have no other end here.
	}
	if _, ok := m.Data[protocol.MIMECommSubscribe]; ok {
		return
	}
	if value, ok := m.Data[protocol.MIMEJupyterInput]; ok {
		if req, ok := value.(protocol.InputRequest); ok {
			go d.answer(req.Prompt, req.Password)
		}
		return
	}
	data, result := map[string]any{}, false
	for typ, value := range m.Data {
		switch string(typ) {
		case ResultType:
			result = true
			continue
		case record.MediaType:
			d.claims.add(value)
		}
		data[string(typ)] = value
	}
	switch {
	case result:
		d.run.out.Result(data, m.Metadata)
	case m.DisplayID == "":
		d.run.out.Display(data, m.Metadata, "", false)
	default:
		d.run.out.Display(data, m.Metadata, m.DisplayID, d.shown[m.DisplayID])
		d.shown[m.DisplayID] = true
	}
}
