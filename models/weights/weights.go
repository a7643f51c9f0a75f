// Package weights finds the files of trained weights that networks need.
//
// A file is looked for by its name in the directories that the environment variable LUCIGO_MODELS lists
// (as PATH does) and in their folders, one level deep, then in the cache, the folder models of LUCIGO_CACHE.
// A file that is nowhere is downloaded into the cache by the command lucigo/kernel/models, which runs as a
// process of its own: what looks inside networks carries no HTTP client along.
//
// Every file is checked against its size and SHA-256. That takes longer than reading it, so it happens
// once: the cache remembers files that were right, by path, size and time of change.
package weights

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"lucigo/internal/digest"
	"lucigo/internal/project"

	"golang.org/x/term"
)

// envModels lists directories with weight files.
const envModels = "LUCIGO_MODELS"

// File is a file of weights that is published somewhere.
type File struct {
	// Model is the name by which package models knows the network.
	Model string

	// Name is the file's name, Size its length in bytes, and SHA256 its hash, in lower-case hexadecimal.
	Name   string
	Size   int64
	SHA256 string

	// Origin says whose weights these are, under which licence, and where they come from.
	Origin string

	// Parts are what is published of the file. Join turns them, one after the other, into the file, and PartsSHA256 is
	// their hash; both are left out where the parts are the file.
	Parts       []Part
	PartsSHA256 string
	Join        func(parts []byte) ([]byte, error)
}

// Part is something published: its address and length in bytes.
type Part struct {
	URL  string
	Size int64
}

// Find returns the path of the file, after downloading it if need be. When ctx ends it returns at once;
// what has arrived by then is kept, and the next download goes on there.
//
// A file of the right name and the wrong content in LUCIGO_MODELS is an error. Without a network, the
// error says which file to put where.
func Find(ctx context.Context, f File) (string, error) {
	if path, err := f.Here(ctx); path != "" || err != nil {
		return path, err
	}
	cached, err := f.Cached()
	if err != nil {
		return "", err
	}
	if err := fetch(ctx, f); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if !strings.Contains(err.Error(), f.ByHand()) {
			err = fmt.Errorf("%w\n%s", err, f.ByHand())
		}
		return "", err
	}
	return cached, f.verify(ctx, cached)
}

// Here returns the path of the file on this machine, or "" if it is not there. A file in the cache whose
// content is wrong is removed.
func (f File) Here(ctx context.Context) (string, error) {
	for _, dir := range filepath.SplitList(os.Getenv(envModels)) {
		if dir == "" {
			continue
		}
		below, _ := fs.Glob(os.DirFS(dir), "*/"+f.Name) // whatever is wrong with the directory will be met
		for _, name := range append([]string{f.Name}, below...) {
			path := filepath.Join(dir, filepath.FromSlash(name))
			switch err := f.verify(ctx, path); {
			case err == nil:
				return path, nil
			case !errors.Is(err, fs.ErrNotExist):
				return "", err
			}
		}
	}
	cached, err := f.Cached()
	if err != nil {
		return "", err
	}
	err = f.verify(ctx, cached)
	switch _, wrong := err.(wrongError); {
	case err == nil:
		return cached, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case wrong:
		return "", os.Remove(cached)
	}
	return "", err
}

// Cached returns where the cache keeps the file, whether it is there or not.
func (f File) Cached() (string, error) { return project.Cache("models", f.Name) }

// ByHand says in a sentence which file to put where.
func (f File) ByHand() string {
	where := "a directory that " + envModels + " names"
	if path, err := f.Cached(); err == nil {
		where = filepath.Dir(path) + ", or into " + where
	}
	return fmt.Sprintf("without a network, put %s (%d bytes, SHA-256 %s) into %s; on a machine with one, `go run ./kernel models fetch %s` makes it (%s)",
		f.Name, f.Size, f.SHA256, where, f.Model, f.Origin)
}

// wrongError says that a file is not the one it is named after.
type wrongError struct{ error }

// verify returns nil if the file at path is right, a wrongError if it is not.
func (f File) verify(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() != f.Size {
		return wrongError{fmt.Errorf("%s has %d bytes, must have %d: it is truncated or another file; remove it", path, info.Size(), f.Size)}
	}
	note, text, err := f.note(path, info)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(note); err == nil && string(old) == text {
		return nil
	}
	sum, err := digest.SHA256(ctx, path)
	if err != nil {
		return err
	}
	if sum != f.SHA256 {
		return wrongError{fmt.Errorf("%s has SHA-256 %s, must have %s: it is damaged or another file; remove it", path, sum, f.SHA256)}
	}
	// Where the note cannot be written the file is checked again the next time, and half a note does not count.
	if os.MkdirAll(filepath.Dir(note), 0o700) == nil {
		_ = os.WriteFile(note, []byte(text), 0o600)
	}
	return nil
}

// note returns the file by which the cache remembers that the file at path was right, and what it says.
func (f File) note(path string, info fs.FileInfo) (note, text string, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return "", "", err
	}
	name := sha256.Sum256([]byte(path))
	note, err = project.Cache("models", "verified", hex.EncodeToString(name[:16]))
	text = fmt.Sprintf("%s\n%d bytes\n%s\nSHA-256 %s\n", path, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano), f.SHA256)
	return note, text, err
}

// fetch runs the command lucigo/kernel/models: built first, since killing `go run` leaves its program alive.
// The command is looked for from the project's directory, LUCIGO_ROOT, or else from where the process runs.
func fetch(ctx context.Context, f File) error {
	dir, err := os.MkdirTemp("", "lucigo-fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "models")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "lucigo/kernel/models")
	build.Dir = os.Getenv(project.EnvRoot)
	build.WaitDelay = time.Second
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s is not on this machine, and the command that downloads it does not build: %w\n%s", f.Name, err, bytes.TrimSpace(out))
	}
	run := exec.CommandContext(ctx, program, "fetch", f.Model)
	run.WaitDelay = time.Second
	var said strings.Builder
	run.Stdout, run.Stderr = &said, &said
	if term.IsTerminal(int(os.Stderr.Fd())) {
		run.Stderr = os.Stderr // where progress and errors are seen
	}
	if err := run.Run(); err != nil {
		return fmt.Errorf("%s is not on this machine, and downloading it failed: %w\n%s", f.Name, err, strings.TrimSpace(said.String()))
	}
	return nil
}
