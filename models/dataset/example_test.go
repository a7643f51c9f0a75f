package dataset_test

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"

	"lucigo/interp"
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
func ExampleRead() {
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
	photographs, err := dataset.Input{Height: 224, Width: 224, Short: 256}.Folder(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := interp.Read(context.Background(), photographs, 1, 3)
	fmt.Printf("%d of %d×%d×%d, the first %s, %v\n", x.N, x.H, x.W, x.C, photographs.Name(1), err)
	// Output:
	// 2 of 224×224×3, the first b.png, <nil>
}

// A folder as a data set, which package exemplar scans: one that cannot be read is an error of its own.
func ExampleInput_Folder() {
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
	photographs, err := dataset.Input{Height: 224, Width: 224}.Folder(dir)
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
	// 0 dataset: b.jpg: not a photograph, or a damaged one: image: unknown format
}

// Digits of 28×28 in grey, for a network that takes 64×64 in colour and has a class for each digit. The labels
// lie beside the images.
func ExampleInput_Open() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	images := filepath.Join(dir, "t10k-images-idx3-ubyte")
	for file, content := range map[string][]byte{
		images: append([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28}, make([]byte, 2*28*28)...),
		filepath.Join(dir, "t10k-labels-idx1-ubyte"): {0, 0, 8, 1, 0, 0, 0, 2, 7, 3},
	} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			fmt.Println(err)
			return
		}
	}
	digits, err := dataset.Input{Height: 64, Width: 64, Labels: true}.Open(images)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(digits)
	x, err := digits.Image(context.Background(), 1)
	fmt.Printf("%d×%d×%d, class %d, %v\n", x.H, x.W, x.C, x.Class, err)
	// Output:
	// t10k-images-idx3-ubyte (69c8f67b4c9a1d2b): 2 images of 28×28×1, 64×64 from the middle
	// 64×64×3, class [3], <nil>
}
