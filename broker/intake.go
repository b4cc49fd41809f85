package broker

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// An intake loads the entries of a dump.
type intake struct {
	options Options
	reader  Reader // nil: there is no store to compare the dump with
	tx      *Tx    // nil: nothing is stored
	policy  Policy

	report LoadReport
	queues names
	floor  ID        // the greatest id in the store before
	next   ID        // the id for the next message without one
	batch  []Message // not stored yet
	bytes  int       // in the bodies of batch
	ids    []ID      // set if the dump is not in the order of ids
}

// The bounds of a batch: enough for statements of many rows, and little memory.
const (
	batchMessages = 500
	batchBytes    = 1 << 20
)

// maxNotified is how many queues are notified after a load. There are 256 channels; waiters
// of the other queues find the messages by polling.
const maxNotified = 256

func (in *intake) begin(h Header, p Policy, now time.Time) error {
	in.report.Header, in.policy, in.queues = h, p, newNames()
	if in.policy.Record == nil {
		in.policy.Record = takeRecord
	}
	if in.policy.Message == nil {
		in.policy.Message = func(Message) (bool, error) { return true, nil }
	}
	if in.policy.Same == nil {
		in.policy.Same = func(m, here Message) bool { return m == here }
	}
	if in.reader == nil {
		return nil
	}
	info, err := in.reader.Info()
	if err != nil {
		return err
	}
	in.floor = info.LastID
	in.next = max(IDAt(now), in.floor+1, h.LastID+1)
	if in.tx == nil {
		return nil
	}
	return in.tx.txn.Advance(h.LastID)
}

// takeRecord is the default for records whose meaning is not known.
func takeRecord(r Record, here *Record) (Record, Verdict, error) {
	switch {
	case here == nil:
		return r, Take, nil
	case *here == r:
		return r, Skip, nil
	}
	return r, Clash, nil
}

// takeLease decides about the lease or delay of a message: what the store knows is newer.
func takeLease(r Record, here *Record) (Record, Verdict, error) {
	if here != nil {
		return r, Skip, nil
	}
	return r, Take, nil
}

func (in *intake) take(e entry) error {
	switch {
	case e.alias != nil:
		return in.alias(*e.alias)
	case e.record != nil:
		return in.record(*e.record)
	default:
		return in.message(*e.message)
	}
}

// stores reports whether to continue storing.
func (in *intake) stores() bool { return in.tx != nil && in.report.Conflicting == 0 }

func (in *intake) conflict(format string, args ...any) {
	in.report.Conflicting++
	if len(in.report.Conflicts) < maxConflicts {
		in.report.Conflicts = append(in.report.Conflicts, fmt.Sprintf(format, args...))
	}
}

func (in *intake) alias(a Alias) error {
	if in.options.Views(a.Queue) != nil {
		in.report.Views++
		return nil
	}
	if in.reader != nil {
		here, err := in.reader.Record(aliasKind, a.Name)
		if err == nil && here.State == a.Queue {
			in.report.Present++
			return nil
		}
		err = freeAlias(in.reader, a)
		if errors.Is(err, ErrExists) || errors.Is(err, ErrAlias) {
			in.conflict("alias %q of %q: %v", a.Name, a.Queue, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	in.report.Aliases++
	if !in.stores() {
		return nil
	}
	return putAlias(in.tx, a)
}

func (in *intake) record(r Record) error {
	var here *Record
	if in.reader != nil {
		found, err := in.reader.Record(r.Kind, r.Key)
		switch {
		case err == nil:
			here = &found
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	decide := in.policy.Record
	if r.Kind == leaseKind {
		decide = takeLease
	}
	stored, verdict, err := decide(r, here)
	if err != nil {
		return err
	}
	switch verdict {
	case Skip:
		in.report.Present++
	case Clash:
		in.conflict("%s %s is there already and differs", r.Kind, r.Key)
	case Take:
		in.report.Records++
		if in.stores() {
			return in.tx.PutRecord(stored)
		}
	}
	return nil
}

func (in *intake) message(m Message) error {
	if in.options.Views(m.Queue) != nil {
		in.report.Views++
		return nil
	}
	take, err := in.policy.Message(m)
	if err != nil || !take {
		return err
	}
	if in.reader == nil {
		in.count(m)
		if in.report.Header.Format == headFormat {
			in.ids = append(in.ids, m.ID)
		}
		return nil
	}
	if in.report.Header.Format == oldFormat {
		m.ID = in.next
		in.next++
	}
	in.batch = append(in.batch, m)
	in.bytes += len(m.Body)
	if len(in.batch) < batchMessages && in.bytes < batchBytes {
		return nil
	}
	return in.flush()
}

// count counts a message that is loaded.
func (in *intake) count(m Message) {
	in.report.Messages++
	if in.queues.add(m.Queue) {
		in.report.Queues++
		if in.tx != nil && in.report.Queues <= maxNotified {
			in.tx.Notify(m.Queue)
		}
	}
}

// flush stores the batch.
func (in *intake) flush() error {
	here, err := in.here()
	if err != nil {
		return err
	}
	in.batch = slices.DeleteFunc(in.batch, func(m Message) bool {
		there, isThere := here[m.ID]
		switch {
		case !isThere:
			in.count(m)
		case in.policy.Same(m, there):
			in.report.Present++
		default:
			in.conflict("message %v is there already and differs", m.ID)
		}
		return isThere
	})
	if in.stores() && len(in.batch) > 0 {
		if err := in.tx.txn.Restore(in.batch); err != nil {
			return err
		}
	}
	clear(in.batch) // frees the bodies
	in.batch, in.bytes = in.batch[:0], 0
	return nil
}

// here returns the messages of the store that have ids of the batch.
func (in *intake) here() (found map[ID]Message, err error) {
	var ids []ID
	for _, m := range in.batch {
		if m.ID <= in.floor {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	// Mostly few other messages are between them, and one query suffices.
	seen := 0
	found = make(map[ID]Message)
	err = in.reader.Scan("", Select{After: ids[0] - 1, Before: ids[len(ids)-1] + 1}, func(m Message) bool {
		seen++
		if _, hit := slices.BinarySearch(ids, m.ID); hit {
			found[m.ID] = m
		}
		return seen <= 2*batchMessages
	})
	if err != nil || seen <= 2*batchMessages {
		return found, err
	}
	for _, id := range ids {
		err := in.reader.Scan("", Select{ID: id}, func(m Message) bool {
			found[m.ID] = m
			return false
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// end finishes a pass over a dump that is complete.
func (in *intake) end() error {
	slices.Sort(in.ids)
	for i, id := range in.ids[min(1, len(in.ids)):] {
		if in.ids[i] == id {
			return fmt.Errorf("%w: two messages have the id %v", ErrDump, id)
		}
	}
	if in.reader == nil {
		return nil
	}
	if err := in.flush(); err != nil {
		return err
	}
	if !in.stores() || in.policy.Done == nil {
		return nil
	}
	return in.policy.Done(in.tx)
}
