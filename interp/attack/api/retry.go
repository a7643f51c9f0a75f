package api

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 15 * time.Second
	ages       = 100 * 365 * 24 * time.Hour
)

// backoff is how long to wait after so many failures, one after another: twice as long each time, and at random between half of that
// and all, so that clients that failed together do not come back together.
func backoff(failures int) time.Duration {
	pause := lastPause
	if failures < 20 {
		pause = min(pause, firstPause<<failures)
	}
	return pause/2 + rand.N(pause/2)
}

// retryAfter is how long a server asks to wait (RFC 9110, section 10.2.3): a number of seconds, or a date, which is by the server's own
// clock where it tells that. What is neither, is not told, or is over, is 0.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text != "" && strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(ages/time.Second) {
			return ages
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if clock, err := http.ParseTime(h.Get("Date")); err == nil {
		now = clock
	}
	return min(max(0, at.Sub(now)), ages)
}
