package show

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"
)

// readAnimation reads an animated PNG by its specification: the pictures, and how long each stays.
func readAnimation(t *testing.T, file []byte) (pictures []image.Image, stay []time.Duration) {
	t.Helper()
	rest, ok := bytes.CutPrefix(file, []byte(signature))
	if !ok {
		t.Fatal("no PNG")
	}
	var header []byte
	var data [][]byte
	var count, sequence uint32
	next := func(b []byte) []byte {
		if n := binary.BigEndian.Uint32(b); n != sequence {
			t.Errorf("chunk %d of the animation has number %d", sequence, n)
		}
		sequence++
		return b[4:]
	}
	ended := false
	for len(rest) > 0 {
		n := binary.BigEndian.Uint32(rest)
		name, body := string(rest[4:8]), rest[8:8+n]
		if sum := binary.BigEndian.Uint32(rest[8+n:]); sum != crc32.ChecksumIEEE(rest[4:8+n]) {
			t.Errorf("chunk %s has a wrong sum", name)
		}
		rest = rest[12+n:]
		if ended {
			t.Errorf("chunk %s behind the end", name)
		}
		switch name {
		case "IHDR":
			header = body
		case "acTL":
			count = binary.BigEndian.Uint32(body)
			if len(body) != 8 || binary.BigEndian.Uint32(body[4:]) != 0 || len(data) > 0 {
				t.Errorf("acTL %v", body)
			}
		case "fcTL":
			body = next(body)
			if len(body) != 22 || !bytes.Equal(body[:8], header[:8]) || !bytes.Equal(body[8:16], make([]byte, 8)) || body[20] != 0 || body[21] != 0 {
				t.Errorf("fcTL %v", body)
			}
			stay = append(stay, time.Second*time.Duration(binary.BigEndian.Uint16(body[16:]))/time.Duration(binary.BigEndian.Uint16(body[18:])))
			data = append(data, nil)
		case "fdAT":
			body = next(body)
			fallthrough
		case "IDAT":
			if name == "IDAT" && len(data) != 1 {
				t.Error("IDAT is not the first picture's")
			}
			data[len(data)-1] = append(data[len(data)-1], body...)
		case "IEND":
			ended = true
		default:
			t.Errorf("chunk %s", name)
		}
	}
	if !ended || int(count) != len(data) {
		t.Errorf("%d pictures, said to be %d; ended: %v", len(data), count, ended)
	}
	for _, d := range data {
		var b bytes.Buffer
		b.WriteString(signature)
		for _, c := range []chunk{{"IHDR", header}, {"IDAT", d}, {"IEND", nil}} {
			c.write(&b)
		}
		m, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, m)
	}
	return pictures, stay
}

func TestAnimation(t *testing.T) {
	noisy := func(seed int) image.Image { // more than one IDAT chunk
		m := image.NewRGBA(image.Rect(0, 0, 211, 173))
		for i := range m.Pix {
			m.Pix[i] = uint8((i*i + seed*i*7919) >> 3)
			if i%4 == 3 {
				m.Pix[i] = 255
			}
		}
		return m
	}
	a := animation{Image: noisy(1), rest: []image.Image{noisy(2), noisy(3)}, each: 100 * time.Millisecond, first: 2 * time.Second}
	var b bytes.Buffer
	if err := a.encode(&b); err != nil {
		t.Fatal(err)
	}
	pictures, stay := readAnimation(t, b.Bytes())
	if len(pictures) != 3 || len(stay) != 3 || stay[0] != 2*time.Second || stay[1] != 100*time.Millisecond || stay[2] != stay[1] {
		t.Fatalf("%d pictures, which stay %v", len(pictures), stay)
	}
	for i, want := range []image.Image{noisy(1), noisy(2), noisy(3)} {
		if d := difference(pictures[i], want); d != 0 {
			t.Errorf("picture %d differs by %d", i, d)
		}
	}
	// Who knows nothing of animations sees the first.
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(m, noisy(1)); d != 0 {
		t.Errorf("as a picture it differs by %d", d)
	}

	long := animation{Image: noisy(1), first: time.Hour}
	b.Reset()
	if err := long.encode(&b); err != nil {
		t.Fatal(err)
	}
	if _, stay := readAnimation(t, b.Bytes()); stay[0] != 65535*time.Millisecond {
		t.Errorf("an hour is %v", stay[0])
	}
	for _, other := range []image.Image{plain(1, 1), image.NewGray(image.Rect(0, 0, 211, 173)), image.NewPaletted(image.Rect(0, 0, 211, 173), color.Palette{color.Black})} {
		err := animation{Image: noisy(1), rest: []image.Image{other}}.encode(&b)
		if err == nil || !strings.Contains(err.Error(), "picture 1 of an animation") {
			t.Errorf("%T among them: %v", other, err)
		}
	}
}
