package manager

import (
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// A pipeline has no consumer of its own. The transaction that ends one of its stages
// submits the next, whichever process commits it. The manager only starts a pipeline, as it
// dispatches a task, and reads its control messages.

// watchPipeline subscribes to the control queue of the pipeline, if there is one. It is
// called for each of its stages, since one that has ended may be resumed.
func (l *loop) watchPipeline(tid string) {
	if tid == "" || l.pipelines[tid] {
		return
	}
	l.pipelines[tid] = true
	if err := l.Waiters[engine.Control].Add(ledger.PipelineQueues(tid).ControlIn); err != nil {
		l.log.Warn("listen for control", "tid", tid, "err", err) // the periodic poll remains
	}
}

// lookForControl reads the control messages of the manager and of the pipelines.
func (l *loop) lookForControl() {
	if l.Stale[engine.Manager] {
		var commands []ledger.Command
		var found []*ledger.Server
		l.Add(engine.Change{
			What:   "read control messages of the manager",
			Failed: engine.Drop, // what is stale stays so
			Write: func(tx *broker.Tx, now time.Time) (err error) {
				if commands, err = l.record.ReadControl(tx, now); err == nil {
					found, err = ledger.Servers(tx)
				}
				return err
			},
			Written: func(err error) {
				l.Stale[engine.Manager] = false
				if err == nil {
					l.Commanded("", commands...)
					l.watchServers(found)
				}
			},
		})
	}
	if l.Stale[engine.Control] && len(l.pipelines) > 0 {
		var ended []string
		l.Add(engine.Change{
			What:   "read control messages of pipelines",
			Failed: engine.Drop,
			Write: func(tx *broker.Tx, now time.Time) error {
				ended = nil
				for tid := range l.pipelines {
					runs, err := ledger.ReadPipelineControl(tx, tid, now)
					if err != nil {
						return err
					}
					if !runs {
						ended = append(ended, tid)
					}
				}
				return nil
			},
			Written: func(error) {
				for _, tid := range ended {
					delete(l.pipelines, tid)
					l.Waiters[engine.Control].Remove(ledger.PipelineQueues(tid).ControlIn)
				}
			},
		})
	}
}
