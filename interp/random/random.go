// Package random gives every element of every sample of every image its own random bits, by a
// counter-based hash: the numbers depend on nothing but (seed, key, sample, element), so they are the
// same on every backend, in every batch, in any order and on any number of cores.
//
// The hash is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
// OOPSLA 2014): element i of a stream is its finaliser at state + (i+1)·γ.
package random

import "math"

const gamma = 0x9e3779b97f4a7c15

// Hash mixes the words into one. Any change of any word changes about half of the bits.
func Hash(words ...uint64) uint64 {
	h := uint64(gamma)
	for _, w := range words {
		h = mix(h ^ mix(w+gamma))
	}
	return h
}

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// Stream is the random sequence of one sample of one image. Its elements can be read in any order.
type Stream uint64

// New returns the stream of a sample of the image with the given key.
func New(seed, key, sample uint64) Stream { return Stream(Hash(seed, key, sample)) }

// Bits returns element i.
func (s Stream) Bits(i int) uint64 { return mix(uint64(s) + uint64(i+1)*gamma) }

// Uniform returns element i as a number in (0, 1), a multiple of 2⁻⁵³ plus 2⁻⁵⁴.
func (s Stream) Uniform(i int) float64 { return (float64(s.Bits(i)>>11) + 0.5) / (1 << 53) }

// Intn returns element i as a number in [0, n), for n from 1 to 2³².
func (s Stream) Intn(i, n int) int { return int((s.Bits(i) >> 32) * uint64(n) >> 32) }

// Choose returns n of the numbers 0 to all−1, in random order, by the elements first to first+n−1: Fisher and Yates, as Durstenfeld
// has it (1964).
func (s Stream) Choose(first, n, all int) []int {
	numbers := make([]int, all)
	for i := range numbers {
		numbers[i] = i
	}
	for i := range n {
		j := i + s.Intn(first+i, all-i)
		numbers[i], numbers[j] = numbers[j], numbers[i]
	}
	return numbers[:n]
}

// Normals fills dst with the stream's standard normals: elements 2j and 2j+1 are the two of Box and
// Muller (1958) from uniforms 2j and 2j+1, so dst[i] does not depend on len(dst).
func (s Stream) Normals(dst []float64) {
	for i := 0; i < len(dst); i += 2 {
		r := math.Sqrt(-2 * math.Log(s.Uniform(i)))
		sin, cos := math.Sincos(2 * math.Pi * s.Uniform(i+1))
		dst[i] = r * cos
		if i+1 < len(dst) {
			dst[i+1] = r * sin
		}
	}
}
