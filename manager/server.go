package manager

import (
	"context"

	"weft/internal/ledger"
	"weft/internal/proc"
)

// serverDied: a program has died that served functions inside itself. What it
// leaves beside the goroutines that died with it is nobody's task.
type serverDied struct{ server *ledger.Server }

// watchServers begins to watch the programs that it does not watch yet. They
// carry out tasks by themselves; only their death is the manager's affair.
func (l *loop) watchServers(all []*ledger.Server) {
	for _, s := range all {
		if l.servers[s.Process] {
			continue
		}
		if l.servers == nil {
			l.servers = make(map[proc.Identity]bool)
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
