package interptest

import "lucigo/interp/internal/verify"

// Every compiled program is checked at every use in the tests that import this package.
func init() { verify.Turn(true) }
