package featvis

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/cmplx"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lucigo/internal/fourier"
	"lucigo/internal/parallel"
	"lucigo/interp"
)

// Spectrum is the magnitude of the frequencies of images, of H rows and W columns and C channels: those
// of Colours, not red, green and blue. Frequency (row, column) of channel c is
// Magnitude[(c*H+row)*(W/2+1)+column]; rows above H/2 are negative frequencies.
type Spectrum struct {
	Name      string // for captions
	C, H, W   int
	Magnitude []float64 // not negative; its scale does not matter
}

// maxSide bounds the images that are optimised, and the spectra that are read.
const maxSide = 4096

func (s Spectrum) check() error {
	if min(s.C, s.H, s.W) < 1 || max(s.C, s.H, s.W) > maxSide {
		return fmt.Errorf("a spectrum is of %d×%d×%d, must have sides from 1 to %d", s.C, s.H, s.W, maxSide)
	}
	if want := s.C * s.H * (s.W/2 + 1); len(s.Magnitude) != want {
		return fmt.Errorf("a spectrum of %d×%d×%d has %d numbers, must have %d", s.C, s.H, s.W, len(s.Magnitude), want)
	}
	for i, v := range s.Magnitude {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("a spectrum's number %d is %g, must be finite and not negative", i, v)
		}
	}
	if slices.Max(s.Magnitude) == 0 {
		return errors.New("a spectrum's numbers are zeros, and make no image")
	}
	return nil
}

// at returns the magnitudes of an image of another size: those of the same frequencies in cycles a
// pixel, between the nearest four.
func (s Spectrum) at(c, h, w int) ([]float64, error) {
	given := s.Magnitude != nil
	if given {
		if err := s.check(); err != nil {
			return nil, err
		}
		if s.C != c {
			return nil, fmt.Errorf("a spectrum has %d channels, must have the images' %d", s.C, c)
		}
	}
	out := make([]float64, 0, c*h*(w/2+1))
	for channel := range c {
		for row := range h {
			for column := range w/2 + 1 {
				y, x := fourier.Frequency(row, h), fourier.Frequency(column, w)
				value := 1 / max(math.Hypot(y, x), 1/float64(max(h, w)))
				if given {
					value = s.between(channel, y*float64(s.H), x*float64(s.W))
				}
				out = append(out, value)
			}
		}
	}
	return out, nil
}

// between returns the magnitude of a channel at row y and column x, between the nearest four.
func (s Spectrum) between(channel int, y, x float64) (value float64) {
	half, y0, x0 := s.W/2+1, math.Floor(y), math.Floor(x)
	plane := s.Magnitude[channel*s.H*half:]
	for _, corner := range [4][2]float64{{y0, x0}, {y0, x0 + 1}, {y0 + 1, x0}, {y0 + 1, x0 + 1}} {
		weight := (1 - math.Abs(y-corner[0])) * (1 - math.Abs(x-corner[1]))
		row := (int(corner[0]) + s.H) % s.H
		value += weight * plane[row*half+min(int(corner[1]), half-1)]
	}
	return value
}

// SpectrumOf returns the mean magnitude of the spectra of images, as a parametrisation would hold them:
// through the inverse of the sigmoid, for values from 0.01 to 0.99, and of the colours.
func SpectrumOf(ctx context.Context, x interp.Images, colours Colours) (Spectrum, error) {
	if err := x.Check(); err != nil {
		return Spectrum{}, fmt.Errorf("featvis: %w", err)
	}
	inverse, err := colours.inverse()
	if err != nil {
		return Spectrum{}, err
	}
	s := Spectrum{C: x.C, H: x.H, W: x.W, Magnitude: make([]float64, x.C*x.H*(x.W/2+1))}
	each := make([][]float64, x.N*x.C) // summed in order, so that cores do not matter
	err = parallel.Each(ctx, len(each), func(i int) error {
		each[i] = magnitudes(plane(x, i/x.C, i%x.C, inverse), x.W)
		return nil
	})
	if err != nil {
		return Spectrum{}, err
	}
	for i, m := range each {
		sum := s.Magnitude[i%x.C*len(m):]
		for k, v := range m {
			sum[k] += v / float64(x.N)
		}
	}
	return s, nil
}

