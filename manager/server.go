package manager

import (
	"context"

	"weft/internal/ledger"
)

// serverDied means that a program that served functions inside itself has died. Only its
// goroutines ran its tasks, so no processes remain to be killed.
type serverDied struct{ server *ledger.Server }

// watchServers starts to watch the programs that it does not watch yet. They run tasks
// themselves; the manager only records their death.
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
			return serverDied{s}
		})
	}
}
