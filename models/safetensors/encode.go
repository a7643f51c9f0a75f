package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/x448/float16"

	"lucigo/internal/atomicfile"
	"lucigo/interp"
)

// Tensor is a tensor to be written. Data are its numbers as the format has them, little-endian.
type Tensor struct {
	Name string
	Info
	Data []byte
}

// Encode returns a file of the tensors, in their order, whose __metadata__ has these keys and values, in theirs.
func Encode(metadata [][2]string, tensors []Tensor) ([]byte, error) {
	var header, data bytes.Buffer
	header.WriteString(`{"__metadata__":{`)
	for i, m := range metadata {
		if i > 0 {
			header.WriteByte(',')
		}
		fmt.Fprintf(&header, "%s:%s", text(m[0]), text(m[1]))
	}
	header.WriteByte('}')
	for _, t := range tensors {
		begin := data.Len()
		data.Write(t.Data)
		fmt.Fprintf(&header, `,%s:{"dtype":%s,"shape":%s,"data_offsets":[%d,%d]}`,
			text(t.Name), text(t.Type), text(append([]int{}, t.Shape...)), begin, data.Len())
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 { // the numbers are aligned
		header.WriteByte(' ')
	}
	file := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+header.Len()+data.Len()), uint64(header.Len()))
	file = append(append(file, header.Bytes()...), data.Bytes()...)
	_, err := Read("the encoded file", bytes.NewReader(file), int64(len(file)))
	return file, err
}

// text returns v in JSON, in which <, > and & may be as they are.
func text(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and numbers have no error
	return bytes.TrimSpace(b.Bytes())
}

// Write stores weights in a file, which is replaced at once when it is complete: as F16, in half precision, or as F32.
// Tensors are named by the weights' paths without the first slash, as Weights reads them.
func Write(path string, weights interp.Weights, dtype string, metadata ...[2]string) error {
	var tensors []Tensor
	for _, name := range weights.Paths() {
		t := Tensor{Name: strings.TrimPrefix(name, "/"), Info: Info{Type: dtype, Shape: weights[name].Dims()}}
		for _, v := range weights[name].Values() {
			switch dtype {
			case "F16":
				t.Data = binary.LittleEndian.AppendUint16(t.Data, float16.Fromfloat32(float32(v)).Bits())
			case "F32":
				t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(v)))
			default:
				return fmt.Errorf("safetensors: dtype is %q, must be F16 or F32", dtype)
			}
		}
		tensors = append(tensors, t)
	}
	content, err := Encode(metadata, tensors)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return atomicfile.WriteFile(path, content, 0o644)
}
