// Package jupytertest is a kernel for tests. Its cells are scripts of one command a line:
//
//	print TEXT                 to standard output, with a line end
//	warn TEXT                  to standard error
//	TYPE JSON                  publish a message of a type, such as display_data
//	fill N                     display a text of N bytes
//	raise NAME TEXT            end with an error
//	reply JSON                 reply this
//	request                    print the metadata of the request, and whether it stops on an error
//	late TEXT                  print after the reply
//	foreign, forge             publish a message of another request; one with a wrong signature
//	ask                        ask for input
//	exit TEXT                  end the kernel with status 2, after these words to its standard error
//	write FILE                 write the kernel's process number into a file
//	wait                       until an interrupt
//	hang                       for ever
package jupytertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zeromq/zmq4"

	"lucigo/kernel/jupyter/wire"
)

// env tells a process that it is a kernel, and what its start is: "", "exits" or "silent".
const env = "JUPYTERTEST_KERNEL"

// Main is for TestMain to call first. In a process that is a kernel it does not return.
func Main() {
	start, ok := os.LookupEnv(env)
	if !ok {
		return
	}
	switch start {
	case "exits":
		os.Stderr.WriteString("cannot bind\n")
		os.Exit(3)
	case "silent":
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	k, err := listen(os.Args[1])
	for err == nil {
		err = k.serve()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Argv starts the kernel: the test program itself.
func Argv() []string { return []string{os.Args[0], "{connection_file}"} }

// Env is the environment of a kernel. Its start may be "exits", at once, or "silent", which answers nothing; else "".
func Env(start string) []string { return append(os.Environ(), env+"="+start) }

const (
	shell = iota + 1
	iopub
	stdin
	control
)

type kernel struct {
	wire.Session
	sockets     map[int]zmq4.Socket
	interrupted chan struct{}
	count       int
}

func listen(connection string) (*kernel, error) {
	b, err := os.ReadFile(connection)
	if err != nil {
		return nil, err
	}
	var c struct{ IP, Key string }
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	ctx := context.Background()
	k := &kernel{Session: wire.Session{Key: []byte(c.Key), ID: "fake"}, interrupted: make(chan struct{}, 1), sockets: map[int]zmq4.Socket{
		shell: zmq4.NewRouter(ctx), iopub: zmq4.NewPub(ctx), stdin: zmq4.NewRouter(ctx), control: zmq4.NewRouter(ctx)}}
	for port, s := range k.sockets {
		if err := s.Listen(fmt.Sprintf("ipc://%s-%d", c.IP, port)); err != nil {
			return nil, err
		}
	}
	go k.control()
	return k, nil
}

func (k *kernel) control() {
	for {
		r, err := k.receive(control)
		switch {
		case err != nil:
			return
		case r.Header.Type == "shutdown_request":
			os.Exit(0)
		case r.Header.Type == "interrupt_request":
			select {
			case k.interrupted <- struct{}{}:
			default:
			}
		}
	}
}

func (k *kernel) receive(port int) (wire.Message, error) {
	z, err := k.sockets[port].Recv()
	if err != nil {
		return wire.Message{}, err
	}
	return k.Decode(z.Frames)
}

// send sends a message: an answer to where r came from, or a publication.
func (k *kernel) send(port int, r wire.Message, parent wire.Header, typ string, content any) {
	_, frames, err := k.Encode(typ, parent, nil, content)
	if err != nil {
		panic(err)
	}
	if port != iopub {
		frames = append(slices.Clone(r.Route), frames...)
	}
	k.sockets[port].SendMulti(zmq4.NewMsgFrom(frames...))
}

// serve answers one request.
func (k *kernel) serve() error {
	r, err := k.receive(shell)
	if err != nil {
		return err
	}
	publish := func(typ string, content any) { k.send(iopub, r, r.Header, typ, content) }
	text := func(name, text string) { publish("stream", map[string]string{"name": name, "text": text}) }
	reply, late := map[string]any{"status": "ok"}, ""
	if r.Header.Type == "execute_request" {
		var request struct {
			Code  string
			Stops bool `json:"stop_on_error"`
		}
		if err := json.Unmarshal(r.Content, &request); err != nil {
			return err
		}
		k.count++
		reply["execution_count"] = k.count
		for line := range strings.Lines(request.Code) {
			command, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch command {
			case "", "//":
			case "print":
				text("stdout", rest+"\n")
			case "warn":
				text("stderr", rest+"\n")
			case "fill":
				n, err := strconv.Atoi(rest)
				if err != nil {
					return err
				}
				publish("display_data", map[string]any{"data": map[string]string{"text/plain": strings.Repeat("x", n)}})
			case "raise":
				name, value, _ := strings.Cut(rest, " ")
				reply["status"], reply["ename"], reply["evalue"], reply["traceback"] = "error", name, value, []string{name + ": " + value}
				publish("error", reply)
			case "reply":
				clear(reply)
				if err := json.Unmarshal([]byte(rest), &reply); err != nil {
					return err
				}
			case "request":
				text("stdout", fmt.Sprintf("%s %v\n", r.Metadata, request.Stops))
			case "late":
				late = rest + "\n"
			case "foreign":
				k.send(iopub, r, wire.Header{ID: "another"}, "stream", map[string]string{"name": "stdout", "text": "foreign\n"})
			case "forge":
				forger := *k
				forger.Key = []byte("wrong")
				forger.send(iopub, r, r.Header, "stream", map[string]string{"name": "stdout", "text": "forged\n"})
			case "ask":
				k.send(stdin, r, r.Header, "input_request", map[string]any{"prompt": "?"})
			case "exit":
				time.Sleep(50 * time.Millisecond) // What was published must get out.
				fmt.Fprintln(os.Stderr, rest)
				os.Exit(2)
			case "write":
				if err := os.WriteFile(rest, fmt.Append(nil, os.Getpid()), 0o666); err != nil {
					return err
				}
			case "wait":
				<-k.interrupted
				reply["status"], reply["ename"], reply["evalue"] = "error", "Interrupt", "interrupted"
				publish("error", reply)
			case "hang":
				select {}
			default:
				publish(command, json.RawMessage(rest))
			}
		}
	}
	k.send(shell, r, r.Header, strings.TrimSuffix(r.Header.Type, "request")+"reply", reply)
	if late != "" {
		time.Sleep(20 * time.Millisecond) // Outputs may come after the reply.
		text("stdout", late)
	}
	publish("status", map[string]string{"execution_state": "idle"})
	return nil
}
