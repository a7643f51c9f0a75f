package serve

import (
	"errors"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"lucigo/kernel/serve/zmtp"
)

// Bounds of what others may make a kernel keep.
const (
	maxMessage  = 32 << 20 // bytes of a message that is received
	maxPeers    = 64       // connections of a socket
	maxTopics   = 64       // subscriptions of a connection
	maxUnsent   = 32 << 20 // bytes that wait until a peer reads them
	small       = 4 << 10  // a message of at most so many bytes …
	smallUnsent = 34 << 20 // … may still wait then, so that a slow peer does not miss how an execution ended
	greetLimit  = 10 * time.Second
)

// socket accepts connections and receives their messages.
type socket struct {
	typ      string // of ZeroMQ
	listener net.Listener
	log      *log.Logger
	receive  func(*peer, [][]byte) // called in order for each peer

	mu     sync.Mutex
	peers  []*peer // the newest last
	closed bool
}

// peer is a connection to a socket.
type peer struct {
	*zmtp.Conn
	socket *socket
	gone   chan struct{} // closed when nothing more is sent

	mu     sync.Mutex
	unsent [][][]byte
	size   int // the bytes of unsent messages, and of those that are being sent
	wake   chan struct{}
	topics map[string]bool
}

// accept accepts connections until the socket is closed.
func (s *socket) accept() {
	for {
		c, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // There are too many open files, for example.
			s.log.Print(err)
			time.Sleep(100 * time.Millisecond)
		default:
			go s.serve(c)
		}
	}
}

// serve greets a peer and receives its messages until the connection ends.
func (s *socket) serve(c net.Conn) {
	defer c.Close()
	conn, err := zmtp.Accept(c, s.typ, greetLimit)
	if err != nil {
		return // It is no front end: a scan of ports, or one that has gone again.
	}
	p := &peer{Conn: conn, socket: s, gone: make(chan struct{}), wake: make(chan struct{}, 1)}
	if !s.add(p) {
		return
	}
	defer s.remove(p)
	go p.write()
	for {
		frames, err := p.Receive(maxMessage)
		switch {
		case errors.Is(err, zmtp.ErrTooLarge):
			s.log.Printf("a message of more than %d MiB is ignored", maxMessage>>20)
		case err != nil:
			return
		default:
			s.receive(p, frames)
		}
	}
}

func (s *socket) add(p *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.peers) == maxPeers {
		return false
	}
	s.peers = append(s.peers, p)
	return true
}

func (s *socket) remove(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = slices.DeleteFunc(s.peers, func(q *peer) bool { return q == p })
	close(p.gone)
	p.drop()
}

// all returns the peers.
func (s *socket) all() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.peers)
}

// named returns the newest peer with an identity; nil where there is none, or the identity is "".
func (s *socket) named(identity string) *peer {
	for _, p := range slices.Backward(s.all()) {
		if identity != "" && p.Identity == identity {
			return p
		}
	}
	return nil
}

// close ends the socket and its connections. What waits to be sent gets until the deadline.
func (s *socket) close(deadline time.Time) {
	s.listener.Close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, p := range s.all() {
		for !p.idle() && time.Now().Before(deadline) {
			time.Sleep(2 * time.Millisecond)
		}
		p.Close()
	}
}

// drop forgets what waits to be sent.
func (p *peer) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsent, p.size = nil, 0
}

func (p *peer) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size == 0
}

// current returns the connection that has taken p's place; p where none has.
func (p *peer) current() *peer {
	if q := p.socket.named(p.Identity); q != nil {
		return q
	}
	return p
}

// send has a message sent, and does not wait for it. A peer that does not read loses messages.
func (p *peer) send(frames [][]byte) {
	n := size(frames)
	limit := maxUnsent
	if n <= small {
		limit = smallUnsent
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.size > 0 && p.size+n > limit {
		return
	}
	select {
	case <-p.gone:
		return
	default:
	}
	p.unsent = append(p.unsent, frames)
	p.size += n
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// write sends what waits, until the connection ends.
func (p *peer) write() {
	defer p.Close()
	for {
		select {
		case <-p.wake:
		case <-p.gone:
			return
		}
		p.mu.Lock()
		messages := p.unsent
		p.unsent = nil
		p.mu.Unlock()
		for i, m := range messages {
			if p.Send(m) != nil {
				return
			}
			messages[i] = nil
			p.mu.Lock()
			p.size -= size(m)
			p.mu.Unlock()
		}
	}
}

// size is what a message costs in memory, about.
func size(frames [][]byte) int {
	n := 64
	for _, f := range frames {
		n += len(f)
	}
	return n
}

// subscribe takes a message with which a peer subscribes to a topic, or ends that, and says whether a topic is new.
func (p *peer) subscribe(frames [][]byte) (topic string, added bool) {
	if len(frames) != 1 || len(frames[0]) == 0 || len(frames[0]) > 256 {
		return "", false
	}
	topic = string(frames[0][1:])
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case frames[0][0] == 0:
		delete(p.topics, topic)
	case frames[0][0] == 1 && len(p.topics) < maxTopics:
		if p.topics == nil {
			p.topics = map[string]bool{}
		}
		p.topics[topic] = true
		return topic, true
	}
	return "", false
}

// subscribed says whether the peer wants messages of a topic.
func (p *peer) subscribed(topic string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.topics {
		if strings.HasPrefix(topic, t) {
			return true
		}
	}
	return false
}
