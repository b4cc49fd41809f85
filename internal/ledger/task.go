package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// Kind is the kind of the records of tasks. Their key is the full TID, their
// state the status, and their rank the TID as a number.
const Kind = "task"

// Task is how a task stands. Times are nanoseconds since 1970, 0 when not yet.
type Task struct {
	TID    string          `json:"tid"`
	Name   string          `json:"name"`
	Status taskspec.Status `json:"status"`
	// What the submitter gave: its directory, the hash of its environment, the
	// name of the file that holds the input if that was large, and the task it
	// was itself part of.
	Dir    string `json:"dir,omitempty"`
	Env    string `json:"env,omitempty"`
	Input  string `json:"input,omitempty"`
	Parent string `json:"parent_tid,omitempty"`
	Depth  int    `json:"depth,omitempty"`
	// Slotless: it holds none of the slots for tasks that run at once.
	Slotless bool `json:"slotless,omitempty"`
	// Service is the service that it is an instance of, or empty.
	Service string `json:"service,omitempty"`
	// Inline is the function that a program is to run inside itself; empty for a
	// task that the manager gives to a consumer.
	Inline string `json:"inline,omitempty"`
	// In is the queue that it takes its work item from, and Out the one that its
	// result goes to if it completes; empty for its own.
	In  string `json:"in,omitempty"`
	Out string `json:"out,omitempty"`
	// Pipeline: it is a pipeline, which does Plan, from the dispatch on. Stage is
	// which of the stages of its parent the task is, counted from 1, and Last
	// whether that is the last one; else they are zero.
	Pipeline bool  `json:"pipeline,omitempty"`
	Plan     *Plan `json:"plan,omitempty"`
	Stage    int   `json:"stage,omitempty"`
	Last     bool  `json:"last_stage,omitempty"`
	// Key is the key that it was submitted with, and holds.
	Key string `json:"key,omitempty"`
	// Items is how far it is, if it is persistent: it takes item after item.
	Items *Items `json:"items,omitempty"`

	// Redact are paths into the spec that lead to what history must not show.
	Redact []string `json:"redact,omitempty"`
	// NoItem: its work item is an empty one, which nobody needs to keep.
	NoItem bool `json:"no_item,omitempty"`

	// NotBefore is when a task that waits for its time may be dispatched; 0 for
	// one that does not wait, or not for that.
	NotBefore int64 `json:"not_before,omitempty"`
	// MaxAttempts is how many attempts there may be after Base, which counts
	// those before somebody asked for more.
	MaxAttempts int `json:"max_attempts,omitempty"`
	Base        int `json:"attempts_before,omitempty"`

	// Epoch counts dispatches; only a dispatch sets it. Seq is the last
	// hand-off of this epoch that was applied.
	Epoch    int           `json:"epoch,omitempty"`
	Seq      int           `json:"seq,omitempty"`
	Consumer proc.Identity `json:"consumer,omitzero"`
	Process  proc.Identity `json:"process,omitzero"`
	Message  broker.ID     `json:"message,omitempty"` // the reserved message
	// Ordered is the order to end that this epoch has got, STOP or KILL. A
	// consumer that loses its manager cannot know which it has not passed on.
	Ordered Command `json:"ordered,omitempty"`
	// Hold: it was told to pause; Paused: all its processes stand still.
	Hold   bool `json:"hold,omitempty"`
	Paused bool `json:"paused,omitempty"`

	// Endpoints are the names that the task has claimed.
	Endpoints []string `json:"endpoints,omitempty"`

	Created   int64 `json:"created_at,omitempty"`
	Started   int64 `json:"started_at,omitempty"`
	Completed int64 `json:"completed_at,omitempty"`

	ReturnCode *int   `json:"return_code,omitempty"`
	Signal     string `json:"signal,omitempty"`
	Error      string `json:"error,omitempty"`
	LimitMeans string `json:"limit_means,omitempty"` // see [taskspec.Outcome]
	Details    string `json:"details,omitempty"`     // likewise
	// Progress is what its function said last, nil if it said nothing.
	Progress *Progress `json:"progress,omitempty"`
	Output   Output    `json:"output,omitzero"`
	Usage    Usage     `json:"usage,omitzero"`

	// Result is the message that is the result, 0 before there is one: see
	// [ResultQueue]. There may be chunks of output before it.
	Result broker.ID `json:"result,omitempty"`

	// Spec is the resolved spec, from the dispatch on; last: see encode.
	Spec json.RawMessage `json:"spec,omitempty"`

	decoded *taskspec.Spec // see spec
	passes  *passed        // see pass
	// stored is the record as this process read or wrote it last; empty for a
	// task that is new.
	stored broker.Record
}

// Form says how a result is kept.
type Form string

// The forms of a result. Its message alone does not tell: a task may print
// anything.
const (
	FormNone  Form = ""      // nothing was executed
	FormText  Form = "text"  // the message is the output
	FormBytes Form = "bytes" // the message holds the output in base64
	FormFile  Form = "file"  // the output is in [OutputFile]
)

