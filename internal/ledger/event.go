package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// The events of weft.log.tasks beside those of [taskspec.Outcome].
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

// An Event is one line of history.
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
	// Of a work_started of a persistent task: the name that it has claimed for its
	// inbox, or the task that has that name already.
	Endpoints      []string `json:"endpoints,omitempty"`
	EndpointHolder string   `json:"endpoint_holder,omitempty"`
	Bytes          *int64   `json:"result_bytes,omitempty"`
	Usage          *Usage   `json:"metrics,omitempty"`
	ParentTID      string   `json:"parent_tid,omitempty"`
	// Of a task_retried that its policy has asked for: which attempt has ended, of
	// how many, and when the next one may begin.
	Attempt     int             `json:"attempt,omitempty"`
	MaxAttempts int             `json:"max_attempts,omitempty"`
	NotBefore   int64           `json:"not_before,omitempty"`
	TaskSpec    json.RawMessage `json:"taskspec,omitempty"` // last: see encode
}

// log writes an event about t as it now stands. add may add to it.
func (t *Task) log(tx *broker.Tx, name string, now int64, add func(*Event)) error {
	e := Event{
		Event:      name,
		TID:        t.TID,
		TIDShort:   taskspec.ShortTID(t.TID),
		Status:     t.Status,
		Timestamp:  now,
		TaskPID:    t.Process.PID,
		ReturnCode: t.ReturnCode,
		Error:      t.Error,
		LimitMeans: t.LimitMeans,
		Details:    t.Details,
	}
	var err error
	if e.TaskSpec, err = t.redacted(); err != nil {
		return err
	}
	if add != nil {
		add(&e)
	}
	err = writeEvent(tx, e)
	if errors.Is(err, broker.ErrTooLarge) && e.TaskSpec != nil {
		// A spec that nearly fills a message must not keep its task from running
		// or ending. The record has it too.
		e.TaskSpec = nil
		err = writeEvent(tx, e)
	}
	return err
}

func writeEvent(tx *broker.Tx, e Event) error {
	spec := e.TaskSpec
	e.TaskSpec = nil
	body, err := encode(e, "taskspec", spec)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.Event, err)
	}
	_, err = tx.Write(Log, body)
	return err
}

// encode is v, an object that is not empty, as JSON, with the spec as its last
// field. The spec was encoded when the task was dispatched; encoding/json would
// read all of it again each time, twice.
func encode(v any, field string, spec json.RawMessage) (string, error) {
	body, err := json.Marshal(v)
	if err != nil || len(spec) == 0 {
		return string(body), err
	}
	return string(body[:len(body)-1]) + `,"` + field + `":` + string(spec) + "}", nil
}

// EventOf says of which task an event of the log tells, and how the task then
// stood. Most readers want few of the events, so it does not decode the whole.
func EventOf(body string) (tid string, status taskspec.Status, err error) {
	// As [Event] is encoded; nothing in these four fields is ever escaped.
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

// redacted is the task's spec without the values of its environment and what
// its submitter, or the paths, want hidden. Most specs have none of that, and
// are history as they are.
func (t *Task) redacted(paths ...string) (json.RawMessage, error) {
	s, err := t.spec()
	paths = append(paths, t.Redact...)
	if err != nil || len(t.Spec) == 0 || len(s.Spec.Env) == 0 && len(paths) == 0 {
		return t.Spec, err
	}
	return json.Marshal(s.Redacted(paths...))
}
