// Package api asks a network over HTTP. A Server answers for a model, in a process of its own; a Client asks a server, this one or any
// that speaks as it does; a Substitute copies what it asks (Papernot et al., arXiv:1602.02697), knowing only the answers.
//
//	GET  /v1/model    what the model takes, and how many images a request may have: a Description
//	POST /v1/predict  images, answered with their labels, and with scores where the server gives them
//	GET  /v1/queries  how many images have been answered: Queries
//
// Images are sent as application/json, {"shape": [2, 28, 28, 1], "pixels": [0, 0.5, …]}, of images, rows, columns and channels, in the
// order of interp.Images; or as one picture, image/png or image/jpeg; or as several pictures in multipart/form-data. A picture has the
// size that the model takes, and is refused otherwise: what is answered is about the very pixels that were sent. A JPEG is taken as it
// is stored, whatever its orientation says. Errors are {"error": {"cause": …, "remedy": …}}.
package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	_ "image/png"
	"math"
	"slices"
	"strconv"

	"lucigo/interp"
)

const (
	jsonType = "application/json"
	keyed    = "Idempotency-Key" // draft-ietf-httpapi-idempotency-key-header
	maxKey   = 100

	// number is the most bytes of a number in JSON: 17 digits, a sign, a point, an exponent, a comma and a space.
	number = 26
)

// Description is what a server says of its model.
type Description struct {
	Name    string   `json:"name"`
	Input   [3]int   `json:"input"`  // rows, columns, channels
	Pixels  string   `json:"pixels"` // the order of the channels, and between what they are
	Classes []string `json:"classes"`
	Scores  bool     `json:"scores"` // whether answers have a probability for each class
	Images  int      `json:"images"` // the most of one request

	// Once says that a request that is repeated with the same Idempotency-Key is answered again and counted once.
	Once bool `json:"once"`
}

// colours is what Pixels says of c channels.
func colours(c int) string {
	switch c {
	case 1:
		return "grey, from 0 to 1"
	case 3:
		return "red, green, blue, from 0 to 1"
	}
	return "from 0 to 1"
}

func (d Description) size() int { return d.Input[0] * d.Input[1] * d.Input[2] }

// check returns an error if no images can be asked of a server that is described so.
func (d Description) check() error {
	const most = 1 << 24 // numbers of an image
	switch {
	case slices.Min(d.Input[:]) < 1 || d.Input[0] > most/d.Input[1] || d.size() > most || d.Input[0]*d.Input[1] > most/d.Input[2]:
		return fmt.Errorf("its images are %v, must be at least 1×1×1 and have at most %d numbers", d.Input, most)
	case len(d.Classes) == 0:
		return errors.New("it names no classes")
	case d.Images < 1:
		return fmt.Errorf("it takes %d images a request, must be at least 1", d.Images)
	case d.Pixels != colours(d.Input[2]):
		return fmt.Errorf("its pixels are %.100q, and this client sends %q", d.Pixels, colours(d.Input[2]))
	}
	return nil
}

// takes returns an error if the images are not what the model takes.
func (d Description) takes(x interp.Images) error {
	if err := x.Check(); err != nil {
		return err
	}
	if [3]int{x.H, x.W, x.C} != d.Input {
		return fmt.Errorf("images of %d×%d×%d, must be %d×%d×%d", x.H, x.W, x.C, d.Input[0], d.Input[1], d.Input[2])
	}
	for i, v := range x.Pix {
		if v < 0 || v > 1 || math.IsNaN(v) {
			return fmt.Errorf("image %d has a pixel of %g, must be from 0 to 1: clip it", i/x.Size(), v)
		}
	}
	return nil
}

// Answers are what an oracle says of a batch of images.
type Answers struct {
	Labels []int

	// Scores are the probabilities of the classes, of each image; nil where there are only labels.
	Scores [][]float64
}

func (a *Answers) add(b Answers) {
	a.Labels = append(a.Labels, b.Labels...)
	a.Scores = append(a.Scores, b.Scores...)
}

// size is how many numbers they are.
func (a Answers) size() int {
	n := len(a.Labels)
	for _, s := range a.Scores {
		n += len(s)
	}
	return n
}

// slice returns the answers to images i to j-1.
func (a Answers) slice(i, j int) Answers {
	a.Labels = a.Labels[i:j]
	if a.Scores != nil {
		a.Scores = a.Scores[i:j]
	}
	return a
}

