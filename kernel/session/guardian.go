//go:build unix

package session

import (
	"encoding/binary"
	"encoding/gob"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Guard is the guard's main: it starts what it is told to until standard input ends, and then kills the processes of
// the session of that token and removes its directory.
func Guard(dir, token string) {
	// Signals are handled, not ignored: cells would inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	adopt()
	if conn, err := connOf(os.Stdin); err == nil {
		groups := serveOrders(conn)
		endChildren()
		for pid := range groups {
			syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
	endMembers(token)
	if strings.HasPrefix(filepath.Base(dir), dirPrefix) {
		os.RemoveAll(dir)
	}
}

// serveOrders follows orders until no more come. It returns the groups that it has started, where the system does not
// tell which processes are whose.
func serveOrders(conn *net.UnixConn) map[int]bool {
	var mu sync.Mutex // A program's start is told before its end.
	enc := gob.NewEncoder(conn)
	dead := make(chan os.Signal, 1)
	signal.Notify(dead, syscall.SIGCHLD)
	go func() {
		for range dead {
			reap(func(pid int, s syscall.WaitStatus) {
				mu.Lock()
				defer mu.Unlock()
				enc.Encode(answer{Pid: pid, Ended: true, Status: s})
			})
		}
	}()
	groups := map[int]bool{}
	for {
		text, files, err := receive(conn)
		if err != nil {
			return groups
		}
		mu.Lock()
		var a answer
		if a.Pid, err = follow(text, files); err != nil {
			a.Err = err.Error()
		}
		enc.Encode(a)
		mu.Unlock()
		if runtime.GOOS != "linux" && err == nil {
			groups[a.Pid] = true
			for pid := range groups { // Numbers of groups that have ended may come again.
				if syscall.Kill(-pid, 0) == syscall.ESRCH {
					delete(groups, pid)
				}
			}
		}
		for _, fd := range files {
			syscall.Close(fd)
		}
	}
}

// follow starts what an order says.
func follow(text []byte, files []int) (pid int, err error) {
	var o order
	if err := gob.NewDecoder(strings.NewReader(string(text))).Decode(&o); err != nil {
		return 0, err
	}
	if _, err := os.Stat(o.Dir); err != nil { // Else the error would name the program.
		return 0, err
	}
	attr := &syscall.ProcAttr{Dir: o.Dir, Env: o.Env, Sys: &syscall.SysProcAttr{Setpgid: true}}
	for _, fd := range files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	if pid, err = syscall.ForkExec(o.Path, o.Args, attr); err != nil {
		err = &os.PathError{Op: "fork/exec", Path: o.Path, Err: err}
	}
	return pid, err
}

// reap takes leave of all children that have ended.
func reap(each func(pid int, s syscall.WaitStatus)) {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		each(pid, s)
	}
}

// maxFiles is more than an order comes with.
const maxFiles = 8

// send sends a text with files: its length comes first, and the files with that.
func send(conn *net.UnixConn, text string, files []*os.File) error {
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	if _, _, err := conn.WriteMsgUnix(head, syscall.UnixRights(fds...), nil); err != nil {
		return err
	}
	_, err := io.WriteString(conn, text)
	runtime.KeepAlive(files)
	return err
}

// receive receives what send has sent.
func receive(conn *net.UnixConn) (text []byte, files []int, err error) {
	head, oob := make([]byte, 4), make([]byte, syscall.CmsgSpace(4*maxFiles))
	n, k, _, _, err := conn.ReadMsgUnix(head, oob)
	if err != nil || n != len(head) {
		return nil, nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:k])
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		if files, err = syscall.ParseUnixRights(&m); err != nil {
			return nil, nil, err
		}
	}
	text = make([]byte, binary.LittleEndian.Uint32(head))
	_, err = io.ReadFull(conn, text)
	return text, files, err
}

// endChildren kills the processes that this one has started or adopted, until it has none that it may kill. Each goes
// with its group: of processes that start the next and end, one is there when the signal comes.
func endChildren() {
	own := syscall.Getpgrp()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		reap(func(int, syscall.WaitStatus) {})
		left := false
		for _, pid := range children() {
			if group, err := syscall.Getpgid(pid); err == nil && group > 1 && group != own {
				syscall.Kill(-group, syscall.SIGKILL)
			}
			left = syscall.Kill(pid, syscall.SIGKILL) != syscall.EPERM || left
		}
		if !left {
			return
		}
	}
}

// endMembers kills the processes of the session of that token.
func endMembers(token string) {
	for range 20 { // One may start another meanwhile.
		all := members(token)
		if len(all) == 0 {
			break
		}
		for _, pid := range all {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// endLeft kills the processes of a session whose kernel and guard were both killed.
func endLeft(dir string) {
	if token, err := os.ReadFile(filepath.Join(dir, tokenFile)); err == nil && len(token) > 0 {
		endMembers(string(token))
	}
}
