package interp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
)

// Fingerprint identifies what the model computes: SHA-256, in hexadecimal, of its name and precision, its
// input, its classes, the names and shapes of its layers, and its weights. Two models of one fingerprint
// give the same results, up to the rounding of their backends; so results that are kept bear it. (The
// operations between layers are not in it: a network that is changed without renaming anything keeps its
// fingerprint.)
func (m *Model) Fingerprint() (string, error) {
	layers, err := m.Layers()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %v %q\n", m.String(), m.spec.Input, m.spec.Classes)
	for _, l := range layers {
		fmt.Fprintf(h, "%q %v\n", l.Name, l.Shape)
	}
	for _, path := range m.weights.Paths() {
		w := m.weights[path]
		fmt.Fprintf(h, "%q %v %d\n", path, w.dims, len(w.f64))
		w.digest(h)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digest writes the numbers, little-endian.
func (w *Weight) digest(h hash.Hash) {
	var block [1 << 13]byte
	b := block[:0]
	flush := func(least int) {
		if len(b) >= least {
			h.Write(b) // a hash never fails
			b = block[:0]
		}
	}
	for _, v := range w.f32 {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		flush(len(block))
	}
	for _, v := range w.f64 {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		flush(len(block))
	}
	flush(0)
}
