package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"image"
	"io"
	"iter"
	"slices"
)

// container is what the file of a photograph holds beside its pixels.
type container struct {
	still  []byte          // a file that holds the first image alone
	canvas image.Rectangle // of an animation, whose first image begins at its own origin; empty if there is none
	exif   []byte          // a TIFF structure
	xmp    []byte
}

// contain reads the containers of the formats that have any of this. What is damaged is left to the decoder.
func contain(b []byte) container {
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		return containJPEG(b)
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return containPNG(b)
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return containWebP(b)
	case bytes.HasPrefix(b, []byte("GIF8")) && len(b) >= 13:
		return containGIF(b)
	}
	return container{still: b}
}

// jpegSegments goes through the segments until the pixels begin. Like the decoder it passes over what is between them.
func jpegSegments(b []byte) iter.Seq2[byte, []byte] {
	return func(yield func(marker byte, data []byte) bool) {
		for b := b[2:]; ; {
			start := bytes.IndexByte(b, 0xff)
			if start < 0 {
				return
			}
			b = b[start:]
			at := slices.IndexFunc(b, func(v byte) bool { return v != 0xff }) // any number of them
			if at < 0 {
				return
			}
			marker := b[at]
			b = b[at+1:]
			switch {
			case marker <= 0x01 || 0xd0 <= marker && marker <= 0xd8: // without data
				continue
			case marker == 0xd9 || marker == 0xda || len(b) < 2: // the end, or the pixels
				return
			}
			n := int(binary.BigEndian.Uint16(b))
			if n < 2 || n > len(b) || !yield(marker, b[2:n]) {
				return
			}
			b = b[n:]
		}
	}
}

func containJPEG(b []byte) container {
	c := container{still: b}
	for marker, data := range jpegSegments(b) {
		switch marker {
		case 0xe1:
			if tiff, ok := bytes.CutPrefix(data, []byte(exifHead)); ok {
				c.exif = append(c.exif, tiff...) // what is too long for a segment goes on in the next
			} else if text, ok := bytes.CutPrefix(data, []byte("http://ns.adobe.com/xap/1.0/\x00")); ok && c.xmp == nil {
				c.xmp = text
			}
		case 0xc0, 0xc1, 0xc2:
			if len(data) > 5 && data[5] == 4 { // cyan, magenta, yellow, black: Adobe's polarity is that of all who write such files
				const adobe = "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" // the file's own, if it has one, comes later and counts
				c.still = slices.Concat(b[:2], []byte(adobe), b[2:])
			}
		}
	}
	return c
}

// pngChunks goes through the chunks of a PNG file.
func pngChunks(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(kind string, data []byte) bool) {
		for b := b[8:]; len(b) >= 12; {
			n := uint64(binary.BigEndian.Uint32(b))
			if n > uint64(len(b))-12 || !yield(string(b[4:8]), b[8:8+n]) {
				return
			}
			b = b[12+n:]
		}
	}
}

func containPNG(b []byte) container {
	c := container{still: b}
	var raw []byte
	for kind, data := range pngChunks(b) {
		key, text, _ := bytes.Cut(data, []byte{0})
		switch {
		case kind == "eXIf":
			c.exif = data
		case kind == "iTXt" && string(key) == "XML:com.adobe.xmp":
			c.xmp = data
		case kind == "tEXt" && string(key) == "Raw profile type exif":
			raw = text
		case kind == "zTXt" && string(key) == "Raw profile type exif" && len(text) > 0:
			raw = inflate(text[1:])
		}
	}
	if c.exif == nil { // as ImageMagick has it: a line of its name, one of its length, and hexadecimal digits
		if lines := bytes.SplitN(raw, []byte("\n"), 4); len(lines) == 4 {
			digits := bytes.ReplaceAll(lines[3], []byte("\n"), nil)
			tiff := make([]byte, hex.DecodedLen(len(digits)))
			if n, err := hex.Decode(tiff, digits); err == nil {
				c.exif = tiff[:n]
			}
		}
	}
	return c
}

// inflate returns the beginning of what is compressed.
func inflate(b []byte) []byte {
	const most = 1 << 20
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	out, _ := io.ReadAll(io.LimitReader(z, most)) // of what is damaged, what is whole
	return out
}

