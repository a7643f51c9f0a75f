package dataset_test

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"lucigo/models/dataset"
)

// photograph writes a grey picture.
func photograph(width, height int, path ...string) error {
	f, err := os.Create(filepath.Join(path...))
	if err != nil {
		return err
	}
	defer f.Close()
	return png.Encode(f, image.NewGray(image.Rect(0, 0, width, height)))
}

// The photographs of a folder as a network takes them: scaled to a shorter side of 256, 224×224 from the
// middle.
func ExampleFolder_Batches() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		if err := photograph(320, 240, dir, name); err != nil {
			fmt.Println(err)
			return
		}
	}
	folder := dataset.Folder{Dir: dir, Height: 224, Width: 224, Short: 256}
	for p, err := range folder.Batches(context.Background(), 2) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d of %d×%d×%d, the first %s\n", p.N, p.H, p.W, p.C, filepath.Base(p.Files[0]))
	}
	// Output:
	// 2 of 224×224×3, the first a.png
	// 1 of 224×224×3, the first c.png
}

// A folder as a data set, which package exemplar scans: one that cannot be read is an error of its own.
func ExampleFolder_Numbered() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := photograph(320, 240, dir, "a.png"); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "b.jpg"), []byte("<html>"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	photographs, err := dataset.Folder{Dir: dir, Height: 224, Width: 224}.Numbered()
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range photographs.Len() {
		x, err := photographs.Image(context.Background(), i)
		fmt.Println(x.N, err)
	}
	// Output:
	// 1 <nil>
	// 0 b.jpg: not a photograph, or a damaged one: image: unknown format
}

// Digits of 28×28 in grey, for a network that takes 64×64 in colour.
func ExampleFitted() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	images, labels := filepath.Join(dir, "images"), filepath.Join(dir, "labels")
	two := append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, 2*28*28)...)
	if err := os.WriteFile(images, two, 0o600); err != nil {
		fmt.Println(err)
		return
	}
	if err := os.WriteFile(labels, []byte{0, 0, 8, 1, 0, 0, 0, 2, 7, 3}, 0o600); err != nil {
		fmt.Println(err)
		return
	}
	digits, err := dataset.OpenIDX(images, labels)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer digits.Close()
	fmt.Println(digits)
	x, err := dataset.Fitted{Of: digits, Height: 64, Width: 64, Channels: 3}.Image(context.Background(), 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d×%d×%d, class %d\n", x.H, x.W, x.C, x.Class[0])
	// Output:
	// images: 2 images of 28×28×1
	// 64×64×3, class 3
}
