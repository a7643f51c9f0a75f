package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugin.so")
	write := func(data []byte) []byte {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := Identity(path)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	data := make([]byte, 5<<20)
	seen := [][]byte{write(data)}
	if !bytes.Equal(write(data), seen[0]) {
		t.Error("the same file has two identities")
	}
	for name, change := range map[string]func([]byte) []byte{
		"first byte":      func(b []byte) []byte { b[0] = 1; return b },
		"end of the head": func(b []byte) []byte { b[1<<20-1] = 1; return b },
		"begin of tail":   func(b []byte) []byte { b[4<<20] = 1; return b },
		"last byte":       func(b []byte) []byte { b[len(b)-1] = 1; return b },
		"longer":          func(b []byte) []byte { return append(b, 0) },
		"shorter":         func(b []byte) []byte { return b[:len(b)-1] },
		"empty":           func(b []byte) []byte { return nil },
	} {
		id := write(change(bytes.Clone(data)))
		for _, other := range seen {
			if bytes.Equal(id, other) {
				t.Errorf("%s: not told apart", name)
			}
		}
		seen = append(seen, id)
	}
	if _, err := Identity(path + "x"); err == nil {
		t.Error("a missing file has an identity")
	}
}

func TestLawKeysTellPartsApart(t *testing.T) {
	s := func(parts ...string) [][]byte {
		var out [][]byte
		for _, p := range parts {
			out = append(out, []byte(p))
		}
		return out
	}
	lists := [][][]byte{s(), s(""), s("", ""), s("ab"), s("a", "b"), s("", "ab"), s("ab", ""), s("b", "a"), s("a", "b", "")}
	for i, a := range lists {
		for j, b := range lists {
			if (keyOf(a...) == keyOf(b...)) != (i == j) {
				t.Errorf("%q and %q", a, b)
			}
		}
	}
}

func TestMachine(t *testing.T) {
	base := Machine()
	if Machine() != base {
		t.Error("two descriptions of one machine")
	}
	for _, name := range []string{"XLA_FLAGS", "TF_XLA_FLAGS"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "--xla_anything=1")
			if Machine() == base {
				t.Error("the flags make no difference")
			}
		})
	}
	file := filepath.Join(t.TempDir(), "flags")
	t.Setenv("XLA_FLAGS", file)
	seen := map[string]bool{Machine(): true}
	for _, content := range []string{"", "--xla_anything=1", "--xla_anything=2"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if now := Machine(); seen[now] {
			t.Errorf("flags %q in a file make no difference", content)
		} else {
			seen[now] = true
		}
	}
	if cpuFeatures() == "" {
		t.Error("the processor has no features")
	}
}
