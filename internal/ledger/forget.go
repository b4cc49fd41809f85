package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// Retention bounds what is kept of tasks that have ended; the oldest go first. 0 is no bound.
type Retention struct {
	Age    time.Duration // since the end of a task
	Tasks  int           // how many
	Output int64         // bytes that they have written, all together
	Keys   time.Duration // the age of a key, since its task was submitted
}

// eventsOfTask bounds the log of events by the bound of tasks: that many for each. A short
// task has four; one that runs for long, or is persistent, may have any number.
const eventsOfTask = 10

// Events is how many events are kept: most go with their tasks.
func (keep Retention) Events() int { return keep.Tasks * eventsOfTask }

// A Surplus is what is to be removed of the tasks that have ended, the oldest first: so many,
// until so many bytes of output have gone, and all that ended before Old.
type Surplus struct {
	Tasks int
	Bytes int64
	Old   time.Time
}

// Surplus returns what exceeds the bounds, if so many tasks have ended and hold so many bytes
// of output.
func (keep Retention) Surplus(ended int, bytes int64, now time.Time) (s Surplus) {
	if keep.Tasks > 0 {
		s.Tasks = max(0, ended-keep.Tasks)
	}
	if keep.Output > 0 {
		s.Bytes = max(0, bytes-keep.Output)
	}
	if keep.Age > 0 {
		s.Old = now.Add(-keep.Age)
	}
	return s
}

// includes reports whether the oldest task that is left is to be removed.
func (s Surplus) includes(ended int64) bool {
	return s.Tasks > 0 || s.Bytes > 0 || !s.Old.IsZero() && ended < s.Old.UnixNano()
}

// exhausted reports whether no task that was submitted at this time, or later, is to be
// removed.
func (s Surplus) exhausted(submitted broker.ID) bool {
	return s.Tasks <= 0 && s.Bytes <= 0 && (s.Old.IsZero() || submitted >= broker.IDAt(s.Old))
}

// ended are the states of tasks that have ended.
var ended = func() (states []string) {
	for _, s := range taskspec.Statuses() {
		if s.Terminal() {
			states = append(states, string(s))
		}
	}
	return states
}()

// CountEnded counts the tasks that have ended.
func CountEnded(r broker.Reader) (n int, err error) {
	counts, err := r.CountRecords(Kind)
	for _, state := range ended {
		n += counts[state]
	}
	return n, err
}

// Ended returns the next limit tasks that have ended and have a rank above after, in the
// order of their ranks, but for damaged ones; and the rank to continue with, 0 at the end.
func Ended(r broker.Reader, after int64, limit int) (found []*Task, next int64, err error) {
	recs, err := oldest(r, after, limit)
	if err != nil {
		return nil, 0, err
	}
	for _, rec := range recs {
		if t, err := Decode(rec); err == nil {
			found = append(found, t)
		}
	}
	if len(recs) == limit {
		next = recs[len(recs)-1].Rank
	}
	return found, next, nil
}

// Removed is what [Forget] has removed.
type Removed struct {
	Tasks, Events int
	// Files are the names of the files in [OutputDir] that belonged to the tasks, some of
	// which may not exist. The caller removes them when the transaction is committed.
	Files []string
}

// Forget removes tasks of the surplus, which it reduces: at most limit of those that have
// ended and have a rank above after. Each is removed with all that belongs to it; only its
// key remains. bytes returns how much output is kept of a task. Forget returns the rank to
// continue with, 0 at the end.
//
// Two kinds of tasks stay: the stages of a pipeline that runs, and those whose output is in a
// file that a message in a queue of the user's stands for.
func Forget(tx *broker.Tx, s *Surplus, bytes func(*Task) int64, after int64, limit int) (gone Removed, next int64, err error) {
	recs, err := oldest(tx, after, limit)
	if err != nil {
		return gone, 0, err
	}
	for _, rec := range recs {
		if s.exhausted(broker.ID(rec.Rank)) {
			return gone, 0, nil
		}
		t, err := Decode(rec)
		if err != nil || !s.includes(t.Completed) {
			continue // repair needs it, or it has run for long
		}
		switch removed, err := forget(tx, t, &gone, outliveTask); {
		case errors.Is(err, errNeeded):
		case err != nil:
			return gone, 0, err
		case !removed:
			return gone, rec.Rank - 1, nil // it has more events than one transaction removes
		default:
			s.Tasks--
			s.Bytes -= bytes(t)
		}
	}
	if len(recs) == limit {
		next = recs[len(recs)-1].Rank
	}
	return gone, next, nil
}

// oldest returns the next records of tasks that have ended, in the order of their ranks.
func oldest(r broker.Reader, after int64, limit int) (recs []broker.Record, err error) {
	for _, state := range ended { // of several at once the store would sort all
		page, err := r.Records(Kind, broker.RecordSelect{States: []string{state}, AfterRank: after, Limit: limit})
		if err != nil {
			return nil, err
		}
		recs = append(recs, page...)
	}
	slices.SortFunc(recs, func(a, b broker.Record) int { return cmp.Compare(a.Rank, b.Rank) })
	return recs[:min(limit, len(recs))], nil
}

