package sqlite

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weft/broker"
)

// TestWait lets a waiter wait, by a clock that is not real, for a store that is
// free from some time on.
func TestWait(t *testing.T) {
	t.Parallel()
	const patience = 30 * time.Second
	never := time.Hour
	tests := []struct {
		name   string
		first  time.Duration // when it becomes the first
		free   time.Duration // when the store is free for it
		writes time.Duration // until when others write
		cancel time.Duration
		after  time.Duration // it ends then, or up to 2 s later
		want   error
		past   bool
	}{
		{name: "the store is free soon", free: time.Second, cancel: never, after: time.Second},
		{name: "nobody writes", free: never, cancel: never, after: patience, want: broker.ErrBusy},
		{name: "others write for long, then nobody", free: never, writes: 10 * patience, cancel: never, after: 11 * patience, want: broker.ErrBusy},
		{name: "others write for long, then it is free", free: 10 * patience, writes: 10 * patience, cancel: never, after: 10 * patience},
		{name: "others go first for long", first: 10 * patience, writes: 10 * patience, cancel: never, after: 10 * patience},
		{name: "the first does nothing", first: never, cancel: never, past: true},
		{name: "the first does nothing, the store is locked", first: never, free: never, cancel: never, after: patience, want: broker.ErrBusy},
		{name: "the caller gives up as the first", free: never, cancel: time.Second, after: time.Second, want: context.Canceled},
		{name: "the caller gives up behind others", first: never, writes: never, cancel: 2 * patience, after: 2 * patience, want: context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(tt.cancel, cancel).Stop()
				p := &ticket{first: tt.first == 0, turn: make(chan struct{}, 1)}
				defer time.AfterFunc(tt.first, func() { p.turn <- struct{}{} }).Stop()
				asked := time.Duration(0)
				w := waiter{ticket: p, since: begin, patience: patience, moves: func() bool {
					wrote := min(time.Since(begin), tt.writes) > asked
					asked = time.Since(begin)
					return wrote
				}}
				err := w.wait(ctx, func() error {
					if !p.first && time.Since(begin) < tt.writes {
						t.Error("it did not wait for its turn")
					}
					if time.Since(begin) < tt.free {
						return broker.ErrBusy
					}
					return nil
				})
				if !errors.Is(err, tt.want) || w.past != tt.past {
					t.Errorf("error %v, want %v; it went past the first: %t, want %t", err, tt.want, w.past, tt.past)
				}
				if took := time.Since(begin); took < tt.after || took > tt.after+2*time.Second {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
			})
		})
	}
}
