// Package plugin opens a PJRT plugin for go-xla and keeps what it compiles.
//
// PJRT hands out one table of functions. The package loads the plugin itself, copies that table, replaces the function
// that compiles by one that looks into a cache directory first, and registers the copy with go-xla under a name of its
// own. Everything else goes straight to the plugin.
package plugin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"

	"lucigo/interp/engine/internal/diskcache"
)

// format is part of every key; a change of what is stored, or how, needs a new one.
const format = "lucigo pjrt 2"

// Stats counts what the cache did for one client.
type Stats struct {
	// Hits is how many programs were loaded instead of compiled; Misses how many were compiled because no usable
	// entry was there; Refused how many were compiled because the plugin would not load an intact entry.
	Hits, Misses, Refused int
	// Stored is how many compiled programs were written.
	Stored int
	// Problem is the last thing that went wrong, "" if nothing did. No problem of the cache ever fails a compilation.
	Problem string
}

// Identity is a digest of a plugin file's head, tail and size: enough to tell two builds apart without reading all
// of a file of hundreds of megabytes.
func Identity(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	const part = 1 << 20
	h := sha256.New()
	fmt.Fprintln(h, info.Size())
	for _, from := range []int64{0, max(0, info.Size()-part)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, from, part)); err != nil {
			return nil, err
		}
	}
	return h.Sum(nil), nil
}

// Machine describes what else machine code depends on: the processor's features and number, and the flags that XLA
// reads from the environment.
func Machine() string {
	return fmt.Sprintf("%s/%s cpus=%d features=%q XLA_FLAGS=%q TF_XLA_FLAGS=%q", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		cpuFeatures(), flags("XLA_FLAGS"), flags("TF_XLA_FLAGS"))
}

// flags returns the value of a variable and, where XLA takes that for the name of a file, what is in it.
func flags(variable string) []string {
	value := os.Getenv(variable)
	if text := strings.TrimSpace(value); text == "" || text[0] == '-' {
		return []string{value}
	}
	info, err := os.Stat(value)
	if err != nil || !info.Mode().IsRegular() {
		return []string{value, "no file"}
	}
	content, err := os.ReadFile(value)
	return []string{value, string(content), fmt.Sprint(err)}
}

// cpuFeatures names the features of the first processor: all that Linux lists, elsewhere those that Go knows.
func cpuFeatures() string {
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		first, _, _ := bytes.Cut(info, []byte("\n\n"))
		var keep []byte
		for line := range bytes.Lines(first) {
			for _, name := range []string{"model name", "flags", "Features", "CPU implementer", "CPU part"} {
				if bytes.HasPrefix(line, []byte(name)) {
					keep = append(keep, line...)
				}
			}
		}
		if len(keep) > 0 {
			return string(keep)
		}
	}
	return fmt.Sprintf("%+v %+v", cpu.X86, cpu.ARM64)
}

// keyOf hashes the parts so that no two different lists give the same bytes.
func keyOf(parts ...[]byte) diskcache.Key {
	h := sha256.New()
	h.Write([]byte(format))
	for _, p := range parts {
		var size [8]byte
		binary.LittleEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	return diskcache.Key(h.Sum(nil))
}
