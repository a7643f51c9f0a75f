package lab

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// server is a running Jupyter server.
type server struct {
	base string // its address
	dir  string // what it serves
	log  string // the file of its log
	cmd  *exec.Cmd
	done chan struct{}
}

var (
	serversMu sync.Mutex
	servers   []*server
)

func closeServers() {
	serversMu.Lock()
	defer serversMu.Unlock()
	for _, s := range servers {
		s.close()
	}
}

// frontEnd is a front end that runs in the browser.
type frontEnd struct {
	name, program, app string
	path               string // of a notebook's page
}

var frontEnds = []frontEnd{
	{"lab", "jupyter-lab", "LabApp", "/lab/workspaces/test/tree/%s?reset"},
	{"notebook", "jupyter-notebook", "JupyterNotebookApp", "/notebooks/%s"},
}

// serve starts the front end's server for a directory. No notebook is trusted at first. Settings are those of a user
// who has a theme.
func (f frontEnd) serve(t *testing.T, e environment, dir, theme string) *server {
	t.Helper()
	own, err := os.MkdirTemp(scratch, "server-")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"apputils-extension/notification": `{"fetchNews":"false","checkForUpdates":false}`,
		"apputils-extension/themes":       fmt.Sprintf(`{"theme":%q}`, theme),
		"docmanager-extension/plugin":     `{"autosave":false}`, // It would meet the tests' own saving.
	} {
		file := filepath.Join(own, "settings", "@jupyterlab", name+".jupyterlab-settings")
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := &server{base: fmt.Sprintf("http://127.0.0.1:%d", port), dir: dir, log: filepath.Join(own, "log"), done: make(chan struct{})}
	s.cmd = e.program(dir, f.program, "--no-browser", "--allow-root", "--ip=127.0.0.1", fmt.Sprint("--port=", port),
		"--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.root_dir="+dir,
		"--"+f.app+".expose_app_in_browser=True", "--NotebookNotary.db_file=:memory:", "--ServerApp.disable_check_xsrf=True")
	s.cmd.Env = append(s.cmd.Env, "JUPYTERLAB_SETTINGS_DIR="+filepath.Join(own, "settings"),
		"JUPYTERLAB_WORKSPACES_DIR="+filepath.Join(own, "workspaces"))
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.cmd.Wait()
		close(s.done)
	}()
	serversMu.Lock()
	servers = append(servers, s)
	serversMu.Unlock()
	t.Cleanup(s.close)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if r, err := http.Get(s.base + "/api/status"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return s
			}
		}
		select {
		case <-s.done:
			t.Fatalf("%s ended:\n%s", f.program, s.lines())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer:\n%s", f.program, s.lines())
		}
	}
}

// close ends the server as Ctrl-C does, which ends its kernels.
func (s *server) close() {
	select {
	case <-s.done:
		return
	default:
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
	}
}

// lines is the log.
func (s *server) lines() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b))
}

// checkEnd closes the server, after which no kernel is left.
func (s *server) checkEnd(t *testing.T) {
	begin := time.Now()
	s.close()
	t.Logf("%.1f s", time.Since(begin).Seconds())
	var left []string
	for range 50 {
		left = left[:0]
		files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range files {
			if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), "gokernel") && strings.Contains(string(b), scratch) {
				left = append(left, strings.ReplaceAll(string(b), "\x00", " "))
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("what is left: %q", left)
}
