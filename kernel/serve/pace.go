package serve

import "time"

// Jupyter's server drops what a kernel publishes beyond 3,000,000 bytes of streams, or 3,000 messages, in three
// seconds. It counts a message when it comes to it, perhaps a second late, so that messages of more than three seconds
// seem to be of three. A pace allows for a second and a half: 1 MiB + 4.5 s × 420,000 bytes/s is less than 3,000,000
// bytes.
const (
	paceBurst = 1 << 20 // bytes at once
	paceRate  = 420_000 // bytes a second afterwards
	paceLeast = 1000    // bytes that a message counts for at least
)

// pace says when messages may be sent. Its zero value grants a full burst.
type pace struct {
	debt float64   // what the burst lacks …
	at   time.Time // … at this time
}

// take grants n bytes, or says how long to wait before asking again. More than a burst is granted as one.
func (p *pace) take(now time.Time, n int) (wait time.Duration) {
	n = min(max(n, paceLeast), paceBurst)
	p.debt = max(0, p.debt-paceRate*now.Sub(p.at).Seconds())
	p.at = now
	if excess := p.debt + float64(n) - paceBurst; excess > 0 {
		return time.Duration(excess/paceRate*float64(time.Second)) + time.Millisecond
	}
	p.debt += float64(n)
	return 0
}
