// Package owner refuses what anyone else could have written, where it would be run as machine code.
package owner
