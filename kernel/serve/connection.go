package serve

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
)

// connection is a connection file: where a kernel listens, and the key of its messages.
type connection struct {
	Transport string `json:"transport"`
	IP        string `json:"ip"` // for ipc the beginning of the sockets' paths
	Scheme    string `json:"signature_scheme"`
	Key       string `json:"key"`
	Ports
}

// Ports are the numbers of the five sockets.
type Ports struct {
	Shell     int `json:"shell_port"`
	Control   int `json:"control_port"`
	Stdin     int `json:"stdin_port"`
	IOPub     int `json:"iopub_port"`
	Heartbeat int `json:"hb_port"`
}

func readConnection(file string) (c connection, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("serve: the connection file: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("serve: the connection file %s: %w", file, err)
	}
	if c.Transport == "" {
		c.Transport = "tcp"
	}
	if c.Transport != "tcp" && c.Transport != "ipc" {
		return c, fmt.Errorf("serve: transport is %q, must be tcp or ipc", c.Transport)
	}
	if c.IP == "" {
		return c, fmt.Errorf("serve: ip is empty, must be an address")
	}
	if c.Scheme != "hmac-sha256" && c.Key != "" {
		return c, fmt.Errorf("serve: signature_scheme is %q, must be hmac-sha256", c.Scheme)
	}
	return c, nil
}

func (c connection) listen(port int) (net.Listener, error) {
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("serve: a port is %d, must be from 1 to 65535", port)
	}
	if c.Transport == "ipc" {
		path := c.IP + "-" + strconv.Itoa(port)
		if i, err := os.Lstat(path); err == nil && i.Mode().Type() == fs.ModeSocket {
			os.Remove(path) // A kernel that was killed has left it.
		}
		return net.Listen("unix", path)
	}
	host := c.IP
	if host == "*" {
		host = ""
	}
	return net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}
