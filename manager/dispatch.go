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

// A dispatcher assigns requests to consumers.
type dispatcher struct {
	o        Options
	pool     *pool
	controls *broker.Waiter      // notified of the control queues of dispatched tasks
	named    map[string][]string // further control queues of a task, by TID
	items    itemSource          // items for persistent tasks
	requests *broker.Waiter      // notified of requests, and of the input queues of waiting tasks
	inputs   map[string]bool     // these input queues
	// pipelines are those whose control queues are watched.
	pipelines       map[string]bool
	envs            map[string]string // packed environments by their key
	requestsPending bool              // requests may be waiting
	// ahead are the oldest requests, read and prepared before there is a slot for them: one
	// query for many is cheaper. The transaction that dispatches a request checks that it
	// is still valid.
	ahead      []*ledger.Job
	describing map[string]bool // programs that are being asked for their functions
	// quarantined is the last id of the requests that must not run: see
	// [Options.Quarantined].
	quarantined broker.ID
	// damaged are the records that have been logged as damaged.
	damaged map[string]bool
}

// The bounds of what is read ahead.
const (
	maxAhead      = 32
	maxAheadBytes = 1 << 20
)

// fill assigns requests to free consumers.
func (d *dispatcher) fill(ctx context.Context, w *changes) error {
	free := d.pool.load().free()
	if free == 0 {
		// Without a slot only nested requests can be dispatched.
		jobs, err := d.readRequests(ctx, 1, true)
		if err != nil {
			return err
		}
		d.requestsPending = true // the others have not been read
		_, err = d.assign(w, jobs)
		return err
	}
	if len(d.ahead) == 0 {
		if len(d.envs) > maxEnvs {
			clear(d.envs) // only here, so that no job that is ahead loses its environment
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

// readRequests reads and prepares requests that can be dispatched.
func (d *dispatcher) readRequests(ctx context.Context, n int, nestedOnly bool) (jobs []*ledger.Job, err error) {
	var inputs []string
	err = d.view(ctx, func(r broker.Reader) error {
		ready, found, err := ledger.Runnable(r, d.quarantined, n, maxAheadBytes, !nestedOnly)
		if inputs = found; err != nil {
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
		return d.readRequests(ctx, n, nestedOnly) // an input may have arrived before the subscription
	}
	return jobs, nil
}

// view is [broker.Broker.View] for functions that skip damaged records; it logs each of
// these once.
func (d *dispatcher) view(ctx context.Context, fn func(broker.Reader) error) error {
	return d.o.Broker.View(ctx, func(r broker.Reader) error { return fn(ledger.Noting{Reader: r, Note: d.logDamage}) })
}

// logDamage logs that a record is damaged, unless it has done so before.
func (d *dispatcher) logDamage(e *ledger.DamagedError) {
	name := e.Name()
	if d.damaged[name] || len(d.damaged) >= maxDamaged {
		return
	}
	d.damaged[name] = true
	d.o.Log.Error("record is damaged and passed over", "record", name, "problem", e.Err, "todo", "weft system repair")
}

// maxDamaged bounds the damaged records that are remembered.
const maxDamaged = 1000

// listen subscribes to exactly these input queues. It reports whether one of them is new.
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
			d.o.Log.Warn("listen to queue", "queue", input, "err", err) // the periodic poll remains
			continue
		}
		d.inputs[input], more = true, true
	}
	return more
}

// maxEnvs bounds the environments that are kept; a project has as many as there are shells
// that submit.
const maxEnvs = 16

// environment loads the environment with this key, unless it is known.
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

// assign assigns the jobs to idle consumers, as preferred says. It returns the jobs without
// one, and starts the missing consumers.
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

// assignOne assigns the job to one of the free consumers. It returns nil if there is none,
// or the job cannot be run.
func (d *dispatcher) assignOne(j *ledger.Job, free *[]*consumer) *consumer {
	for j.Refused() == "" && !j.NotForConsumer() && len(*free) > 0 {
		i := preferred(*free, programOf(j))
		c := (*free)[i]
		*free = slices.Delete(*free, i, i+1)
		if err := d.pool.assign(c, j, d.envs[j.Env]); err != nil {
			c.state = leaving // it is dying, which will be reported
			continue
		}
		if err := d.watchControl(j); err != nil {
			d.o.Log.Warn("listen for control", "tid", j.TID, "err", err) // the periodic poll remains
		}
		if err := d.items.listen(c.inbox); err != nil {
			d.o.Log.Warn("listen for items", "tid", j.TID, "err", err) // likewise
		}
		return c
	}
	return nil
}

// watchControl subscribes to the control queues of a job's task.
func (d *dispatcher) watchControl(j *ledger.Job) error {
	named := ledger.ControlsOf(j)
	if len(named) > 0 {
		d.named[j.TID] = named
	}
	return d.controls.Add(append(named, ledger.QueuesOf(j.TID).ControlIn)...)
}

// unwatchControl ends that subscription, but for queues that other tasks share.
func (d *dispatcher) unwatchControl(tid string) {
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
	d.unwatchControl(given.job.TID)
	given.to.becomeIdle(time.Now())
	// If the consumer has not read the assignment, it does not know the environment.
	given.to.env = ""
	// The messages of what was read ahead may now belong to other jobs.
	d.ahead, d.requestsPending = nil, true
}

// undo takes back the dispatches of a cycle that could not be written. The reports of
// consumers are kept for the next cycle.
func (d *dispatcher) undo(w *changes) {
	for _, given := range w.dispatched {
		d.revoke(given)
	}
	w.dispatched, w.undispatched = nil, nil
	d.items.undo(w)
	d.ahead, d.requestsPending = nil, true
}
