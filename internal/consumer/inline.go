package consumer

import (
	"errors"
	"log/slog"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
)

// InlineOptions configure an [Inline]. Slots, Log and Quarantined are optional.
type InlineOptions struct {
	Root       string         // the project's root
	Dir        string         // the project's folder
	Broker     *broker.Broker // stays open; the caller closes it
	Functions  *function.Registry
	MaxMessage int // bytes
	// Slots is how many functions run at once; 0 means [DefaultInlineSlots].
	Slots int
	// Drain is how long running calls have to return when the server ends, before their
	// contexts end.
	Drain time.Duration
	Log   *slog.Logger // nil discards
	// Retention bounds what is kept of tasks that have ended.
	Retention ledger.Retention
	// Quarantined returns the last id of the requests that must not run because their
	// origin is not trusted; nil means that there are none.
	Quarantined func() broker.ID
}

// ErrStopped is the cause of a context of [Inline.Serve] with which a user stops the calls: they
// are cancelled, not interrupted.
var ErrStopped = errors.New("told to stop")

// DefaultInlineSlots is how many functions run inside a program at once: a goroutine costs
// little, and calls share their transactions.
const DefaultInlineSlots = 64

// inlineAheadBytes bounds the bytes of requests that are read ahead.
const inlineAheadBytes = 1 << 20
