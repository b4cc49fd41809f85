package observe

import (
	"math/rand/v2"
	"time"

	"weft/broker"
)

// A Filter decides whether a message is wanted. nil accepts all of them.
type Filter func(broker.Message) bool

// wants reports whether f wants m.
func (f Filter) wants(m broker.Message) bool { return f == nil || f(m) }

// Every accepts the first message and then each n-th; an n below 2 accepts all. It counts,
// and so belongs to one observer.
func Every(n int) Filter {
	seen := 0
	return func(broker.Message) bool {
		wanted := seen%max(n, 1) == 0
		seen++
		return wanted
	}
}

// Share accepts the given share of all messages, from 0 (none) to 1 (all). The decision
// depends only on seed and the message's id: it is the same in every process and every run,
// and safe for concurrent use.
func Share(share float64, seed uint64) Filter {
	return func(m broker.Message) bool { return draw(seed, m.ID) < share }
}

// draw returns a number in [0, 1) that depends on seed and id.
func draw(seed uint64, id broker.ID) float64 {
	const bits = 53 // of a float64's mantissa
	return float64(rand.NewPCG(seed, uint64(id)).Uint64()>>(64-bits)) / (1 << bits)
}

// Spaced accepts a message if it was written at least gap after the last one it accepted,
// by the time in their ids, which is exact to [broker.Grain]. It remembers that message,
// and so belongs to one observer.
func Spaced(gap time.Duration) Filter {
	var last broker.ID
	return func(m broker.Message) bool {
		if last != 0 && m.ID.Time().Sub(last.Time()) < gap {
			return false
		}
		last = m.ID
		return true
	}
}