// ErrNotEnded is returned for a task that cannot be removed because it waits or runs.
var ErrNotEnded = errors.New("has not ended")

// Remove removes a task that has ended, with its key and, of a pipeline, the stages. It
// reports whether that was all: if not, it is to be called again.
func Remove(tx *broker.Tx, tid string) (gone Removed, all bool, err error) {
	t, err := load(tx, tid)
	if err != nil {
		return gone, false, err
	}
	if !t.Status.Terminal() {
		return gone, false, ErrNotEnded
	}
	if t.Plan != nil {
		for _, s := range t.Plan.Stages {
			stage, err := load(tx, s.TID)
			if unreadable(err) {
				continue
			}
			if err == nil {
				all, err = forget(tx, stage, &gone, dropKey)
			}
			if err != nil || !all {
				return gone, false, err
			}
		}
	}
	all, err = forget(tx, t, &gone, dropKey)
	return gone, all, err
}

// errNeeded is the reason why a task that has ended stays.
var errNeeded = errors.New("is needed")

// forget removes a task that has ended, and all that belongs to it. key removes its key. The
// result is false if the task has more events than one transaction removes: then some of
// them were removed, and nothing else.
func forget(tx *broker.Tx, t *Task, gone *Removed, key func(*broker.Tx, *Task) error) (removed bool, err error) {
	p, err := pipelineOf(tx, t)
	if err != nil {
		return false, err
	}
	if p != nil {
		return false, fmt.Errorf("%w by its pipeline %s, which runs", errNeeded, p.TID)
	}
	if queue, err := queueOfFile(tx, t); err != nil {
		return false, err
	} else if queue != "" {
		return false, fmt.Errorf("%w: a message in the queue %s stands for its output", errNeeded, queue)
	}
	events, all, err := dropEvents(tx, t)
	gone.Events += events
	if err != nil {
		return false, err
	}
	if !all {
		return false, t.save(tx)
	}
	files, err := filesOf(tx, t)
	if err != nil {
		return false, err
	}
	q := t.Queues()
	for _, drop := range []func(*broker.Tx, *Task) error{dropAttempts, dropTakenOutput, dropResultCopy, dropItemFiles, key} {
		if err := drop(tx, t); err != nil {
			return false, err
		}
	}
	if err := tx.Clear(q.Outbox, q.Reserved, q.Inbox, q.ControlIn, q.ControlOut); err != nil {
		return false, err
	}
	gone.Tasks++
	gone.Files = append(gone.Files, files...)
	return true, tx.DeleteRecord(Kind, t.TID)
}

// queueOfFile returns the queue of the user's in which a message stands for a file that the
// task has written; empty if there is none.
func queueOfFile(r broker.Reader, t *Task) (queue string, err error) {
	there := func(queue string, id broker.ID) (bool, error) {
		ms, err := r.Messages(queue, broker.Select{ID: id, Limit: 1})
		return len(ms) > 0, err
	}
	if t.traits().items {
		files, err := itemFiles.list(r, broker.RecordSelect{States: []string{t.TID}})
		for _, f := range files {
			if f.Body == OutboxOf(t.TID) {
				continue
			}
			if found, err := there(f.Body, broker.ID(f.Rank)); found || err != nil {
				return f.Body, err
			}
		}
		return "", err
	}
	if !inUserQueue(t) || t.Output.Form != FormFile {
		return "", nil
	}
	if found, err := there(t.Out, t.Result); found || err != nil {
		return t.Out, err
	}
	return "", nil
}

// filesOf returns the names of the files that belong to the task.
func filesOf(r broker.Reader, t *Task) (names []string, err error) {
	if _, submitted := ParseInputFile(t.Input + inputExtension); submitted {
		names = append(names, t.Input+inputExtension)
	}
	if t.traits().items {
		files, err := itemFiles.list(r, broker.RecordSelect{States: []string{t.TID}})
		for _, f := range files {
			names = append(names, f.Key+"."+string(Stdout), f.Key+"."+string(Stderr), f.Key+"."+string(Index))
		}
		return names, err
	}
	for epoch := t.Epoch; epoch > max(0, t.Epoch-maxKept); epoch-- {
		if epoch == t.Epoch && t.Output.InMemory {
			continue
		}
		for _, s := range []Stream{Stdout, Stderr, Index} {
			names = append(names, outputName(t.TID, epoch, s))
		}
	}
	return names, nil
}

// StoredOutput returns how many bytes of the task's output are in the store, and not in files.
func StoredOutput(t *Task) int64 {
	n := int64(len(t.Output.Stderr))
	if t.Output.Form != FormFile {
		n += t.Output.Size
	}
	return n
}
