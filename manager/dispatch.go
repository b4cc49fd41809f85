package manager

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// A dispatcher gives requests to consumers.
type dispatcher struct {
	o        Options
	pool     *pool
	controls *broker.Waiter    // hears the control queues of the tasks given out
	envs     map[string]string // packed environments by their key
	waiting  bool              // requests may be waiting
	asked    map[string]bool   // hosts that are being asked for their functions
}

// fill looks for requests and assigns them to consumers that are free.
func (d *dispatcher) fill(ctx context.Context, w *work) error {
	l := d.pool.load()
	nestedOnly := l.free() == 0
	asked := max(1, l.free())
	if len(d.envs) > maxEnvs {
		clear(d.envs) // only here, so that no job of this look loses its own
	}
	var jobs []*ledger.Job
	err := d.o.Broker.View(ctx, func(r broker.Reader) error {
		ms, err := ledger.Waiting(r, asked, nestedOnly)
		if err != nil {
			return err
		}
		// Those that need a slot were not looked for when there was none.
		d.waiting = nestedOnly || len(ms) == asked
		jobs = make([]*ledger.Job, len(ms))
		for i, msg := range ms {
			if jobs[i], err = ledger.Prepare(r, d.o.Root, msg); err != nil {
				return err
			}
			if err := d.environment(r, jobs[i].Env); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for requests: %w", err)
	}
	for _, j := range jobs {
		d.locate(j)
	}
	return d.assign(w, jobs)
}

// maxEnvs bounds the environments that are remembered from one look to the
// next; a project has as many as there are shells that submit.
const maxEnvs = 16

// environment remembers the environment with this key.
func (d *dispatcher) environment(r broker.Reader, key string) error {
	if _, known := d.envs[key]; known || key == "" {
		return nil
	}
	block, err := ledger.Environment(r, key)
	if err != nil && !errors.Is(err, broker.ErrNotFound) { // then it is an empty one
		return err
	}
	d.envs[key] = block
	return nil
}

// assign gives the jobs to idle consumers, as preferred says. Consumers that are
// missing are started; their jobs stay in the queue until they say hello.
func (d *dispatcher) assign(w *work, jobs []*ledger.Job) error {
	free := d.pool.idle()
	waiting, nested := 0, 0
	for _, j := range jobs {
		if j.Refused() != "" {
			w.refused = append(w.refused, j)
			continue
		}
		without := &waiting
		if j.Nested {
			without = &nested
		}
		*without++
		for len(free) > 0 {
			i := preferred(free, hostOf(j))
			c := free[i]
			free = slices.Delete(free, i, i+1)
			if err := d.pool.assign(c, j, d.envs[j.Env]); err != nil {
				c.state = leaving // it is dying; its death will be reported
				continue
			}
			if err := d.controls.Add(ledger.QueuesOf(j.TID).ControlIn); err != nil {
				d.o.Log.Warn("listen for control", "tid", j.TID, "err", err) // the slow look remains
			}
			w.dispatched = append(w.dispatched, dispatched{to: c, job: j})
			*without--
			break
		}
	}
	if waiting+nested > 0 {
		d.waiting = true
	}
	return d.pool.grow(d.pool.load().shortage(waiting, nested, len(w.dispatched) > 0))
}

// drop takes a job back from its consumer.
func (d *dispatcher) drop(given dispatched) {
	_ = given.to.link.Send(runner.Order{Drop: true})
	d.controls.Remove(ledger.QueuesOf(given.job.TID).ControlIn)
	given.to.freed(time.Now())
	// If it had not seen the job yet, it will not know the environment either.
	given.to.env = ""
}

// withdraw undoes what was prepared for a turn that could not be written; what
// consumers reported stays for the next.
func (d *dispatcher) withdraw(w *work) {
	for _, given := range w.dispatched {
		d.drop(given)
	}
	w.dispatched, w.refused = nil, nil
	d.waiting = true
}
