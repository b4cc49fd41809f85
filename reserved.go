package weft

import (
	"context"
	"strings"

	"weft/broker"
	"weft/internal/ledger"
)

// weftPrefix begins the names of Weft's own queues.
const weftPrefix = "weft."

// Reserved reports whether a queue belongs to Weft or to a task or pipeline:
// weft.*, T<tid>.* and P<tid>.*.
func Reserved(queue string) bool {
	if strings.HasPrefix(queue, weftPrefix) {
		return true
	}
	owner, _, ok := strings.Cut(queue, ".")
	return ok && len(owner) == 1+fullTID && (owner[0] == 'T' || owner[0] == 'P') &&
		strings.Trim(owner[1:], "0123456789") == ""
}

// Broadcast writes a message to each queue that p matches, all in one transaction, and
// returns their names. Beside those that hold a message, the control queues of tasks
// and pipelines that run are there.
func (p *Project) Broadcast(ctx context.Context, pattern broker.Pattern, body string) ([]string, error) {
	return p.broker.Queues(pattern).Also(ledger.ControlQueues).Broadcast(ctx, body)
}

// WithoutReserved returns p without the queues that are [Reserved], for what is
// done to many queues at once, except those that p spells out: a pattern that
// begins with "weft.", "T" or "P" means the queues that begin so.
func WithoutReserved(p broker.Pattern) broker.Pattern {
	return p.Except(func(queue string) bool {
		spelled := queue[:1]
		if strings.HasPrefix(queue, weftPrefix) {
			spelled = weftPrefix
		}
		return Reserved(queue) && !strings.HasPrefix(p.Literal(), spelled)
	})
}
