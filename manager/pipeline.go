package manager

import (
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// A pipeline has no consumer of its own. The transaction that ends one of its stages
// submits the next, whichever process commits it. The manager only starts a pipeline, as it
// dispatches a task, and reads its control messages.

// watchPipeline subscribes to the control queue of the pipeline, if there is one. It is
// called for each of its stages, since one that has ended may be resumed.
func (d *dispatcher) watchPipeline(tid string) {
	if tid == "" || d.pipelines[tid] {
		return
	}
	d.pipelines[tid] = true
	if err := d.controls.Add(ledger.PipelineQueues(tid).ControlIn); err != nil {
		d.o.Log.Warn("listen for control", "tid", tid, "err", err) // the periodic poll remains
	}
}

// readPipelineControl applies the control messages of the pipelines, and returns those that
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

// unwatchPipelines ends the subscriptions to pipelines that have ended.
func (d *dispatcher) unwatchPipelines(ended []string) {
	for _, tid := range ended {
		delete(d.pipelines, tid)
		d.controls.Remove(ledger.PipelineQueues(tid).ControlIn)
	}
}
