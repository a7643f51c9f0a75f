//go:build goexperiment.simd

package googlenet

// simd says whether the Go backend was built with vector instructions, without which it is ten times slower.
const simd = true
