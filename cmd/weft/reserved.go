package main

import (
	"strings"

	"weft/broker"
)

// weftPrefix begins the names of Weft's own queues.
const weftPrefix = "weft."

// reserved reports whether a queue belongs to Weft or to a task or pipeline:
// weft.*, T<tid>.* and P<tid>.*.
func reserved(queue string) bool {
	if strings.HasPrefix(queue, weftPrefix) {
		return true
	}
	owner, _, ok := strings.Cut(queue, ".")
	return ok && len(owner) == 1+19 && (owner[0] == 'T' || owner[0] == 'P') &&
		strings.Trim(owner[1:], "0123456789") == ""
}

// withoutReserved returns p without the queues that are reserved, for what is
// done to many queues at once, except those that p spells out: a pattern that
// begins with "weft.", "T" or "P" means the queues that begin so.
func withoutReserved(p broker.Pattern) broker.Pattern {
	return p.Except(func(queue string) bool {
		spelled := queue[:1]
		if strings.HasPrefix(queue, weftPrefix) {
			spelled = weftPrefix
		}
		return reserved(queue) && !strings.HasPrefix(p.Literal(), spelled)
	})
}
