package interptest

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
)

// WriteArray writes numbers to a file for another program that a test compares with: little-endian, one after the other.
func WriteArray[T int32 | float32 | float64](t testing.TB, path string, v []T) {
	t.Helper()
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ReadArray reads all numbers of a file that another program has written as WriteArray does.
func ReadArray[T int32 | float32 | float64](t testing.TB, path string) []T {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var one T
	v := make([]T, len(b)/binary.Size(one))
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, v); err != nil {
		t.Fatal(err)
	}
	return v
}
