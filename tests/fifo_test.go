//go:build linux

package weft_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"sync"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// fifo makes a named pipe through which tasks and the test exchange lines.
func (p *project) fifo(name string) *waittest.FIFO {
	p.t.Helper()
	return waittest.NewFIFO(p.t, filepath.Join(p.dir, name))
}

// told is the next n lines that a task has written, or nil if it ends before.
func (p *project) told(f *waittest.FIFO, tid string, n int) []string {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	ended := make(chan struct{})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	log := p.open().Queue(ledger.Log)
	watch.Go(func() {
		for m, err := range log.Watch(ctx, broker.WatchOptions{Peek: true}) {
			var e ledger.Event
			if err == nil && json.Unmarshal([]byte(m.Body), &e) == nil && e.TID == tid && e.Status.Terminal() {
				close(ended)
				return
			}
		}
	})
	return f.ReadUntil(n, ended)
}

// blocked is a task that writes to tell when it begins, waits for proceed, and prints
// the token.
func blocked(tell, proceed *waittest.FIFO, token string) *taskspec.Spec {
	return shell(`echo "$WEFT_TID" >"$1"; read -r line <"$2"; echo "$3"`, tell.Path, proceed.Path, token)
}
