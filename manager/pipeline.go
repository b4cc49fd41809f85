package manager

import (
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// A pipeline has no consumer: its stages have. The transaction that ends one of
// them asks for the next, whoever commits it, so all that is left for the manager
// is to begin a pipeline, as it gives out a task, and to read what people tell it.

// watchPipeline hears from now on what the pipeline is told, if there is one. It
// is called for each of its stages, since one that has ended may be resumed.
func (d *dispatcher) watchPipeline(tid string) {
	if tid == "" || d.pipelines[tid] {
		return
	}
	d.pipelines[tid] = true
	if err := d.controls.Add(ledger.PipelineQueues(tid).ControlIn); err != nil {
		d.o.Log.Warn("listen for control", "tid", tid, "err", err) // the slow look remains
	}
}

// readPipelineControl carries out what the pipelines were told, and returns those that
// have ended.
func (d *dispatcher) readPipelineControl(tx *broker.Tx, now time.Time) (ended []string, err error) {
	for tid := range d.pipelines {
		runs, err := ledger.ReadPipelineControl(tx, tid, now)
		if err != nil {
			return nil, err
		}
		if !runs {
			ended = append(ended, tid)
		}
	}
	return ended, nil
}

// unwatchPipelines hears no more of pipelines that have ended.
func (d *dispatcher) unwatchPipelines(ended []string) {
	for _, tid := range ended {
		delete(d.pipelines, tid)
		d.controls.Remove(ledger.PipelineQueues(tid).ControlIn)
	}
}
