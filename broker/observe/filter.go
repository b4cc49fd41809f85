package observe

import (
	"math/rand/v2"
	"time"

	"weft/broker"
)

// A Filter decides whether a message is wanted. nil wants all of them.
type Filter func(broker.Message) bool

// wants reports whether f wants m.
func (f Filter) wants(m broker.Message) bool { return f == nil || f(m) }

// Every wants the first message it is asked about and then each n-th; an n
// below 2 wants all. It counts, and so belongs to one observer.
func Every(n int) Filter {
	asked := 0
	return func(broker.Message) bool {
		wanted := asked%max(n, 1) == 0
		asked++
		return wanted
	}
}

// Share wants the given share of all messages, from 0 (none) to 1 (all). The
// decision depends on seed and the message's id alone: it is the same in every
// process and after every start, and safe for concurrent use.
func Share(share float64, seed uint64) Filter {
	return func(m broker.Message) bool { return draw(seed, m.ID) < share }
}

// draw is a number in [0, 1) that seed and id decide.
func draw(seed uint64, id broker.ID) float64 {
	const bits = 53 // of a float64's mantissa
	return float64(rand.NewPCG(seed, uint64(id)).Uint64()>>(64-bits)) / (1 << bits)
}

// Spaced wants a message if it was written at least gap after the last one it
// wanted, by the time in their ids, which is exact to [broker.Grain]. It
// remembers that one, and so belongs to one observer.
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
