package safetensors_test

import (
	"encoding/binary"
	"fmt"
	"log"
	"strings"

	"lucigo/models/safetensors"
)

// What is in a file, and its numbers. Open does the same with a file's path.
func ExampleRead() {
	header := `{"bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}`
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	numbers := "\x00\x00\x80\x3f\x00\x00\x00\xc0" // 1 and −2
	file := string(length) + header + numbers

	f, err := safetensors.Read("tiny.safetensors", strings.NewReader(file), int64(len(file)))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		v, err := f.Float32(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, info.Type, info.Shape, v)
	}
	// Output: bias F32 [2] [1 -2]
}
