package manager

import (
	"context"
	"fmt"
	"slices"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// The bounds of what is read ahead.
const (
	maxAhead      = 32
	maxAheadBytes = 1 << 20
)

// fill assigns requests to free consumers.
func (l *loop) fill(ctx context.Context) error {
	free := l.pool.load().free()
	if free == 0 {
		// Without a slot only requests that need none can be dispatched.
		jobs, err := l.readRequests(ctx, 1, true)
		if err != nil {
			return err
		}
		_, err = l.assign(jobs)
		return err
	}
	err := l.LookAhead(func() ([]*ledger.Job, error) {
		if len(l.envs) > maxEnvs {
			clear(l.envs) // only here, so that no job that is ahead loses its environment
		}
		return l.readRequests(ctx, max(free, maxAhead), false)
	})
	if err != nil || len(l.Ahead) == 0 {
		return err
	}
	n := min(free, len(l.Ahead))
	left, err := l.assign(l.Ahead[:n])
	l.Ahead = append(left, l.Ahead[n:]...)
	return err
}

// readRequests reads and prepares requests that can be dispatched.
func (l *loop) readRequests(ctx context.Context, n int, slotlessOnly bool) (jobs []*ledger.Job, err error) {
	var inputs []string
	err = l.view(ctx, func(r broker.Reader) error {
		ready, found, err := ledger.Runnable(r, l.Quarantined, n, maxAheadBytes, !slotlessOnly)
		if inputs = found; err != nil {
			return err
		}
		jobs = make([]*ledger.Job, len(ready))
		for i, request := range ready {
			if jobs[i], err = ledger.Prepare(r, l.o.Root, request); err != nil {
				return err
			}
			if err := l.environment(r, jobs[i].Env); err != nil && !ledger.RefuseEnvironment(jobs[i], err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for requests: %w", err)
	}
	if !slotlessOnly && l.listen(inputs) {
		return l.readRequests(ctx, n, slotlessOnly) // an input may have arrived before the subscription
	}
	return jobs, nil
}

// view is [broker.Broker.View] for functions that skip damaged records; it logs each of
// these once.
func (l *loop) view(ctx context.Context, fn func(broker.Reader) error) error {
	return l.o.Broker.View(ctx, func(r broker.Reader) error { return fn(ledger.Noting{Reader: r, Note: l.logDamage}) })
}

// logDamage logs that a record is damaged, unless it has done so before.
func (l *loop) logDamage(e *ledger.DamagedError) {
	name := e.Name()
	if l.damaged[name] || len(l.damaged) >= maxDamaged {
		return
	}
	l.damaged[name] = true
	l.log.Error("record is damaged and passed over", "record", name, "problem", e.Err, "todo", "weft system repair")
}

// maxDamaged bounds the damaged records that are remembered.
const maxDamaged = 1000

// listen subscribes to exactly these input queues. It reports whether one of them is new.
func (l *loop) listen(inputs []string) (more bool) {
	for input := range l.inputs {
		if !slices.Contains(inputs, input) {
			l.Waiters[engine.Requests].Remove(input)
			delete(l.inputs, input)
		}
	}
	for _, input := range inputs {
		if l.inputs[input] {
			continue
		}
		if err := l.Waiters[engine.Requests].Add(input); err != nil {
			l.log.Warn("listen to queue", "queue", input, "err", err) // the periodic poll remains
			continue
		}
		l.inputs[input], more = true, true
	}
	return more
}

// maxEnvs bounds the environments that are kept; a project has as many as there are shells
// that submit.
const maxEnvs = 16

// environment loads the environment with this key, unless it is known.
func (l *loop) environment(r broker.Reader, key string) error {
	if _, known := l.envs[key]; known || key == "" {
		return nil
	}
	block, err := ledger.Environment(r, key)
	if err != nil {
		return err
	}
	l.envs[key] = block
	return nil
}

// assign assigns the jobs to idle consumers, as preferred says. It returns the jobs without
// one, and starts the missing consumers.
func (l *loop) assign(jobs []*ledger.Job) (left []*ledger.Job, err error) {
	free := l.pool.idle()
	slotless, dispatched := 0, false
	for _, j := range jobs {
		if !j.NotForConsumer() {
			l.findProgram(j)
		}
		l.watchPipeline(j.Pipeline())
		switch c := l.assignOne(j, &free); {
		case j.NotForConsumer(), j.Refused() != "":
			l.addDecline(j)
		case c != nil:
			l.addDispatch(c, j)
			dispatched = true
		default:
			left = append(left, j)
			if j.Slotless {
				slotless++
			}
		}
	}
	return left, l.pool.grow(l.pool.load().shortage(len(left)-slotless, slotless, dispatched))
}

// assignOne assigns the job to one of the free consumers. It returns nil if there is none,
// or the job cannot be run.
func (l *loop) assignOne(j *ledger.Job, free *[]*consumer) *consumer {
	for j.Refused() == "" && !j.NotForConsumer() && len(*free) > 0 {
		i := preferred(*free, programOf(j))
		c := (*free)[i]
		*free = slices.Delete(*free, i, i+1)
		if err := l.pool.assign(c, j, l.envs[j.Env]); err != nil {
			c.state = leaving // it is dying, which will be reported
			continue
		}
		l.WatchControl(j.TID, ledger.ControlsOf(j))
		if err := l.listenToInbox(c.inbox); err != nil {
			l.log.Warn("listen for items", "tid", j.TID, "err", err) // the periodic poll remains
		}
		return c
	}
	return nil
}
