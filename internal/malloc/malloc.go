//go:build cgo && linux

// Package malloc tells tests what C's memory holds.
package malloc

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static size_t in_use(void) {
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 33)
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
#endif
#endif
  return 0;
}

static void trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
*/
import "C"

// InUse returns how many bytes malloc has given out, 0 where it does not say.
func InUse() int64 { return int64(C.in_use()) }

// Trim gives back to the system what is free, where malloc does that.
func Trim() { C.trim() }
