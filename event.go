package weft

import (
	"context"
	"encoding/json"
	"iter"
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
	// By is who has asked for what happened, of an order ("control_stop") and of the end of a
	// task that had not started; nil if that is not known.
	By *Requester
	// Body is all that the event says, a JSON object; the values of the task's
	// environment are left out of it.
	Body string
}

// Events iterates over the history of the task, from its submission on. With
// follow it waits for what is still to come and ends after the event of the
// task's end; without, it ends with what has happened so far. Cancelling ctx
// ends it: the last pair carries its error.
//
// Old events may have been removed: see [Retention].
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
			for logged, err := range ledger.EventsAfter(ctx, t.project.broker, after) {
				if err != nil {
					yield(Event{}, err)
					return
				}
				after = logged.ID
				var e ledger.Event
				if logged.TID != t.tid || json.Unmarshal([]byte(logged.Body), &e) != nil {
					continue // of another task, or of another program
				}
				body, err := wholeEvent(ctx, t.project.broker, logged.Body)
				event := Event{
					ID: logged.ID, Name: e.Event, Status: e.Status, Time: unixTime(e.Timestamp), Error: e.Error, Body: body,
				}
				if e.By != nil {
					event.By = (*Requester)(e.By)
				}
				if !yield(event, err) || err != nil {
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

// wholeEvent returns an event as readers of the log see it.
func wholeEvent(ctx context.Context, b *broker.Broker, stored string) (body string, err error) {
	return broker.View(ctx, b, func(r broker.Reader) (string, error) { return ledger.WholeEvent(r, stored) })
}
