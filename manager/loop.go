package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/runner"
)

// A manager looks at its queues by itself after firstLook without an event,
// and at growing intervals up to lastLook: bells may be missed, rarely.
const (
	firstLook = time.Second
	lastLook  = 5 * time.Second
	// maxRetry is the longest pause before what could not be written is tried
	// again.
	maxRetry = time.Second
)

// loop serves events until the manager has to go.
func (m *Manager) loop(ctx context.Context, bells, controls *broker.Waiter) error {
	// The first consumer is started before anybody asks: the manager was
	// started because somebody will.
	if err := m.pool.grow(1); err != nil {
		return err
	}
	m.waiting = true
	look, retry := firstLook, time.Duration(0)
	timer := time.NewTimer(look)
	defer timer.Stop()
	stop := m.stop
	for {
		var in inbox
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), m.leave())
		case <-stop:
			stop = nil
			if err := m.beginStop(ctx); err != nil {
				m.log.Error("stop tasks", "err", err)
			}
		case e := <-m.events:
			if err := m.gather(e); err != nil {
				return errors.Join(err, m.leave())
			}
			look = firstLook
		case <-bells.C():
			m.waiting, in.manager, look = true, true, firstLook
		case <-controls.C():
			in.tasks, look = true, firstLook
		case <-timer.C:
			m.waiting, in.manager, in.tasks = true, true, true
			look = min(2*look, lastLook)
		}
		switch err := m.turn(ctx, controls, in); {
		case err == nil:
			retry = 0
		case ctx.Err() == nil:
			retry = min(max(10*time.Millisecond, 2*retry), maxRetry)
			m.log.Error("write turn", "err", err, "retry", retry)
		}
		now := time.Now()
		if done, err := m.finished(now); done || err != nil {
			return err
		}
		pause := look
		switch {
		case retry > 0:
			pause = retry
		case m.waiting && m.load().dispatchable() > 0:
			pause = 0 // the turn has made room
		}
		next := earliest(now.Add(pause), m.pool.retire(runtime.NumCPU(), now), idleUntil(m.idleSince, m.o.Lifetime))
		timer.Reset(time.Until(next))
	}
}

// inbox says where messages may have come.
type inbox struct {
	manager bool // control of the manager
	tasks   bool // control of running tasks
}

// gather takes an event and those that have come meanwhile.
func (m *Manager) gather(e event) error {
	for {
		if err := m.take(e); err != nil {
			return err
		}
		select {
		case e = <-m.events:
		default:
			return nil
		}
	}
}

// take notes what an event says. Nothing is written here: see turn.
func (m *Manager) take(e event) error {
	now := time.Now()
	switch e := e.(type) {
	case reported:
		return m.heard(e.from, e.what, now)
	case died:
		return m.mourn(e)
	case lost:
		delete(m.survivors, e.task)
		m.unsettled.lost = append(m.unsettled.lost, e.task)
	}
	return nil
}

// heard takes a consumer's report.
func (m *Manager) heard(c *consumer, r runner.Report, now time.Time) error {
	switch {
	case r.Hello != nil:
		if r.Hello.Protocol != runner.Protocol || r.Hello.Build != m.o.Build {
			return fmt.Errorf("consumer speaks protocol %d of build %q, this manager %d of %q: stop the manager and start it again",
				r.Hello.Protocol, r.Hello.Build, runner.Protocol, m.o.Build)
		}
		c.self = r.Hello.Process
		c.freed(now)
		m.o.Ready()
	case r.Started != nil:
		c.process = *r.Started
		m.unsettled.started = append(m.unsettled.started, started{c.task, c.process})
	case r.Finished != nil:
		// What it did is known; it can have the next task while this one is
		// being recorded.
		m.unsettled.finished = append(m.unsettled.finished, finished{c, r.Finished})
		c.freed(now)
	}
	return nil
}

// mourn takes the death of a consumer. What is left of its task is killed
// before its loss is recorded, and nobody waits for that here.
func (m *Manager) mourn(e died) error {
	c := e.who
	m.pool.remove(c)
	switch c.state {
	case starting:
		return fmt.Errorf("consumer ended before it said hello: %v (see crash.log)", e.err)
	case busy:
		t, consumer, process := c.task, c.self, c.process
		m.log.Warn("consumer died", "tid", t.tid, "pid", consumer.PID, "err", e.err)
		m.survivors[t] = &survivor{consumer: consumer, process: process}
		m.watch(func(ctx context.Context, _ func(event)) event {
			sweep(ctx, t, consumer, process)
			return lost{t}
		})
	}
	return nil
}

// beginStop asks every running task to stop and takes no more.
func (m *Manager) beginStop(ctx context.Context) error {
	m.stopping = true
	for _, c := range m.pool.busy() {
		_ = c.link.Send(runner.Order{End: runner.RequestStop})
	}
	// Survivors listen to their own queues.
	return m.o.Broker.Update(ctx, func(tx *broker.Tx) error {
		for t := range m.survivors {
			if _, err := ledger.End(tx, t.tid, ledger.CommandStop, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// finished reports whether the manager has left: because it was stopped and
// nothing runs any more, or because it has been without work for its lifetime.
func (m *Manager) finished(now time.Time) (bool, error) {
	if len(m.pool.busy()) > 0 || len(m.survivors) > 0 || !m.unsettled.empty() {
		m.idleSince = time.Time{}
		return false, nil
	}
	if m.stopping {
		return true, m.leave()
	}
	if m.idleSince.IsZero() {
		m.idleSince = now
	}
	if end := idleUntil(m.idleSince, m.o.Lifetime); end.IsZero() || now.Before(end) {
		return false, nil
	}
	left, err := m.leaveIdle()
	if !left {
		m.idleSince, m.waiting = now, true
	}
	return left, err
}
