// Package lab proves the kernel in the front ends that people use: JupyterLab and Notebook 7 in a real Chromium,
// nbconvert, nbclient, nbmake and papermill, and Jupyter's own tests of a kernel. It is a module of its own, so that
// the project does not require a browser's driver.
//
//	go test -C testdata/lab -timeout 30m                       everything, with the first lecture notebook
//	go test -C testdata/lab -timeout 90m -args -lecture '*'    with all lecture notebooks
//	go test -C testdata/lab -run /lab/ -args -shots /tmp/shots with pictures of what was seen
//
// It needs Chromium and Python 3.10 or later with its venv module, and skips with a line that says so where one is
// missing. The first time it makes a Python environment, for which it needs a package index.
package lab

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	lecture   = flag.String("lecture", "01*", "pattern of the lecture notebooks that are run in the browser")
	shots     = flag.String("shots", "", "directory for pictures of what the browser shows")
	pythonDir = flag.String("python", os.Getenv("LUCIGO_TEST_PYTHON"), "directory of the Python environment (default: in the user's cache)")
)

//go:embed requirements.txt
var requirements string

// environment is what the tests run in.
type environment struct {
	root   string // the project's directory
	python string // the directory of Python's programs
	data   string // Jupyter's data directory, with the kernel
}

// setup makes the environment, once. Its error says what is missing.
var setup = sync.OnceValues(func() (environment, error) {
	var e environment
	root, err := filepath.Abs("../..")
	if err != nil {
		return e, err
	}
	e.root = root
	if e.python, err = pythonEnvironment(); err != nil {
		return e, err
	}
	e.data = filepath.Join(scratch, "data")
	install := exec.Command("go", "run", "./kernel", "install")
	install.Dir, install.Env = e.root, append(os.Environ(), "JUPYTER_DATA_DIR="+e.data)
	if out, err := install.CombinedOutput(); err != nil {
		return e, fmt.Errorf("go run ./kernel install: %w\n%s", err, out)
	}
	return e, nil
})

// scratch is removed in the end.
var scratch string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "front-ends-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	end := sync.OnceFunc(func() {
		closeServers()
		closeBrowser()
		for range 50 { // The browser's processes still write.
			if os.RemoveAll(dir) == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		end()
		os.Exit(1)
	}()
	code := m.Run()
	end()
	os.Exit(code)
}

// need is the environment, or skips.
func need(t *testing.T) environment {
	t.Helper()
	if _, err := pythonEnvironment(); err != nil {
		t.Skip("SKIPPED, no Python environment: ", err)
	}
	e, err := setup()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// pythonEnvironment makes a Python environment with what requirements.txt lists, once, and returns the directory of
// its programs.
var pythonEnvironment = sync.OnceValues(func() (string, error) {
	dir := *pythonDir
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "lucigo", "front-ends")
	}
	bin := filepath.Join(dir, "bin")
	sum := sha256.Sum256([]byte(requirements))
	stamp := filepath.Join(dir, "complete-"+hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(stamp); err == nil {
		return bin, nil
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		return "", fmt.Errorf("%w: install Python 3.10 or later", err)
	}
	fmt.Fprintln(os.Stderr, "making the Python environment", dir, "(once)")
	install := append([]string{filepath.Join(bin, "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"},
		strings.Fields(requirements)...)
	for _, args := range [][]string{{python, "-m", "venv", dir}, install} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: it needs Python's venv module and a package index\n%s", strings.Join(args[:4], " "), err, out)
		}
	}
	return bin, os.WriteFile(stamp, nil, 0o666)
})

// program is a command of the Python environment, with the kernel installed for it, in dir.
func (e environment) program(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(e.python, name), args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+e.python+":"+os.Getenv("PATH"), "JUPYTER_DATA_DIR="+e.data,
		"JUPYTER_CONFIG_DIR="+filepath.Join(scratch, "config"), "JUPYTER_RUNTIME_DIR="+filepath.Join(scratch, "runtime"),
		"JUPYTER_PREFER_ENV_PATH=1", "PYDEVD_DISABLE_FILE_VALIDATION=1")
	return cmd
}
