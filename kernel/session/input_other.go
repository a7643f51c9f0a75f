//go:build !amd64

package session

const readCall = "63" // read's number among Linux's calls on arm64
