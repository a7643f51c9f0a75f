package dataset

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"regexp"
)

// exifHead is what may stand before EXIF's TIFF structure, even twice.
const exifHead = "Exif\x00\x00"

// orientation returns the orientation of a photograph, 1 to 8 (Exif 2.3, section 4.6.4, tag 274): that of EXIF or, where
// that has none, of XMP; 1, upright, where there is none or another.
func (c container) orientation() int {
	tiff := c.exif
	for range 2 {
		tiff = bytes.TrimPrefix(tiff, []byte(exifHead))
	}
	o, found := tiffOrientation(tiff)
	if m := xmpOrientation.FindSubmatch(c.xmp); !found && m != nil {
		o = int(m[1][0] - '0')
	}
	if o < 1 || o > 8 {
		return 1
	}
	return o
}

var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`)

// tiffOrientation reads the tag from the first directory of a TIFF structure. It is one number, of two bytes or of four.
func tiffOrientation(b []byte) (o int, found bool) {
	if len(b) < 8 {
		return 0, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 'M' {
		order = binary.BigEndian
	}
	at := order.Uint32(b[4:])
	if uint64(at)+2 > uint64(len(b)) {
		return 0, false
	}
	b = b[at:]
	for n, b := order.Uint16(b), b[2:]; n > 0 && len(b) >= 12; n, b = n-1, b[12:] {
		if tag, count := order.Uint16(b), order.Uint32(b[4:]); tag != 274 || count != 1 {
			continue
		}
		switch kind := order.Uint16(b[2:]); kind {
		case 3, 8:
			return int(order.Uint16(b[8:])), true
		case 4, 9:
			return int(min(order.Uint32(b[8:]), 9)), true
		}
	}
	return 0, false
}

// upright turns m, whose rows and columns lie as an EXIF orientation says.
func upright(m image.Image, orientation int) image.Image {
	stored, ok := m.(image.RGBA64Image) // as everything that the decoders return is
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
