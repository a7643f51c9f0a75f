package imagenet_test

import (
	"fmt"
	"log"

	"lucigo/models/imagenet"
)

// What a photograph of ImageNet shows, by its file's name.
func ExampleClassOf() {
	c, err := imagenet.ClassOf("n02391049_1234.JPEG")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c, imagenet.Names()[c])
	// Output: 340 zebra
}