// Output describes what a task wrote.
type Output struct {
	Form Form  `json:"form,omitempty"`
	Size int64 `json:"size,omitempty"` // of stdout, in bytes
	// Stderr is the end of the standard error; StderrSize its whole size. If
	// that is larger, all of it is in the task's stderr file.
	Stderr     []byte `json:"stderr,omitempty"`
	StderrSize int64  `json:"stderr_size,omitempty"`
	// InMemory: it was never in a file, so there is none to remove.
	InMemory bool `json:"in_memory,omitempty"`
}

// StderrTruncated reports whether Stderr is less than all of it.
func (o Output) StderrTruncated() bool { return o.StderrSize > int64(len(o.Stderr)) }

// Usage is what the task's processes used. At the end of a task its CPU time and
// peak memory are always known, for the kernel counts them; the other peaks are
// of the samples that were taken, and 0 where none was. A report of a running
// task also says what it uses just now.
type Usage struct {
	MemoryMB    float64 `json:"memory_mb,omitempty"`
	CPUPercent  float64 `json:"cpu_percent,omitempty"` // of one core, since the report before
	FDs         int     `json:"fds,omitempty"`
	Connections int     `json:"net_connections,omitempty"`

	CPUSeconds      float64 `json:"cpu_seconds,omitempty"`
	PeakMemoryMB    float64 `json:"peak_memory_mb,omitempty"` // of the largest process, or of all together where that was seen
	PeakCPUPercent  float64 `json:"peak_cpu_percent,omitempty"`
	PeakFDs         int     `json:"peak_fds,omitempty"`
	PeakConnections int     `json:"peak_net_connections,omitempty"`
}

// Progress is how far a function is, by its own account.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: it does not know
	Note  string `json:"note,omitempty"`
	At    int64  `json:"at"` // nanoseconds since 1970
}

// Number is the TID as the id of the request it came from.
func (t *Task) Number() broker.ID {
	id, _ := broker.ParseID(t.TID)
	return id
}

// Queues are the task's own queues.
func (t *Task) Queues() Queues {
	if t.Pipeline {
		return PipelineQueues(t.TID)
	}
	return QueuesOf(t.TID)
}

// requests is the queue that the task's request waits in.
func (t *Task) requests() string {
	if t.NotBefore != 0 {
		return Delayed
	}
	if t.Inline != "" {
		return InlineRequests(t.Inline)
	}
	if t.In != "" && t.Items == nil {
		return waitingPrefix + t.In
	}
	return Requests
}

// spec decodes the task's spec. It is empty before the dispatch.
func (t *Task) spec() (*taskspec.Spec, error) {
	if t.decoded == nil {
		s := new(taskspec.Spec)
		if len(t.Spec) > 0 {
			if err := json.Unmarshal(t.Spec, s); err != nil {
				return nil, fmt.Errorf("decode spec of task %s: %w", t.TID, err)
			}
		}
		t.decoded = s
	}
	return t.decoded, nil
}

// end puts the task into a terminal status.
func (t *Task) end(o taskspec.Outcome, now int64) error {
	if err := taskspec.Transition(t.Status, o.Status); err != nil {
		return err
	}
	t.Status, t.ReturnCode, t.Signal, t.Error = o.Status, o.ReturnCode, o.Signal, o.Error
	t.LimitMeans, t.Details, t.Completed = o.LimitMeans, o.Details, now
	return nil
}

// ErrChanged is returned where a task was not read again before it was written,
// and somebody else has changed it meanwhile. The transaction must be given up;
// one that reads the task will do.
var ErrChanged = errors.New("task was changed by somebody else")

// save writes the record, in the place of the one that was read or written last.
func (t *Task) save(tx *broker.Tx) error {
	r, err := t.record()
	if err != nil {
		return err
	}
	if t.stored.Key == "" {
		err = tx.PutRecord(r)
	} else if swapped, failed := tx.SwapRecord(t.stored, r); failed != nil || !swapped {
		err = cmp.Or(failed, ErrChanged)
	}
	t.stored = r
	return err
}

// record is the task as it is stored.
func (t *Task) record() (broker.Record, error) {
	bare := *t
	bare.Spec = nil
	body, err := encode(&bare, "spec", t.Spec)
	if err != nil {
		return broker.Record{}, fmt.Errorf("encode task %s: %w", t.TID, err)
	}
	return broker.Record{
		Kind:  Kind,
		Key:   t.TID,
		State: string(t.Status),
		Rank:  int64(t.Number()),
		Body:  body,
	}, nil
}

// Decode reads a task from its record.
func Decode(r broker.Record) (*Task, error) {
	t := &Task{stored: r}
	if err := json.Unmarshal([]byte(r.Body), t); err != nil {
		return nil, fmt.Errorf("decode task %s: %w", r.Key, err)
	}
	return t, nil
}

// load reads a task inside a transaction; the error wraps
// [broker.ErrNotFound] if there is none.
func load(tx *broker.Tx, tid string) (*Task, error) {
	r, err := tx.Record(Kind, tid)
	if err != nil {
		return nil, err
	}
	return Decode(r)
}
