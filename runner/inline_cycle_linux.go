package runner

import (
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// A callEnd is the end of a call, to be recorded.
type callEnd struct {
	server *server
	call   *call
	task   *ledger.Task // as recorded
}

func (e *callEnd) Write(tx *broker.Tx, _ time.Time) (err error) {
	c := e.call
	if h := c.handOff; !h.Taken {
		h.Taken = h.Takeable(c.task) && c.local.wantsResult()
	}
	if e.task, err = ledger.FinishTask(tx, c.handOff, c.known); err != nil && !errors.Is(err, ledger.ErrStale) {
		return fmt.Errorf("finish task %s: %w", c.task.TID, err)
	}
	return nil
}

func (e *callEnd) Written(err error) {
	c := e.call
	if err != nil {
		e.task = nil // the store tells what becomes of it
	}
	c.recorded = true
	c.out.discard()
	if c.answer != nil {
		e.server.forget(c)
	}
	c.local.end(e.task, c.handOff.Result) // after the slot is free: the submitter may want it again
}

func (e *callEnd) Failed(error) bool {
	e.call.known = nil
	return true
}

// A claim is a job that the server wants to run. It holds a slot.
type claim struct {
	server *server
	job    *ledger.Job
	task   *ledger.Task // nil: the task is gone, or refused
}

func (c *claim) Write(tx *broker.Tx, now time.Time) (err error) {
	if c.job.Refused() != "" {
		if err = ledger.Refuse(tx, c.job, now); err != nil {
			return fmt.Errorf("refuse task %s: %w", c.job.TID, err)
		}
		return nil
	}
	if c.task, err = ledger.Dispatch(tx, c.job, c.server.record.Process, now); err != nil {
		return fmt.Errorf("claim task %s: %w", c.job.TID, err)
	}
	return nil
}

func (c *claim) Written(err error) {
	if err != nil || c.task == nil {
		c.server.slots.give(1)
		return
	}
	c.server.startCall(c.job, c.task)
}

func (c *claim) Failed(error) bool {
	c.server.slots.give(1)
	c.server.LookAgain()
	return false
}
