package weft

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// An Event is one line of a task's history, as it is kept in the queue
// weft.log.tasks.
type Event struct {
	ID     broker.ID // of the message; events happened in the order of their ids
	Name   string    // "task_initialized", "work_started" …
	Status taskspec.Status
	Time   time.Time
	Error  string // why the task ended badly, or empty
	// Body is all that the event says, a JSON object; the values of the task's
	// environment are left out of it.
	Body string
}

// Events iterates over the history of the task, from its submission on. With
// follow it waits for what is still to come and ends after the event of the
// task's end; without, it ends with what has happened so far. Cancelling ctx
// ends it: the last pair carries its error.
//
// Old events may have been cleared away by [System.Tidy].
func (t *Task) Events(ctx context.Context, follow bool) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w, err := t.project.broker.Listen(ledger.Log, ledger.OutboxOf(t.tid))
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer w.Close()
		// The request came first; its id is the task's.
		id, err := broker.ParseID(t.tid)
		if err != nil {
			yield(Event{}, err)
			return
		}
		for after := id; ; {
			l, err := loadTask(ctx, t)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for m, err := range t.project.Queue(ledger.Log).Messages(ctx, broker.Select{After: after}) {
				var e Event
				mine := false
				if err == nil {
					after = m.ID
					e, mine = decodeEvent(t, m)
				}
				if (mine || err != nil) && !yield(e, err) || err != nil {
					return
				}
			}
			// Its record changes together with its last event, so what was read
			// after the record is all.
			if !follow || l.Status.Terminal() {
				return
			}
			if err := w.Wait(ctx); err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}

// decodeEvent decodes an event; mine is false if it is another task's, or none at all:
// any program may write to the log.
func decodeEvent(t *Task, m broker.Message) (event Event, mine bool) {
	if !strings.Contains(m.Body, t.tid) {
		return Event{}, false // cheaper than to decode it
	}
	var e ledger.Event
	if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
		return Event{}, false
	}
	return Event{
		ID: m.ID, Name: e.Event, Status: e.Status, Time: unixTime(e.Timestamp), Error: e.Error, Body: m.Body,
	}, e.TID == t.tid
}
