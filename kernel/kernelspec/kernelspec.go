// Package kernelspec makes a kernel known to Jupyter's front ends and to editors: a file that says how to start it.
package kernelspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Name is the kernel's name, as notebooks hold it; DisplayName is for people.
const (
	Name        = "lucigo"
	DisplayName = "Go (LuciGo)"
)

// Spec is a kernel specification, as kernel.json holds it.
type Spec struct {
	Argv          []string          `json:"argv"` // "{connection_file}" is replaced by what Jupyter passes
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
}

// New is the specification of the kernel that launcher (an absolute path) starts, with env in its environment.
func New(launcher string, env map[string]string) Spec {
	return Spec{Argv: []string{launcher, "{connection_file}"}, DisplayName: DisplayName, Language: "go", InterruptMode: "message", Env: env}
}

// DataDir is where Jupyter looks for the user's own kernels, in the directory kernels.
func DataDir() (string, error) {
	if dir := os.Getenv("JUPYTER_DATA_DIR"); dir != "" {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	switch {
	case runtime.GOOS == "darwin" && err == nil:
		return filepath.Join(home, "Library", "Jupyter"), nil
	case runtime.GOOS == "windows" && os.Getenv("APPDATA") != "":
		return filepath.Join(os.Getenv("APPDATA"), "jupyter"), nil
	case os.Getenv("XDG_DATA_HOME") != "":
		return filepath.Join(os.Getenv("XDG_DATA_HOME"), "jupyter"), nil
	case err == nil:
		return filepath.Join(home, ".local", "share", "jupyter"), nil
	}
	return "", fmt.Errorf("no directory for Jupyter's data (%w): set JUPYTER_DATA_DIR to one", err)
}

func file(dataDir string) string { return filepath.Join(dataDir, "kernels", Name, "kernel.json") }

// Write puts the specification below dataDir and returns its file. What is there already is replaced.
func (s Spec) Write(dataDir string) (string, error) {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return "", err
	}
	name := file(dataDir)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return "", err
	}
	return name, os.WriteFile(name, append(b, '\n'), 0o666)
}

// Read reads the specification below dataDir; its error is fs.ErrNotExist where there is none.
func Read(dataDir string) (Spec, error) {
	b, err := os.ReadFile(file(dataDir))
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	if err := json.Unmarshal(b, &s); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", file(dataDir), err)
	}
	if len(s.Argv) == 0 {
		return Spec{}, errors.New(file(dataDir) + ": it has no argv")
	}
	return s, nil
}
