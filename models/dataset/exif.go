package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// orientation returns the EXIF orientation of a JPEG file, 1 to 8 (Exif 2.3, section 4.6.4, tag 274):
// 1, upright, where it has none.
func orientation(b []byte) int {
	if !bytes.HasPrefix(b, []byte{0xff, 0xd8}) {
		return 1
	}
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff && b[1] != 0xda; { // until the scan begins
		n := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return 1
		}
		if tiff, ok := bytes.CutPrefix(b[4:n], []byte("Exif\x00\x00")); ok && b[1] == 0xe1 {
			return tiffOrientation(tiff)
		}
		b = b[n:]
	}
	return 1
}

// tiffOrientation reads the tag from the first directory of a TIFF structure.
func tiffOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := order.Uint32(b[4:])
	if uint64(at)+2 > uint64(len(b)) {
		return 1
	}
	b = b[at:]
	for n, b := order.Uint16(b), b[2:]; n > 0 && len(b) >= 12; n, b = n-1, b[12:] {
		if tag, kind := order.Uint16(b), order.Uint16(b[2:]); tag == 274 && kind == 3 {
			if o := int(order.Uint16(b[8:])); 1 <= o && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}

// upright turns m, whose rows and columns lie as an EXIF orientation says.
func upright(m image.Image, orientation int) image.Image {
	stored, ok := m.(image.RGBA64Image) // as everything that image/jpeg returns is
	if orientation == 1 || !ok {
		return m
	}
	return turned{stored, orientation}
}

// turned is an image of another orientation, seen upright.
type turned struct {
	image.RGBA64Image // as stored
	orientation       int
}

func (t turned) Bounds() image.Rectangle {
	b := t.RGBA64Image.Bounds()
	if t.orientation >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

func (t turned) At(x, y int) color.Color { return t.RGBA64At(x, y) }

// RGBA64At implements image.RGBA64Image.
func (t turned) RGBA64At(x, y int) color.RGBA64 {
	b := t.RGBA64Image.Bounds()
	if t.orientation >= 5 { // the file's rows are columns
		x, y = y, x
	}
	switch t.orientation { // its first column is at the right, or at the bottom
	case 2, 3, 7, 8:
		x = b.Dx() - 1 - x
	}
	switch t.orientation { // its first row is at the bottom, or at the right
	case 3, 4, 6, 7:
		y = b.Dy() - 1 - y
	}
	return t.RGBA64Image.RGBA64At(b.Min.X+x, b.Min.Y+y)
}
