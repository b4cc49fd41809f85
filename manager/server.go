package manager

import (
	"context"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// watchServers starts to watch the programs that it does not watch yet. They run tasks
// themselves, in goroutines, so no processes remain to be killed; the manager only records
// their death.
func (l *loop) watchServers(all []*ledger.Server) {
	for _, s := range all {
		if l.servers[s.Process] {
			continue
		}
		l.servers[s.Process] = true
		l.watch(func(ctx context.Context, _ func(event)) event {
			if s.Process.Wait(ctx) != nil {
				return nil // the manager ends first
			}
			return func() error {
				delete(l.servers, s.Process)
				l.Add(engine.Change{What: "note death of a server", Write: func(tx *broker.Tx, now time.Time) error {
					return ledger.MarkServerLost(tx, s, now)
				}})
				return nil
			}
		})
	}
}
