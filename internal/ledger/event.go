package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"weft/broker"
	"weft/taskspec"
)

// The events of weft.log.tasks in addition to those of [taskspec.Outcome].
const (
	eventInitialized    = "task_initialized"
	eventSpawning       = "task_spawning"
	eventStarted        = "work_started"
	eventOutputSpilled  = "output_spilled"
	eventReport         = "poll_report"
	eventManagerStarted = "manager_started"
	eventManagerStopped = "manager_stopped"
	eventManagerIdle    = "manager_idle_shutdown"
	eventControlPrefix  = "control_" // + the command in lower case, or "unknown"
)

// An Event is one entry of the log. In the store it says only what has changed. Its readers
// see it with the spec of its task: see [WholeEvent].
type Event struct {
	Event      string          `json:"event"`
	TID        string          `json:"tid"`
	TIDShort   string          `json:"tid_short"`
	Status     taskspec.Status `json:"status,omitempty"`
	Timestamp  int64           `json:"timestamp"` // nanoseconds since 1970
	TaskPID    int             `json:"task_pid,omitempty"`
	ReturnCode *int            `json:"return_code,omitempty"`
	Error      string          `json:"error,omitempty"`
	LimitMeans string          `json:"limit_means,omitempty"`
	Details    string          `json:"details,omitempty"`
	MessageID  string          `json:"message_id,omitempty"`
	// Endpoints and EndpointHolder belong to the work_started of a persistent task: the
	// name that it has claimed for its inbox, or the task that has that name already.
	Endpoints      []string `json:"endpoints,omitempty"`
	EndpointHolder string   `json:"endpoint_holder,omitempty"`
	Bytes          *int64   `json:"result_bytes,omitempty"`
	Usage          *Usage   `json:"metrics,omitempty"`
	// By is who has asked for it, of an order and of the end of a task that had not started.
	By        *Requester `json:"by,omitempty"`
	ParentTID string     `json:"parent_tid,omitempty"`
	// Attempt, MaxAttempts and NotBefore belong to a task_retried by policy: which attempt
	// has ended, of how many, and when the next one may start.
	Attempt     int   `json:"attempt,omitempty"`
	MaxAttempts int   `json:"max_attempts,omitempty"`
	NotBefore   int64 `json:"not_before,omitempty"`
	// Prev is the message of the task's event before this one: see [Task].LastEvent. Readers
	// do not see it.
	Prev     broker.ID       `json:"prev,omitempty"`
	TaskSpec json.RawMessage `json:"taskspec,omitempty"` // never in the store
}

// log writes an event about the current state of t, whose record is to be saved after it. e
// holds further fields.
func (t *Task) log(tx *broker.Tx, name string, now int64, e Event) error {
	e.Event, e.Timestamp = name, now
	e.By = cmp.Or(e.By, t.by)
	e.TID, e.TIDShort, e.Status = t.TID, taskspec.ShortTID(t.TID), t.Status
	e.TaskPID, e.ReturnCode = cmp.Or(e.TaskPID, t.Process.PID), cmp.Or(e.ReturnCode, t.ReturnCode)
	e.Error, e.LimitMeans, e.Details = cmp.Or(e.Error, t.Error), cmp.Or(e.LimitMeans, t.LimitMeans), cmp.Or(e.Details, t.Details)
	e.Prev = t.LastEvent
	id, err := writeEvent(tx, &e)
	t.LastEvent = id
	return err
}

func writeEvent(tx *broker.Tx, e *Event) (broker.ID, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("encode event %s: %w", e.Event, err)
	}
	return tx.Write(Log, string(body))
}

// eventsAtOnce is how many events of one task a transaction removes.
const eventsAtOnce = 1000

