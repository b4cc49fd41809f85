package retention

import (
	"time"

	"weft/internal/ledger"
)

// The bounds of a project that says nothing else.
const (
	DefaultAge    = 7 * 24 * time.Hour
	DefaultTasks  = 100_000
	DefaultOutput = 10_000_000_000
	DefaultKeys   = 7 * 24 * time.Hour
)

// Never is the value of a bound that is none.
const Never = -1

// Bounds returns the bounds that a project has chosen: 0 is the default, and less than 0 none.
func Bounds(age time.Duration, tasks int, output int64, keys time.Duration) ledger.Retention {
	return ledger.Retention{
		Age:    chosen(age, DefaultAge),
		Tasks:  chosen(tasks, DefaultTasks),
		Output: chosen(output, DefaultOutput),
		Keys:   chosen(keys, DefaultKeys),
	}
}

func chosen[T int | int64 | time.Duration](value, byDefault T) T {
	if value == 0 {
		return byDefault
	}
	return max(value, 0)
}
