package serve

import "time"

// Jupyter's server drops what a kernel publishes beyond 3,000,000 bytes of streams, or 3,000 messages, in any three
// seconds. A pace stays below that whatever is published: it grants bursts, then a steady rate.
const (
	paceBurst  = 2 << 20 // bytes at once
	paceRate   = 820_000 // bytes a second
	paceWindow = 3 * time.Second
	paceLimit  = 2_600_000 // bytes in any window
	paceLeast  = 1000      // bytes that a message counts for at least: no more than 2,600 messages in any window
)

// pace says when messages may be sent. Its zero value grants a full burst.
type pace struct {
	debt   float64   // what the burst lacks …
	at     time.Time // … at this time
	recent []grant   // in the last window
	total  int       // their bytes
}

type grant struct {
	at time.Time
	n  int
}

// take grants n bytes, or says how long to wait before asking again. More than a burst is granted as one.
func (p *pace) take(now time.Time, n int) (wait time.Duration) {
	n = min(max(n, paceLeast), paceBurst)
	p.debt = max(0, p.debt-paceRate*now.Sub(p.at).Seconds())
	p.at = now
	for len(p.recent) > 0 && now.Sub(p.recent[0].at) >= paceWindow {
		p.total -= p.recent[0].n
		p.recent = p.recent[1:]
	}
	if p.total+n > paceLimit {
		return paceWindow - now.Sub(p.recent[0].at)
	}
	if excess := p.debt + float64(n) - paceBurst; excess > 0 {
		return time.Duration(excess/paceRate*float64(time.Second)) + time.Millisecond
	}
	p.debt += float64(n)
	p.total += n
	p.recent = append(p.recent, grant{now, n})
	return 0
}
