package manager

import (
	"context"
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
	controls *broker.Waiter      // hears the control queues of the tasks given out
	named    map[string][]string // those beside their own, by TID
	items    itemSource          // of items for persistent tasks
	requests *broker.Waiter      // hears requests, and the queues that tasks wait for
	inputs   map[string]bool     // these queues
	// pipelines are those whose control queues are heard.
	pipelines       map[string]bool
	envs            map[string]string // packed environments by their key
	requestsPending bool              // requests may be waiting
	// ahead are the oldest requests, read and made ready before there is room
	// for them: one look for many is cheaper. Whether they still stand when they
	// are given out, the transaction finds out that does it.
	ahead      []*ledger.Job
	describing map[string]bool // hosts that are being asked for their functions
	// held is the last id of the requests that are not to be run: see
	// [Options.Quarantined].
	quarantined broker.ID
	// damaged are the records that were logged as damaged.
	damaged map[string]bool
}

// How many requests are read ahead, and how many bytes at most.
const (
	maxAhead      = 32
	maxAheadBytes = 1 << 20
)

// fill assigns requests to consumers that are free.
func (d *dispatcher) fill(ctx context.Context, w *changes) error {
	free := d.pool.load().free()
	if free == 0 {
		// Only those that tasks have made can be given out, wherever they stand.
		jobs, err := d.readRequests(ctx, 1, true)
		if err != nil {
			return err
		}
		d.requestsPending = true // the others were not looked for
		_, err = d.assign(w, jobs)
		return err
	}
	if len(d.ahead) == 0 {
		if len(d.envs) > maxEnvs {
			clear(d.envs) // only here, so that no job that is ahead loses its own
		}
		var err error
		if d.ahead, err = d.readRequests(ctx, max(free, maxAhead), false); err != nil {
			return err
		}
		if d.requestsPending = len(d.ahead) > 0; !d.requestsPending {
			return nil
		}
	}
	n := min(free, len(d.ahead))
	left, err := d.assign(w, d.ahead[:n])
	d.ahead = append(left, d.ahead[n:]...)
	return err
}