// dropEvents removes the events of a task, the newest first, and counts them. If that were
// not all, the rest follows from the record, which the caller saves.
func dropEvents(tx *broker.Tx, t *Task) (n int, all bool, err error) {
	for ; t.LastEvent != 0 && n < eventsAtOnce; n++ {
		ms, err := tx.ReadStored(Log, broker.Select{ID: t.LastEvent})
		if err != nil {
			return n, false, err
		}
		var e struct {
			TID  string    `json:"tid"`
			Prev broker.ID `json:"prev"`
		}
		if len(ms) == 0 || json.Unmarshal([]byte(ms[0].Body), &e) != nil || e.TID != t.TID {
			t.LastEvent = 0 // it was removed before, and the older ones with it
			break
		}
		t.LastEvent = e.Prev
	}
	return n, t.LastEvent == 0, nil
}

// Shows returns how the stored messages of a queue are shown, nil if as they are: the
// events of the log as [WholeEvent] returns them.
func Shows(queue string) broker.ShowFunc {
	if queue != Log {
		return nil
	}
	return func(r broker.Reader, m broker.Message) (string, error) { return WholeEvent(r, m.Body) }
}

// WholeEvent returns an event of the log with the spec of its task, redacted, whose state
// is that of the event; null if the task's record is gone. The first event of a task, and
// those of managers, have no spec. A body that is not an event of this version, because any
// program may write to the log, is returned unchanged.
func WholeEvent(r broker.Reader, body string) (string, error) {
	var e Event
	if json.Unmarshal([]byte(body), &e) != nil || e.Status == "" || e.Event == eventInitialized || e.TaskSpec != nil {
		return body, nil
	}
	t, err := tasks.get(r, e.TID)
	if err == nil {
		e.TaskSpec, err = t.specAt(e)
	}
	if unreadable(err) {
		e.TaskSpec, err = json.RawMessage("null"), nil
	}
	if err != nil {
		return "", err
	}
	e.Prev = 0
	whole, err := json.Marshal(e)
	return string(whole), err
}

// specAt returns the redacted spec of the task, with every default filled in and the state
// that the event tells.
func (t *Task) specAt(e Event) (json.RawMessage, error) {
	if len(t.Spec) == 0 { // it is a pipeline, or was never started
		return nil, nil
	}
	spec, err := decodeSpec(t)
	if err != nil {
		return nil, err
	}
	spec = spec.Resolve(t.TID, string(t.Root))
	spec.WorkingDir = directory(spec.WorkingDir, cmp.Or(string(t.Dir), spec.WeftContext))
	spec.State = &taskspec.State{Status: e.Status, ReturnCode: e.ReturnCode, PID: e.TaskPID, Error: e.Error}
	return encodeSpec(spec.Redacted(t.Redact...))
}

// A Logged is an event of the log, as it is stored, and the task that it is about.
type Logged struct {
	ID     broker.ID       `json:"-"` // of its message
	Body   string          `json:"-"`
	TID    string          `json:"tid"`
	Status taskspec.Status `json:"status"` // of the task then
}

// pageOfEvents is how many events are read at once.
const pageOfEvents = 256

// EventsAfter iterates over the events of the log with ids greater than after, as they are
// stored: that is for those who wait for one of many events. It leaves out what is not an
// event.
func EventsAfter(ctx context.Context, b *broker.Broker, after broker.ID) iter.Seq2[Logged, error] {
	return func(yield func(Logged, error) bool) {
		for {
			var page []broker.Message
			err := b.View(ctx, func(r broker.Reader) (err error) {
				page, err = r.Messages(Log, broker.Select{After: after, Limit: pageOfEvents})
				return err
			})
			if err != nil {
				yield(Logged{}, err)
				return
			}
			for _, m := range page {
				after = m.ID
				e := Logged{ID: m.ID, Body: m.Body}
				if json.Unmarshal([]byte(m.Body), &e) == nil && !yield(e, nil) {
					return
				}
			}
			if len(page) < pageOfEvents {
				return
			}
		}
	}
}

// redacted returns the task's spec without the values of its environment and those at the
// paths, which include the submitter's.
func (t *Task) redacted(paths ...string) (json.RawMessage, error) {
	if len(t.Spec) == 0 {
		return nil, nil
	}
	spec, err := decodeSpec(t)
	if err != nil {
		return nil, err
	}
	return encodeSpec(spec.Redacted(append(paths, t.Redact...)...))
}
