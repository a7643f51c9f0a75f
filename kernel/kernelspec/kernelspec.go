// Package kernelspec makes a kernel known to Jupyter's front ends and to editors: a file that says how to start it.
package kernelspec

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"lucigo/internal/atomicfile"
)

// Name is the kernel's name, as notebooks hold it; DisplayName is for people.
const (
	Name        = "lucigo"
	DisplayName = "Go (LuciGo)"
)

// spec is a kernel specification, as kernel.json holds it.
type spec struct {
	Argv          []string          `json:"argv"` // "{connection_file}" is replaced by what Jupyter passes
	DisplayName   string            `json:"display_name"`
	Language      string            `json:"language"`
	InterruptMode string            `json:"interrupt_mode"`
	Env           map[string]string `json:"env"`
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
	case os.Getenv("XDG_DATA_HOME") != "":
		return filepath.Join(os.Getenv("XDG_DATA_HOME"), "jupyter"), nil
	case err == nil:
		return filepath.Join(home, ".local", "share", "jupyter"), nil
	}
	return "", fmt.Errorf("kernelspec: there is no directory for Jupyter's data (%w): set JUPYTER_DATA_DIR to one", err)
}

// logos are the kernel's pictures, which front ends find by their names.
//
//go:embed logo-svg.svg logo-64x64.png logo-32x32.png
var logos embed.FS

func file(dataDir string) string { return filepath.Join(dataDir, "kernels", Name, "kernel.json") }

// Write puts the specification of the kernel that launcher (an absolute path) starts, with env in its environment,
// and the kernel's pictures, below dataDir, and returns the specification's file. What is there already is replaced.
func Write(dataDir, launcher string, env map[string]string) (string, error) {
	b, err := json.MarshalIndent(spec{[]string{launcher, "{connection_file}"}, DisplayName, "go", "message", env}, "", " ")
	if err != nil {
		return "", err
	}
	name := file(dataDir)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return "", err
	}
	pictures, err := logos.ReadDir(".")
	if err != nil {
		return "", err
	}
	for _, p := range pictures {
		picture, err := logos.ReadFile(p.Name())
		if err != nil {
			return "", err
		}
		if err := atomicfile.WriteFile(filepath.Join(filepath.Dir(name), p.Name()), picture, 0o644); err != nil {
			return "", err
		}
	}
	return name, atomicfile.WriteFile(name, append(b, '\n'), 0o644)
}

// Launcher is the program that the specification below dataDir starts; the error is fs.ErrNotExist where there is none.
func Launcher(dataDir string) (string, error) {
	b, err := os.ReadFile(file(dataDir))
	if err != nil {
		return "", err
	}
	var s spec
	if err := json.Unmarshal(b, &s); err != nil {
		return "", fmt.Errorf("kernelspec: %s: %w", file(dataDir), err)
	}
	if len(s.Argv) == 0 {
		return "", fmt.Errorf("kernelspec: %s has no argv", file(dataDir))
	}
	return s.Argv[0], nil
}