// plane returns channel c of image n as a parametrisation holds it.
func plane(x interp.Images, n, c int, inverse [3][3]float64) []float64 {
	logit := func(v float64) float64 {
		v = min(max(v, .01), .99)
		return math.Log(v / (1 - v))
	}
	out := make([]float64, x.H*x.W)
	for p := range out {
		pixel := x.Of(n)[p*x.C:][:x.C]
		if x.C != 3 {
			out[p] = logit(pixel[c])
			continue
		}
		for k, v := range pixel {
			out[p] += inverse[c][k] * logit(v)
		}
	}
	return out
}

// magnitudes returns the magnitudes of an image's transform, [h, w/2+1].
func magnitudes(image []float64, w int) []float64 {
	plane := make([]complex128, len(image))
	for i, v := range image {
		plane[i] = complex(v, 0)
	}
	fourier.Transform(plane, w)
	var out []float64
	for row := range slices.Chunk(plane, w) {
		for _, v := range row[:w/2+1] {
			out = append(out, cmplx.Abs(v))
		}
	}
	return out
}

var npyHeader = regexp.MustCompile(`^\{'descr': '<f([48])', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \}\s*$`)

// ReadSpectrum reads a spectrum from NumPy's .npy format: floats, little-endian, of shape (channels,
// rows, columns/2+1), of an even number of columns, in which the one that comes with the MaCo paper's
// implementation is written. Name is for captions and errors.
func ReadSpectrum(name string, r io.Reader) (Spectrum, error) {
	s, err := readSpectrum(r)
	s.Name = name
	if err != nil {
		return Spectrum{}, fmt.Errorf("featvis: %s: %w", name, err)
	}
	return s, nil
}

func readSpectrum(r io.Reader) (s Spectrum, err error) {
	b := bufio.NewReader(r)
	var start [10]byte
	if _, err := io.ReadFull(b, start[:]); err != nil || string(start[:7]) != "\x93NUMPY\x01" {
		return s, errors.New("it is not an .npy file of version 1")
	}
	header := make([]byte, binary.LittleEndian.Uint16(start[8:]))
	if _, err := io.ReadFull(b, header); err != nil {
		return s, fmt.Errorf("the header is cut off: %w", err)
	}
	found := npyHeader.FindStringSubmatch(string(header))
	if found == nil {
		return s, fmt.Errorf("header %.100q: only float arrays of three dimensions in C order are read", strings.TrimSpace(string(header)))
	}
	var dims [3]int
	for i := range dims {
		if dims[i], err = strconv.Atoi(found[2+i]); err != nil || dims[i] < 1 || dims[i] > maxSide {
			return s, fmt.Errorf("the array is shaped %s×%s×%s, must have sides from 1 to %d", found[2], found[3], found[4], maxSide)
		}
	}
	if dims[0] > 4 {
		return s, fmt.Errorf("the array has %d channels, must have at most 4", dims[0])
	}
	s.C, s.H, s.W = dims[0], dims[1], max(2*(dims[2]-1), 1)
	for range dims[0] * dims[1] * dims[2] {
		var v float64
		if found[1] == "8" {
			err = binary.Read(b, binary.LittleEndian, &v)
		} else {
			var single float32
			err = binary.Read(b, binary.LittleEndian, &single)
			v = float64(single)
		}
		if err != nil {
			return s, fmt.Errorf("the file is cut off after %d numbers of %d: %w", len(s.Magnitude), dims[0]*dims[1]*dims[2], err)
		}
		s.Magnitude = append(s.Magnitude, v)
	}
	return s, s.check()
}