// containGIF makes the canvas as large as the first image needs, as all viewers do and the decoder does not.
func containGIF(b []byte) container {
	at := 13
	table := func(flags byte) int { // the bytes of a colour table
		if flags&0x80 == 0 {
			return 0
		}
		return 3 << (flags&7 + 1)
	}
	for at += table(b[10]); at+10 <= len(b) && b[at] == '!'; at++ { // extensions, which end with an empty block
		for at += 2; at < len(b) && b[at] != 0; at += 1 + int(b[at]) {
		}
	}
	if at+10 > len(b) || b[at] != ',' {
		return container{still: b}
	}
	size := slices.Clone(b[6:10])
	for axis := 0; axis < 4; axis += 2 {
		number := func(b []byte) int { return int(binary.LittleEndian.Uint16(b[axis:])) }
		if end := number(b[at+1:]) + number(b[at+5:]); end > number(size) && end <= 1<<16-1 {
			binary.LittleEndian.PutUint16(size[axis:], uint16(end))
		}
	}
	return container{still: slices.Concat(b[:6], size, b[10:])}
}

// webpChunks goes through the chunks of a WebP file, or of one of its frames.
func webpChunks(b []byte) iter.Seq2[string, []byte] {
	return func(yield func(kind string, data []byte) bool) {
		for b := b; len(b) >= 8; {
			n := uint64(binary.LittleEndian.Uint32(b[4:]))
			if n > uint64(len(b))-8 || !yield(string(b[:4]), b[8:8+n]) {
				return
			}
			b = b[min(8+n+n%2, uint64(len(b))):]
		}
	}
}

// webpFrame is what makes a still image: its pixels and, if those are lossy, their transparency.
type webpFrame struct {
	kind        string
	pix, alpha  []byte
	left, above int // of it, in the canvas
}

func (f *webpFrame) chunk(kind string, data []byte) {
	switch kind {
	case "ALPH":
		f.alpha = data
	case "VP8 ", "VP8L":
		if f.pix == nil {
			f.kind, f.pix = kind, data
		}
	}
}

// uint24 returns the number of three bytes.
func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func containWebP(b []byte) container {
	c := container{still: b}
	var f webpFrame
	for kind, data := range webpChunks(b[12:]) {
		switch {
		case kind == "VP8X" && len(data) >= 10:
			if data[0]&2 != 0 { // it is an animation
				c.canvas = image.Rect(0, 0, 1+uint24(data[4:]), 1+uint24(data[7:]))
			}
		case kind == "ANMF" && len(data) >= 16 && f.pix == nil:
			f.left, f.above = 2*uint24(data), 2*uint24(data[3:])
			for kind, data := range webpChunks(data[16:]) {
				f.chunk(kind, data)
			}
		case kind == "EXIF":
			c.exif = data
		case kind == "XMP ":
			c.xmp = data
		default:
			f.chunk(kind, data)
		}
	}
	if still := f.file(); still != nil {
		c.still = still
		c.canvas = c.canvas.Sub(image.Pt(f.left, f.above))
	}
	return c
}

// file is a WebP file of the frame alone, of its own size; nil if it has no pixels.
func (f *webpFrame) file() []byte {
	var out []byte
	chunk := func(kind string, data []byte) {
		out = binary.LittleEndian.AppendUint32(append(out, kind...), uint32(len(data)))
		out = append(append(out, data...), make([]byte, len(data)%2)...)
	}
	switch {
	case f.pix == nil:
		return nil
	case f.kind == "VP8 " && f.alpha != nil && len(f.pix) >= 10:
		w, h := int(binary.LittleEndian.Uint16(f.pix[6:]))&0x3fff-1, int(binary.LittleEndian.Uint16(f.pix[8:]))&0x3fff-1
		const transparent = 1 << 4
		chunk("VP8X", []byte{transparent, 0, 0, 0, byte(w), byte(w >> 8), 0, byte(h), byte(h >> 8), 0})
		chunk("ALPH", f.alpha)
	}
	chunk(f.kind, f.pix)
	return slices.Concat(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(out))), []byte("WEBP"), out)
}
