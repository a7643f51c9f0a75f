package digest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sampled(t *testing.T, b []byte, blocks int) string {
	t.Helper()
	h := sha256.New()
	if err := Sample(h, bytes.NewReader(b), int64(len(b)), blocks); err != nil {
		t.Fatal(err)
	}
	return string(h.Sum(nil))
}

// Of a short file every byte counts; of a longer one those of the blocks that are looked at, the first and the last among
// them; and the length of both.
func TestLawSample(t *testing.T) {
	for size, seen := range map[int][]int{
		0:             nil,
		5:             {0, 4},
		3 * block:     {0, block, 3*block - 1},
		100*block + 7: {0, block - 1, 50 * block, 99*block + 7, 100*block + 6},
	} {
		b := make([]byte, size)
		was := sampled(t, b, 3)
		for _, i := range seen {
			b[i] = 1
			if sampled(t, b, 3) == was {
				t.Errorf("%d bytes: byte %d does not count", size, i)
			}
			b[i] = 0
		}
		if sampled(t, append(b, 0), 3) == was {
			t.Errorf("%d bytes: one more does not count", size)
		}
	}
	long := make([]byte, 1<<20)
	was := sampled(t, long, 3)
	if long[block] = 1; sampled(t, long, 3) != was {
		t.Error("what is between the blocks is read")
	}
}

func TestSampleOfCutFile(t *testing.T) {
	h := sha256.New()
	if err := Sample(h, strings.NewReader("abc"), 5, 3); err == nil || !strings.Contains(err.Error(), "ends at byte 3") {
		t.Error(err)
	}
}

func TestSHA256(t *testing.T) {
	path := filepath.Join(t.TempDir(), "abc")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The example of FIPS 180-2, appendix B.1.
	if got, err := SHA256(t.Context(), path); err != nil || got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Error(got, err)
	}
	if _, err := SHA256(t.Context(), path+"x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
