package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/attempt"
	"weft/internal/control"
	"weft/internal/engine"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/taskspec"
)

// A call is a function that runs, or ran, inside this program. It belongs to the server's
// goroutine, which everything else reaches by events.
type call struct {
	job     *ledger.Job
	task    *ledger.Task // as it was claimed
	known   *ledger.Task // the same record, until something changes it
	ending  attempt.Ending
	ctx     context.Context // the function's
	cancel  context.CancelCauseFunc
	out     *outputs
	log     *callLog
	abandon chan struct{}
	timers  []*time.Timer

	answer  *Answer         // nil until the function has returned
	handOff *ledger.HandOff // nil until the task is over
	waits   int             // how many waits for other tasks the function is in; it has no slot then
	waiters control.Waiters // clients that wait at the control socket
	local   *LocalRun       // for a call that this program submitted; else nil
}

// over reports whether the task is over. Its function may still run.
func (c *call) over() bool { return c.handOff != nil }

// emit has an event handled by the goroutine of the server, unless the server has ended.
func (s *server) emit(event func() error) {
	select {
	case s.Events <- event:
	case <-s.over:
	}
}

// emitFor is emit for an event of a call, unless the call is over by then.
func (s *server) emitFor(c *call, event func(*call)) {
	s.emit(func() error {
		if !c.over() {
			event(c)
		}
		return nil
	})
}

// startCall starts a task that has been claimed and holds a slot.
func (s *server) startCall(j *ledger.Job, t *ledger.Task) {
	c := s.newCall(j, t)
	s.track(c)
	go s.invoke(c)
}

// newCall prepares a call. It may be used on any goroutine.
func (s *server) newCall(j *ledger.Job, t *ledger.Task) *call {
	c := &call{job: j, task: t, known: t, abandon: make(chan struct{})}
	outbox := ledger.OutboxOf(t.TID)
	j.WeftDir, j.MaxMessage = s.o.Dir, s.o.MaxMessage
	c.out = newOutputs(&j.Assignment, func() { s.o.Broker.Notify(outbox) }, nil, c.abandon)
	c.log = &callLog{to: c.out.stderr}
	c.ending.Grace = j.Work.Grace()
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	if limit := j.Work.Timeout; limit > 0 {
		c.ending.Timeout = limit
		cancel := c.cancel
		var stop context.CancelFunc
		c.ctx, stop = context.WithTimeoutCause(c.ctx, limit, timeoutCause(limit))
		c.cancel = func(cause error) { cancel(cause); stop() }
	}
	return c
}

// track registers a call that is about to start.
func (s *server) track(c *call) {
	s.calls[c.task.TID] = c
	if c.ending.Timeout > 0 {
		s.after(c, c.ending.Timeout, s.onOvertime)
	}
	s.after(c, liveAfter, s.onLongRun)
	if s.ending {
		s.request(c, s.leaving)
	}
}

// invoke calls the function, on any goroutine, after the event of its start.
func (s *server) invoke(c *call) {
	progress := &progressThrottle{send: func(r WorkerReport) {
		s.emitFor(c, func(c *call) { s.onProgress(c, r.Progress) })
	}}
	ctx := function.WithRun(c.ctx, &function.Run{
		TID:  c.task.TID,
		Root: s.o.Root,
		Waits: func() func() {
			s.emitFor(c, s.onWait)
			return func() { s.emitFor(c, s.onWaited) }
		},
		Log:      slog.New(slog.NewTextHandler(c.log, nil)),
		Progress: progress.note,
	})
	invoke(ctx, s.o.Functions.Get(c.job.Function.Name).Call, c.job.Function.Call, func(e callResult) {
		progress.flush()
		s.emit(func() error { return s.onAnswer(c, e) })
	})
}

// after is emitFor after a delay.
func (s *server) after(c *call, wait time.Duration, event func(*call)) {
	c.timers = append(c.timers, time.AfterFunc(wait, func() { s.emitFor(c, event) }))
}

// onWait gives back the slot of a call that begins to wait for other tasks: these may need it.
func (s *server) onWait(c *call) {
	if c.waits++; c.waits == 1 {
		s.slots.give(1)
	}
}