// readRequests reads requests that can be given out, and makes them ready.
func (d *dispatcher) readRequests(ctx context.Context, n int, nestedOnly bool) (jobs []*ledger.Job, err error) {
	var inputs []string
	err = d.view(ctx, func(r broker.Reader) error {
		ready, err := ledger.OldestNested(r, d.quarantined, n)
		if !nestedOnly {
			ready, inputs, err = ledger.Oldest(r, d.quarantined, n, maxAheadBytes)
		}
		if err != nil {
			return err
		}
		jobs = make([]*ledger.Job, len(ready))
		for i, request := range ready {
			if jobs[i], err = ledger.PrepareReady(r, d.o.Root, request); err != nil {
				return err
			}
			if err := d.environment(r, jobs[i].Env); err != nil && !ledger.RefuseEnvironment(jobs[i], err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for requests: %w", err)
	}
	if !nestedOnly && d.listen(inputs) {
		return d.readRequests(ctx, n, nestedOnly) // something may have come before
	}
	return jobs, nil
}

// view is [broker.Broker.View] for who passes over damaged records: each of them is
// logged, once.
func (d *dispatcher) view(ctx context.Context, fn func(broker.Reader) error) error {
	return d.o.Broker.View(ctx, func(r broker.Reader) error { return fn(ledger.Noting{Reader: r, Note: d.logDamage}) })
}

// logDamage logs that a record is damaged, unless it was logged before.
func (d *dispatcher) logDamage(e *ledger.DamagedError) {
	name := e.Name()
	if d.damaged[name] || len(d.damaged) >= maxDamaged {
		return
	}
	d.damaged[name] = true
	d.o.Log.Error("record is damaged and passed over", "record", name, "problem", e.Err, "todo", "weft system repair")
}

// maxDamaged bounds what is remembered of damaged records.
const maxDamaged = 1000

// listen hears the bells of the queues that tasks wait for, and of no others. It
// reports whether one of them is new.
func (d *dispatcher) listen(inputs []string) (more bool) {
	for input := range d.inputs {
		if !slices.Contains(inputs, input) {
			d.requests.Remove(input)
			delete(d.inputs, input)
		}
	}
	for _, input := range inputs {
		if d.inputs[input] {
			continue
		}
		if err := d.requests.Add(input); err != nil {
			d.o.Log.Warn("listen to queue", "queue", input, "err", err) // the slow look remains
			continue
		}
		d.inputs[input], more = true, true
	}
	return more
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
	if err != nil {
		return err
	}
	d.envs[key] = block
	return nil
}

// assign gives the jobs to idle consumers, as preferred says. It returns those
// for which there was none; the consumers that are missing are started.
func (d *dispatcher) assign(w *changes, jobs []*ledger.Job) (left []*ledger.Job, err error) {
	free := d.pool.idle()
	nested := 0
	for _, j := range jobs {
		if !j.NotForConsumer() {
			d.findProgram(j)
		}
		d.watchPipeline(j.Pipeline())
		switch c := d.assignOne(j, &free); {
		case j.NotForConsumer(), j.Refused() != "":
			w.undispatched = append(w.undispatched, j)
		case c != nil:
			w.dispatched = append(w.dispatched, dispatched{to: c, job: j})
		default:
			left = append(left, j)
			if j.Nested {
				nested++
			}
		}
	}
	return left, d.pool.grow(d.pool.load().shortage(len(left)-nested, nested, len(w.dispatched) > 0))
}

// assignOne tells one of the free consumers to get ready for the job. It returns nil
// if there is none, or the job cannot be run.
func (d *dispatcher) assignOne(j *ledger.Job, free *[]*consumer) *consumer {
	for j.Refused() == "" && !j.NotForConsumer() && len(*free) > 0 {
		i := preferred(*free, programOf(j))
		c := (*free)[i]
		*free = slices.Delete(*free, i, i+1)
		if err := d.pool.assign(c, j, d.envs[j.Env]); err != nil {
			c.state = leaving // it is dying; its death will be reported
			continue
		}
		if err := d.hear(j); err != nil {
			d.o.Log.Warn("listen for control", "tid", j.TID, "err", err) // the slow look remains
		}
		if err := d.items.listen(c.inbox); err != nil {
			d.o.Log.Warn("listen for items", "tid", j.TID, "err", err) // likewise
		}
		return c
	}
	return nil
}

// hear listens to the control queues of a job's task.
func (d *dispatcher) hear(j *ledger.Job) error {
	named := ledger.ControlsOf(j)
	if len(named) > 0 {
		d.named[j.TID] = named
	}
	return d.controls.Add(append(named, ledger.QueuesOf(j.TID).ControlIn)...)
}

// hearNot ceases to listen to them, but for those that another task has as well.
func (d *dispatcher) hearNot(tid string) {
	d.controls.Remove(ledger.QueuesOf(tid).ControlIn)
	named := d.named[tid]
	delete(d.named, tid)
	for _, others := range d.named {
		named = slices.DeleteFunc(named, func(queue string) bool { return slices.Contains(others, queue) })
	}
	d.controls.Remove(named...)
}

// revoke takes a job back from its consumer.
func (d *dispatcher) revoke(given dispatched) {
	_ = given.to.link.Send(runner.Order{Revoke: true})
	d.hearNot(given.job.TID)
	given.to.becomeIdle(time.Now())
	// If it had not seen the job yet, it will not know the environment either.
	given.to.env = ""
	// What is ahead may be meant for messages that others are to get now.
	d.ahead, d.requestsPending = nil, true
}

// undo undoes what was prepared for a turn that could not be written; what
// consumers reported stays for the next.
func (d *dispatcher) undo(w *changes) {
	for _, given := range w.dispatched {
		d.revoke(given)
	}
	w.dispatched, w.undispatched = nil, nil
	d.items.undo(w)
	d.ahead, d.requestsPending = nil, true
}
