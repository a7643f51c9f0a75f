// Package downloadtest is a file in two parts and a server of them, for tests of what downloads.
package downloadtest

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Content are the two parts of the file, served as /0 and /1.
var Content = func() [2][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	var c [2][]byte
	for i, n := range []int{150_000, 70_001} {
		c[i] = make([]byte, n)
		for j := range c[i] {
			c[i][j] = byte(r.Uint32())
		}
	}
	return c
}()

// Whole returns the file.
func Whole() []byte { return append(bytes.Clone(Content[0]), Content[1]...) }

// Part returns the part that a request asks for.
func Part(r *http.Request) []byte {
	i, _ := strconv.Atoi(r.URL.Path[1:])
	return Content[i]
}

// Serve serves the parts, with ranges.
func Serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(Part(r)))
}
