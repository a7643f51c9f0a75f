package receptive_test

import (
	"fmt"
	"log"

	"lucigo/interp/receptive"
	"lucigo/models/scenes"
)

// What the units of a layer see, and what of it lies inside an image of 64×64 pixels.
func ExampleFieldOf() {
	m, err := scenes.Standard()
	if err != nil {
		log.Fatal(err)
	}
	f, err := receptive.FieldOf(ctx, m, "mixed3b")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f)
	fmt.Println(f.Rect(0, 5))
	s, err := receptive.SupportOf(ctx, m, "mixed3b", 64, 64)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Rect(0, 5))
	// Output:
	// mixed3b sees 51×51 pixels, every 4×4 from (-25, -25)
	// (-5,-25)-(46,26)
	// (0,0)-(46,26)
}
