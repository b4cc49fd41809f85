package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// An Event is one entry of the log.
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
	ParentTID      string   `json:"parent_tid,omitempty"`
	// Attempt, MaxAttempts and NotBefore belong to a task_retried by policy: which attempt
	// has ended, of how many, and when the next one may start.
	Attempt     int             `json:"attempt,omitempty"`
	MaxAttempts int             `json:"max_attempts,omitempty"`
	NotBefore   int64           `json:"not_before,omitempty"`
	TaskSpec    json.RawMessage `json:"taskspec,omitempty"`
}

// log writes an event about the current state of t. e holds further fields.
func (t *Task) log(tx *broker.Tx, name string, now int64, e Event) (err error) {
	e.Event, e.Timestamp = name, now
	e.TID, e.TIDShort, e.Status, e.TaskPID = t.TID, taskspec.ShortTID(t.TID), t.Status, t.Process.PID
	e.ReturnCode, e.LimitMeans, e.Details = t.ReturnCode, t.LimitMeans, t.Details
	e.Error = cmp.Or(e.Error, t.Error)
	if e.TaskSpec, err = t.redacted(); err != nil {
		return err
	}
	err = writeEvent(tx, &e)
	if errors.Is(err, broker.ErrTooLarge) && e.TaskSpec != nil {
		// A spec that nearly fills a message must not keep its task from running or ending.
		// The record has it too.
		e.TaskSpec = nil
		err = writeEvent(tx, &e)
	}
	return err
}

func writeEvent(tx *broker.Tx, e *Event) error {
	body, err := e.encode()
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.Event, err)
	}
	_, err = tx.Write(Log, body)
	return err
}

// encode encodes the event as encoding/json would, except that its spec is JSON already and
// is copied.
func (e *Event) encode() (string, error) {
	var o jsonObject
	o.text.Grow(len(e.TaskSpec) + len(e.Details) + 192)
	o.stringField("event", e.Event)
	o.stringField("tid", e.TID)
	o.stringField("tid_short", e.TIDShort)
	o.string("status", string(e.Status))
	o.anyNumber("timestamp", e.Timestamp)
	o.number("task_pid", int64(e.TaskPID))
	if e.ReturnCode != nil {
		o.anyNumber("return_code", int64(*e.ReturnCode))
	}
	o.string("error", e.Error)
	o.string("limit_means", e.LimitMeans)
	o.string("details", e.Details)
	o.string("message_id", e.MessageID)
	o.strings("endpoints", e.Endpoints)
	o.string("endpoint_holder", e.EndpointHolder)
	if e.Bytes != nil {
		o.anyNumber("result_bytes", *e.Bytes)
	}
	if e.Usage != nil {
		o.value("metrics", e.Usage)
	}
	o.string("parent_tid", e.ParentTID)
	o.number("attempt", int64(e.Attempt))
	o.number("max_attempts", int64(e.MaxAttempts))
	o.number("not_before", e.NotBefore)
	o.raw("taskspec", e.TaskSpec)
	return o.end()
}

// EventOf returns the task that an event is about, and its status then. Most readers want
// few of the events, so it does not decode everything.
func EventOf(body string) (tid string, status taskspec.Status, err error) {
	// The format is that of Event.encode; these four fields are never escaped.
	if rest, ok := strings.CutPrefix(body, `{"event":"`); ok {
		_, rest, _ = strings.Cut(rest, `","tid":"`)
		tid, rest, _ = strings.Cut(rest, `","tid_short":"`)
		_, rest, _ = strings.Cut(rest, `","status":"`)
		if s, _, ok := strings.Cut(rest, `","timestamp":`); ok {
			return tid, taskspec.Status(s), nil
		}
	}
	var e struct {
		TID    string          `json:"tid"`
		Status taskspec.Status `json:"status"`
	}
	err = json.Unmarshal([]byte(body), &e)
	return e.TID, e.Status, err
}

// redacted returns the task's spec without the values of its environment and those at the
// paths, which include the submitter's. Most specs have none and are returned unchanged.
func (t *Task) redacted(paths ...string) (json.RawMessage, error) {
	work, err := t.work()
	paths = append(paths, t.Redact...)
	if err != nil || len(t.Spec) == 0 || len(work.Env) == 0 && len(paths) == 0 {
		return t.Spec, err
	}
	spec, err := decodeSpec(t)
	if err != nil {
		return nil, err
	}
	return json.Marshal(spec.Redacted(paths...))
}
