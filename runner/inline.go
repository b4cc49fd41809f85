package runner

import (
	"log/slog"

	"weft/broker"
	"weft/internal/function"
)

// InlineOptions say for whom an [Inline] works. All but Log are required.
type InlineOptions struct {
	Root       string         // the project's root
	Dir        string         // the project's folder
	Broker     *broker.Broker // stays open; the caller closes it
	Functions  *function.Registry
	MaxMessage int // bytes
	// Slots is how many functions run at once; 0 means [DefaultInlineSlots].
	Slots int
	Log   *slog.Logger // nil discards
	// Held returns the last id of the requests that are not to be run, because
	// nobody trusts where they come from; nil means that there are none.
	Quarantined func() broker.ID
}

// DefaultInlineSlots is how many functions run inside a host at once: a goroutine
// costs little, and what a task writes to the store is shared with the others.
const DefaultInlineSlots = 64

// inlineAheadBytes is how many bytes of requests are read ahead at most.
const inlineAheadBytes = 1 << 20
