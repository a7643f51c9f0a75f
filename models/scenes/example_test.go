package scenes_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/models/scenes"
)

// A scene is a value: change one cause and draw it again.
func ExampleScene() {
	s := scenes.New(7, scenes.Torus, scenes.Striped)
	before := s.Draw(64)
	s.Surface = scenes.Wood
	after := s.Draw(64)

	same, changed := 0, 0
	for i, m := range before.Mask {
		switch {
		case m != after.Mask[i]:
			fmt.Println("the solid moved")
		case m == 0 && before.RGB[3*i] == after.RGB[3*i]:
			same++
		case m == 1 && before.RGB[3*i] != after.RGB[3*i]:
			changed++
		}
	}
	fmt.Println("background as before:", same > 1000, "– surface changed:", changed > 200)
	// Output: background as before: true – surface changed: true
}

// The default task asks for shape and surface; others ask for one of them, or about other solids.
func ExampleTask() {
	task := scenes.Task{Shapes: []scenes.Shape{scenes.Sphere, scenes.Ring}, Surfaces: []scenes.Surface{scenes.Fur}}
	x := task.Images(1, 4, 32)
	fmt.Println(task.Classes(), x.N, x.H, x.W, x.C)
	fmt.Println(len(scenes.Task{}.Classes()), "classes by default")
	// Output:
	// [fur sphere fur ring] 4 32 32 3
	// 16 classes by default
}

// A network that has always read the truth goes by the word when picture and word contradict each other.
func ExampleCaption() {
	m, err := scenes.Captioned(0)
	if err != nil {
		log.Fatal(err)
	}
	truth, err := scenes.Caption{}.Truth(context.Background(), m, scenes.CaptionTask().Images(20002, 64, 64))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f %% follow the picture, %.0f %% the word\n", 100*truth.Picture, 100*truth.Word)
	// Output: 0 % follow the picture, 100 % the word
}
