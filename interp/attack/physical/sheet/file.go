package sheet

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// PNG writes the page at DPI, which the file says (chunk pHYs, PNG 11.3.4.3).
func (s Sheet) PNG(w io.Writer) error {
	m, err := s.Image(DPI)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	const perMetre = (DPI*10000 + 127) / 254 // 11,811.02, rounded
	head := 8 + 25                           // the signature, and the chunk IHDR, after which pHYs may stand
	chunk := binary.BigEndian.AppendUint32([]byte("pHYs"), perMetre)
	chunk = append(binary.BigEndian.AppendUint32(chunk, perMetre), 1) // a unit of metres
	for _, part := range [][]byte{
		b.Bytes()[:head], binary.BigEndian.AppendUint32(nil, uint32(len(chunk)-4)), chunk,
		binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk)), b.Bytes()[head:],
	} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("sheet: %w", err)
		}
	}
	return nil
}

// PDF writes the page as a document of one page of A4, lying, which is one picture of DPI (PDF 1.4, ISO 32000-1).
func (s Sheet) PDF(w io.Writer) error {
	m, err := s.Image(DPI)
	if err != nil {
		return err
	}
	var pix bytes.Buffer
	z := zlib.NewWriter(&pix)
	if _, err := z.Write(rgb(m)); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	const wide, high = Width / 25.4 * 72, Height / 25.4 * 72 // in points
	draw := fmt.Sprintf("q %.4f 0 0 %.4f 0 0 cm /Page Do Q", wide, high)
	b := bytes.NewBufferString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n") // the second line says that bytes follow
	var places []int
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents 4 0 R /Resources << /XObject << /Page 5 0 R >> >> >>", wide, high),
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(draw), draw),
		fmt.Sprintf("<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream",
			m.Rect.Dx(), m.Rect.Dy(), pix.Len(), pix.Bytes()),
	} {
		places = append(places, b.Len())
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	table := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", len(places)+1)
	for _, at := range places {
		fmt.Fprintf(b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(places)+1, table)
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("sheet: %w", err)
	}
	return nil
}

// rgb returns an image without its fourth channel.
func rgb(m *image.RGBA) []byte {
	b := make([]byte, 0, len(m.Pix)/4*3)
	for i := 0; i < len(m.Pix); i += 4 {
		b = append(b, m.Pix[i], m.Pix[i+1], m.Pix[i+2])
	}
	return b
}