// onWaited takes a slot again for a call that has waited, also if there is none: the other
// calls do not end sooner because it waits for them.
func (s *server) onWaited(c *call) {
	if c.waits--; c.waits == 0 {
		s.slots.give(-1)
	}
}

// onAnswer handles the return of a function.
func (s *server) onAnswer(c *call, e callResult) error {
	if !c.over() {
		c.answer = e.answer
		s.end(c, e.value)
	}
	return nil
}

func (s *server) onProgress(c *call, p *ledger.Progress) {
	c.known = nil
	s.Add(engine.Change{What: "note progress of task", TID: c.task.TID, Write: func(tx *broker.Tx, _ time.Time) error {
		return ledger.NoteProgress(tx, c.task.TID, c.task.Epoch, *p)
	}})
}

// onLongRun shows the output of a call that runs long, and reads its control messages.
func (s *server) onLongRun(c *call) {
	c.out.live()
	s.WatchControl(c.task.TID, ledger.Controls(c.task))
}

func (s *server) onOvertime(c *call) {
	next, act := c.ending.Overtime(time.Now())
	s.apply(c, next, act)
}

func (s *server) onGraceOver(c *call) {
	next, act := c.ending.GraceOver()
	s.apply(c, next, act)
}

// request asks a call to end.
func (s *server) request(c *call, r Request) {
	if !c.over() {
		if r == RequestInterrupt {
			c.cancel(endCause(attempt.Interrupted, c.ending.Timeout))
		}
		next, act := c.ending.Request(r, time.Now())
		s.apply(c, next, act)
	}
}

// apply carries out the action of an ending. A goroutine cannot be killed: a function that
// does not return within the grace period is abandoned, and another call gets its slot.
func (s *server) apply(c *call, next attempt.Ending, act attempt.Action) {
	c.ending = next
	switch act {
	case attempt.Terminate:
		c.cancel(endCause(next.Reason(), next.Timeout))
		s.after(c, time.Until(next.KillAt), s.onGraceOver)
	case attempt.Kill:
		c.cancel(endCause(next.Reason(), next.Timeout))
		s.o.Log.Warn("function goes on although its task is over", "tid", c.task.TID, "function", c.job.Function.Name)
		s.end(c, nil)
	}
}

// end records in memory how the task has ended.
func (s *server) end(c *call, value []byte) {
	c.cancel(context.Canceled)
	for _, timer := range c.timers {
		timer.Stop()
	}
	close(c.abandon)
	c.log.close()
	c.out.writers.Wait()
	h := &ledger.HandOff{TID: c.task.TID, Epoch: c.task.Epoch, Seq: 1}
	a := c.answer
	if a == nil {
		a = &Answer{How: Failed}
	}
	if a.How == Returned {
		c.out.stdout.add(value)
	}
	exit := a.outcome()
	if a.Overtime {
		exit = taskspec.TimedOut(c.ending.Timeout) // just before the timer
	}
	c.out.close()
	h.Outcome = c.ending.Outcome(exit)
	h.Ended = time.Now()
	c.out.describe(h, &c.job.Assignment)
	c.handOff = h
	c.waiters.Ended(h.Outcome)
	s.UnwatchControl(c.task.TID)
	s.addEnd(c)
}

// addEnd has the end of the call written.
func (s *server) addEnd(c *call) {
	var t *ledger.Task // as recorded; nil: the store tells what becomes of it
	s.Add(engine.Change{
		What: "finish task", TID: c.task.TID,
		Write: func(tx *broker.Tx, _ time.Time) (err error) {
			h := c.handOff
			h.Consumed = h.Consumed || h.Consumable(c.task) && c.local.wantsResult()
			if t, err = ledger.FinishTask(tx, h, c.known); errors.Is(err, ledger.ErrStale) {
				return nil
			}
			return err
		},
		Written: func(err error) {
			if err != nil {
				t = nil
			}
			s.keeper.Ended(c.handOff.Output.Size)
			c.out.discard()
			s.forget(c)
			c.local.end(t, c.handOff.Result) // after the slot is free: the submitter may want it again
		},
		Failed: func(error) bool { c.known = nil; return true },
	})
}

// A callLog is the log of a function until its task is over.
type callLog struct {
	mu sync.Mutex
	to *output
}

func (l *callLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to != nil {
		l.to.add(p)
	}
	return len(p), nil
}

func (l *callLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = nil
}
