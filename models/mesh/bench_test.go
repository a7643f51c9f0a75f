package mesh

import (
	"bytes"
	"testing"
)

// A file of 168 MB and a million triangles. On two cores of a Xeon that others used as well: 4.5 s of processor time, 0.98 GB in 7 million
// pieces, of which about half are lines of the file.
func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	if err := lathe(b, ball(1, 512), 1024).Write(&file); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		m, err := Read(b.Context(), bytes.NewReader(file.Bytes()))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(m.Triangles()), "triangles")
	}
}