// check returns an error if a server that d describes cannot have meant these answers to n images.
func (a Answers) check(d Description, n int) error {
	if len(a.Labels) != n {
		return fmt.Errorf("%d answers to %d images", len(a.Labels), n)
	}
	if len(a.Scores) != 0 && len(a.Scores) != n || d.Scores != (len(a.Scores) > 0) {
		return fmt.Errorf("scores of %d of %d images, and it says of itself that it gives scores: %t", len(a.Scores), n, d.Scores)
	}
	for i, label := range a.Labels {
		if label < 0 || label >= len(d.Classes) {
			return fmt.Errorf("answer %d is label %d, and the classes are 0 to %d", i, label, len(d.Classes)-1)
		}
		if a.Scores == nil {
			continue
		}
		scores, sum := a.Scores[i], 0.
		if len(scores) != len(d.Classes) {
			return fmt.Errorf("answer %d has %d scores, and there are %d classes", i, len(scores), len(d.Classes))
		}
		for c, s := range scores {
			if !(s >= 0 && s <= 1+slack) {
				return fmt.Errorf("answer %d has score %g for class %d, must be a probability", i, s, c)
			}
			sum += s
		}
		if math.Abs(sum-1) > slack {
			return fmt.Errorf("the scores of answer %d add up to %g, must be 1: they are no probabilities", i, sum)
		}
		if most := slices.Max(scores); scores[label] < most-slack {
			return fmt.Errorf("answer %d is label %d, which has score %g, and another class has %g", i, label, scores[label], most)
		}
	}
	return nil
}

// slack is by how much scores may be wrong that were rounded to three decimals or more.
const slack = 5e-3

// Queries is how many images a server has answered.
type Queries struct {
	Total   int64            `json:"total"`
	Client  int64            `json:"client"`  // of whoever asks for this
	Clients map[string]int64 `json:"clients"` // by address; those beyond the server's memory together, as "others"
}

// Failure is an error that a server answers.
type Failure struct {
	Cause  string `json:"cause"`
	Remedy string `json:"remedy"`
}

// Error returns the cause and the remedy.
func (f Failure) Error() string { return f.Cause + ": " + f.Remedy }

type failed struct {
	Error Failure `json:"error"`
}

// request is a body of JSON.
type request struct {
	Shape  [4]int  `json:"shape"`
	Pixels numbers `json:"pixels"`
}

// numbers are read into one array of the right length, so that they take a few times the memory of their text at most.
type numbers []float64

// UnmarshalJSON reads a flat list of numbers.
func (n *numbers) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) < 2 || b[0] != '[' || bytes.ContainsAny(b[1:len(b)-1], `[]{"`) {
		return errors.New("pixels are no flat list of numbers: send them in one list, as numpy's x.ravel().tolist() makes it")
	}
	if b = bytes.TrimSpace(b[1 : len(b)-1]); len(b) == 0 {
		*n = nil
		return nil
	}
	*n = make(numbers, 0, bytes.Count(b, []byte(","))+1)
	for text := range bytes.SplitSeq(b, []byte(",")) {
		v, err := strconv.ParseFloat(string(bytes.TrimSpace(text)), 64)
		if err != nil {
			return fmt.Errorf("pixel %d is %.40q, must be a number from 0 to 1", len(*n), bytes.TrimSpace(text))
		}
		*n = append(*n, v)
	}
	return nil
}

// appendRequest appends the JSON of images.
func appendRequest(b []byte, x interp.Images) []byte {
	b = fmt.Appendf(b, `{"shape":[%d,%d,%d,%d],"pixels":[`, x.N, x.H, x.W, x.C)
	for i, v := range x.Pix {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, v, 'g', -1, 64)
	}
	return append(b, "]}"...)
}

// parseRequest reads a body of JSON. The images are those that d takes.
func parseRequest(b []byte, d Description) (interp.Images, error) {
	r := json.NewDecoder(bytes.NewReader(b))
	r.DisallowUnknownFields()
	var q request
	if err := r.Decode(&q); err != nil {
		return interp.Images{}, fmt.Errorf("the body is not what is asked with: %w", err)
	}
	if r.More() {
		return interp.Images{}, errors.New("something comes after the body's JSON")
	}
	x := interp.Images{N: q.Shape[0], H: q.Shape[1], W: q.Shape[2], C: q.Shape[3], Pix: q.Pixels}
	if x.N > d.Images {
		return x, tooMany(x.N, d.Images)
	}
	if [3]int{x.H, x.W, x.C} != d.Input {
		return x, fmt.Errorf("images of %d×%d×%d, must be %d×%d×%d", x.H, x.W, x.C, d.Input[0], d.Input[1], d.Input[2])
	}
	return x, d.takes(x)
}

