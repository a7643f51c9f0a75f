package interp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
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
		for v := range slices.Chunk(w.f32, 1<<11) { // binary.Write makes a copy
			binary.Write(h, binary.LittleEndian, v) // a hash never fails
		}
		for v := range slices.Chunk(w.f64, 1<<10) {
			binary.Write(h, binary.LittleEndian, v)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
