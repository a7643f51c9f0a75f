package show

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"io"
	"time"
)

// animation is pictures of one size that a page shows one after the other, again and again. As a picture
// it is the first of them, which stays longest; so it is where nothing moves.
type animation struct {
	image.Image
	rest []image.Image

	each, first time.Duration // how long a picture stays, and the first
}

// encode writes an animated PNG, which browsers show since 2020 and which is a PNG of the first picture to
// all others: W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", sections 4.9 and 11.3.6.
func (a animation) encode(w io.Writer) error {
	var out bytes.Buffer
	sequence := uint32(0) // numbers the chunks of the animation
	number := func() []byte {
		sequence++
		return binary.BigEndian.AppendUint32(nil, sequence-1)
	}
	var header []byte
	for i, m := range append([]image.Image{a.Image}, a.rest...) {
		parts, err := chunks(m)
		if err != nil {
			return err
		}
		stay := a.each
		if i == 0 {
			stay, header = a.first, parts[0].data
			out.WriteString(signature)
			parts[0].write(&out)
			count := binary.BigEndian.AppendUint32(nil, uint32(1+len(a.rest)))
			chunk{"acTL", append(count, 0, 0, 0, 0)}.write(&out) // for ever
		} else if !bytes.Equal(parts[0].data, header) {
			return fmt.Errorf("picture %d of an animation, %v, is of another size or kind than the first, %v", i, m.Bounds(), a.Bounds())
		}
		control := append(number(), header[:8]...)                                                  // width and height
		control = binary.BigEndian.AppendUint64(control, 0)                                         // at the top left
		control = binary.BigEndian.AppendUint16(control, uint16(min(stay.Milliseconds(), 1<<16-1))) // of the
		control = binary.BigEndian.AppendUint16(control, 1000)                                      // thousand a second
		chunk{"fcTL", append(control, 0, 0)}.write(&out)                                            // in place of the one before
		for _, p := range parts {
			switch {
			case p.name == "IDAT" && i == 0:
				p.write(&out)
			case p.name == "IDAT":
				chunk{"fdAT", append(number(), p.data...)}.write(&out)
			}
		}
	}
	chunk{"IEND", nil}.write(&out)
	_, err := out.WriteTo(w)
	return err
}

const signature = "\x89PNG\r\n\x1a\n"

// chunk is a part of a PNG file.
type chunk struct {
	name string
	data []byte
}

func (c chunk) write(b *bytes.Buffer) {
	body := append([]byte(c.name), c.data...)
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(c.data))))
	b.Write(body)
	b.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

// chunks returns the parts of m as a PNG file; the first is the header.
func chunks(m image.Image) (all []chunk, err error) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return nil, err
	}
	for file := b.Bytes()[len(signature):]; len(file) > 0; {
		n := binary.BigEndian.Uint32(file)
		all = append(all, chunk{string(file[4:8]), file[8 : 8+n]})
		file = file[8+n+4:]
	}
	return all, nil
}
