package wire

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func tag(b []byte, n protowire.Number, t protowire.Type) []byte { return protowire.AppendTag(b, n, t) }

func TestFields(t *testing.T) {
	var b []byte
	b = protowire.AppendVarint(tag(b, 1, protowire.VarintType), 1<<64-1)
	b = protowire.AppendString(tag(b, 2, protowire.BytesType), "name")
	b = protowire.AppendFixed32(tag(b, 3, protowire.Fixed32Type), 0x04030201)
	b = protowire.AppendBytes(tag(b, 4, protowire.BytesType), []byte{5, 0xac, 2})
	b = protowire.AppendVarint(tag(b, 4, protowire.VarintType), 9)
	b = protowire.AppendFixed64(tag(b, 5, protowire.Fixed64Type), 7)
	b = protowire.AppendGroup(tag(b, 6, protowire.StartGroupType), 6, tag(nil, 1, protowire.VarintType)[:0])
	b = protowire.AppendBytes(tag(b, 3, protowire.BytesType), []byte{1, 2, 3, 4, 5, 6, 7, 8})

	var seen []int
	var ints []int64
	var fixed []byte
	var damaged error
	for f := range Fields(b, &damaged) {
		seen = append(seen, f.Number)
		switch f.Number {
		case 1:
			if v, err := f.Int(); err != nil || v != -1 {
				t.Errorf("field 1 is %d, %v", v, err)
			}
			if _, err := f.Bytes(); err == nil {
				t.Error("an integer is read as bytes")
			}
			if _, err := f.Fixed(4); err == nil {
				t.Error("an integer is read as fixed")
			}
		case 2:
			if v, err := f.Bytes(); err != nil || string(v) != "name" {
				t.Errorf("field 2 is %q, %v", v, err)
			}
			if _, err := f.Int(); err == nil {
				t.Error("a string is read as an integer")
			}
		case 3:
			v, err := f.Fixed(4)
			if err != nil {
				t.Error(err)
			}
			fixed = append(fixed, v...)
			if _, err := f.Fixed(8); err == nil && len(v) == 4 {
				t.Error("32 bits are read as 64")
			}
		case 4:
			var err error
			if ints, err = f.Ints(ints, 3); err != nil {
				t.Error(err)
			}
			if _, err := f.Ints(ints, 2); err == nil {
				t.Error("more integers than allowed")
			}
		case 5:
			if _, err := f.Fixed(4); err == nil {
				t.Error("64 bits are read as 32")
			}
			if v, err := f.Fixed(8); err != nil || v[0] != 7 {
				t.Errorf("field 5 is %v, %v", v, err)
			}
		}
	}
	if want := []int{1, 2, 3, 4, 4, 5, 6, 3}; !slices.Equal(seen, want) || damaged != nil {
		t.Errorf("fields %v, want %v; %v", seen, want, damaged)
	}
	if want := []int64{5, 300, 9}; !slices.Equal(ints, want) {
		t.Errorf("integers %v, want %v", ints, want)
	}
	if want := []byte{1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(fixed, want) {
		t.Errorf("numbers %v, want %v", fixed, want)
	}
}

// A list of more integers than are wanted takes no room.
func TestIntsStop(t *testing.T) {
	const n = 1 << 20
	var damaged error
	for f := range Fields(protowire.AppendBytes(tag(nil, 1, protowire.BytesType), make([]byte, n)), &damaged) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := f.Ints(nil, 3)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > n {
			t.Errorf("%d bytes for 3 of %d integers, %v", took, n, err)
		}
	}
}

// Every proper beginning of a message of one field is an error, and so is rubbish.
func TestFieldsOfDamagedMessages(t *testing.T) {
	whole := protowire.AppendString(tag(nil, 2, protowire.BytesType), "some name")
	for n := 1; n < len(whole); n++ {
		if !broken(whole[:n]) {
			t.Errorf("%d of %d bytes pass", n, len(whole))
		}
	}
	for _, b := range []string{"\x00", "\x07", "\x0b\x0b", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", strings.Repeat("\xff", 12)} {
		if !broken([]byte(b)) {
			t.Errorf("%q passes", b)
		}
	}
}

func broken(b []byte) bool {
	var err error
	for range Fields(b, &err) {
	}
	return err != nil
}

// An error of the loop's own ends it.
func TestFieldsEnd(t *testing.T) {
	b := protowire.AppendString(tag(nil, 2, protowire.BytesType), "a")
	var err error
	n := 0
	for range Fields(slices.Concat(b, b), &err) {
		n++
		err = os.ErrInvalid
	}
	if n != 1 || err != os.ErrInvalid {
		t.Errorf("%d fields, %v", n, err)
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadFile(path); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	for _, wrong := range []string{path + "x", filepath.Dir(path)} {
		if _, err := ReadFile(wrong); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s: error %v", wrong, err)
		}
	}
	long := path + "long"
	if err := os.WriteFile(long, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, MaxFile+1); err != nil {
		t.Skipf("skipped: no sparse files here: %v", err)
	}
	if _, err := ReadFile(long); err == nil {
		t.Error("a file that is too long is read")
	}
}
