// Package typeface has the typeface of words in pictures.
package typeface

import (
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// Go returns Go's own typeface, of a size in pixels. A letter that it does not have is drawn as a box.
func Go(size float64, hinting font.Hinting) font.Face {
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // the typeface is part of the program
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: hinting})
	if err != nil {
		panic(err)
	}
	return face
}
