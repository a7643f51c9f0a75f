package sheet_test

import (
	"context"
	"fmt"
	"log"

	"lucigo/interp"
	"lucigo/interp/attack/physical/sheet"
)

// Two pictures are printed side by side. Here the page itself is read: a photograph of it is read in the same way, and its
// pictures go to Model.Predict.
func Example() {
	pictures := interp.Images{N: 2, H: 4, W: 4, C: 1, Pix: make([]float64, 32)}
	for i := range pictures.Pix {
		pictures.Pix[i] = .3 * float64(i%4)
	}
	page := sheet.Sheet{Number: 5, Title: "Two ramps", Pictures: pictures, Captions: []string{"one", "another"}}
	photograph, err := page.Image(100) // page.PDF writes it for a printer
	if err != nil {
		log.Fatal(err)
	}
	r, err := sheet.Reader{}.Read(context.Background(), photograph, page)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("codes %v, bottom right corner at column %.0f, row %.0f\n", r.Codes, r.Corners[2][0], r.Corners[2][1])
	fmt.Printf("%.1f\n", r.Pictures.Of(1)[:4])
	fmt.Printf("%.1f\n", pictures.Of(1)[:4])
	// Output:
	// codes [true true true true], bottom right corner at column 1169, row 827
	// [0.0 0.3 0.6 0.9]
	// [0.0 0.3 0.6 0.9]
}