func tooMany(n, most int) error {
	return fmt.Errorf("%d images in a request, must be at most %d: send several requests", n, most)
}

// parsePicture reads a PNG or a JPEG of the size that d takes.
func parsePicture(b []byte, d Description) (interp.Images, error) {
	h, w, c := d.Input[0], d.Input[1], d.Input[2]
	size, format, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return interp.Images{}, fmt.Errorf("no PNG and no JPEG, or a damaged one: %w", err)
	}
	if size.Height != h || size.Width != w {
		return interp.Images{}, fmt.Errorf("a %s of %d rows and %d columns, must have %d and %d: scale it", format, size.Height,
			size.Width, h, w)
	}
	m, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return interp.Images{}, fmt.Errorf("a damaged %s: %w", format, err)
	}
	x := interp.FromImage(m)
	for y := range h {
		for col := range w {
			if _, _, _, alpha := m.At(m.Bounds().Min.X+col, m.Bounds().Min.Y+y).RGBA(); alpha != 0xffff {
				return x, fmt.Errorf("the picture is transparent at row %d, column %d: lay it over a colour", y, col)
			}
			if p := x.Pixel(0, y, col); c == 1 && (p[0] != p[1] || p[1] != p[2]) {
				return x, fmt.Errorf("the picture has colours at row %d, column %d, and the model takes grey: make it grey", y, col)
			}
		}
	}
	switch c {
	case 3:
	case 1:
		grey := interp.Images{N: 1, H: h, W: w, C: 1}
		for i := 0; i < len(x.Pix); i += 3 {
			grey.Pix = append(grey.Pix, x.Pix[i])
		}
		x = grey
	default:
		return x, fmt.Errorf("the model takes images of %d channels, which no picture has: send JSON", c)
	}
	return x, d.takes(x)
}

// picture returns an image as it is uploaded, in 16 bits a channel: the nearest that a PNG can hold.
func picture(x interp.Images) image.Image {
	sixteen := func(v float64) uint16 { return uint16(v*math.MaxUint16 + .5) }
	if x.C == 1 {
		m := image.NewGray16(image.Rect(0, 0, x.W, x.H))
		for i, v := range x.Of(0) {
			m.SetGray16(i%x.W, i/x.W, color.Gray16{Y: sixteen(v)})
		}
		return m
	}
	m := image.NewNRGBA64(image.Rect(0, 0, x.W, x.H))
	for i := range x.H * x.W {
		p := x.Pixel(0, i/x.W, i%x.W)
		m.SetNRGBA64(i%x.W, i/x.W, color.NRGBA64{R: sixteen(p[0]), G: sixteen(p[1]), B: sixteen(p[2]), A: math.MaxUint16})
	}
	return m
}

// answer is the JSON of answers.
type answer struct {
	Predictions []prediction `json:"predictions"`
	Queries     int64        `json:"queries"` // of this client, those of this request among them
}

type prediction struct {
	Label  *int      `json:"label"` // a label that is missing is not label 0
	Class  string    `json:"class,omitempty"`
	Scores []float64 `json:"scores,omitempty"`
}

// maxAnswer is the most bytes of an answer that is read.
func maxAnswer(d Description, n int) int64 {
	each := 100 + number*len(d.Classes)
	for _, name := range d.Classes {
		each = max(each, number*len(d.Classes)+100+6*len(name)) // \u00e4
	}
	return 1000 + int64(n)*int64(each)
}

// parseAnswer reads the answers to n images of a server that d describes.
func parseAnswer(b []byte, d Description, n int) (Answers, error) {
	var a Answers
	var all answer
	if err := json.Unmarshal(b, &all); err != nil {
		return a, err
	}
	for i, p := range all.Predictions {
		if p.Label == nil {
			return a, fmt.Errorf("answer %d has no label", i)
		}
		a.Labels = append(a.Labels, *p.Label)
		if p.Scores != nil {
			a.Scores = append(a.Scores, p.Scores)
		}
	}
	return a, a.check(d, n)
}

// parseDescription reads what a server says of its model.
func parseDescription(b []byte) (Description, error) {
	var d Description
	err := json.Unmarshal(b, &d)
	return d, cmp.Or(err, d.check())
}
