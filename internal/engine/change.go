package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// A Change is something that an engine writes, with all that is to be written at the same
// time, in one transaction.
type Change struct {
	What, TID string // what it does, and to which task, for errors; both may be empty
	// Write writes the change. It may be called again, so it resets everything it sets.
	Write func(tx *broker.Tx, now time.Time) error
	// Written is called when the change is committed. If err is not nil it has been given
	// up, because it cannot be written although the store works. It may be nil.
	Written func(err error)
	// Failed is called if the transaction failed for a reason that is not the change's, or
	// with [ledger.ErrChanged]: what was known of the store is out of date. It reports
	// whether the change is to be written in the next cycle. Nil means that it is.
	Failed func(err error) (keep bool)
}

// Drop is the Failed of a change that is found again.
func Drop(error) (keep bool) { return false }

func (c *Change) write(tx *broker.Tx, now time.Time) error {
	err := c.Write(tx, now)
	switch {
	case err == nil || c.What == "":
		return err
	case c.TID == "":
		return fmt.Errorf("%s: %w", c.What, err)
	}
	return fmt.Errorf("%s %s: %w", c.What, c.TID, err)
}

func (c *Change) written(err error) {
	if c.Written != nil {
		c.Written(err)
	}
}

// Add has the change written in the next cycle.
func (e *Engine) Add(c Change) { e.pending = append(e.pending, c) }

// Pending returns the changes that are not written yet.
func (e *Engine) Pending() []Change { return e.pending }

// write commits all changes. One that cannot be written although the store works is logged
// and given up, so that one bad task does not block the others.
func (e *Engine) write(ctx context.Context) (err error) {
	all := e.pending
	if len(all) == 0 {
		return nil
	}
	// A cycle is completed once begun: others wait for it.
	ctx = context.WithoutCancel(ctx)
	e.pending, e.writing = e.writing[:0], all
	defer clear(all)
	if err = e.commit(ctx, all); err == nil {
		for i := range all {
			all[i].written(nil)
		}
		return nil
	}
	if !ofStore(err) {
		e.o.Log.Error("write cycle failed, now one change at a time", "err", err)
		for len(all) > 0 && !ofStore(err) {
			if err = e.commit(ctx, all[:1]); ofStore(err) {
				break
			}
			if err != nil {
				e.o.Log.Error("give up change", "err", err)
			}
			all[0].written(err)
			all, err = all[1:], nil
		}
	}
	e.keep(all, err)
	if errors.Is(err, ledger.ErrChanged) {
		e.changed = true
		return nil
	}
	return err
}

// keep takes back changes that could not be written.
func (e *Engine) keep(all []Change, err error) {
	if len(all) == 0 {
		return
	}
	var kept []Change
	for _, c := range all {
		if c.Failed == nil || c.Failed(err) {
			kept = append(kept, c)
		}
	}
	e.pending = append(kept, e.pending...)
}

// commit writes the changes in one transaction.
func (e *Engine) commit(ctx context.Context, changes []Change) error {
	now := time.Now()
	return e.o.Broker.Update(ctx, func(tx *broker.Tx) error {
		for i := range changes {
			if err := changes[i].write(tx, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Transient reports whether the same transaction may succeed later.
func Transient(err error) bool {
	return errors.Is(err, broker.ErrFull) || errors.Is(err, broker.ErrUnwritable) || errors.Is(err, broker.ErrBusy)
}

// ofStore reports whether an error comes from the state of the store, so that no part of
// the transaction would fare better.
func ofStore(err error) bool {
	return Transient(err) || errors.Is(err, broker.ErrUncertain) || errors.Is(err, broker.ErrGone) || errors.Is(err, broker.ErrClosed) ||
		errors.Is(err, ledger.ErrSuperseded) || errors.Is(err, ledger.ErrChanged)
}
