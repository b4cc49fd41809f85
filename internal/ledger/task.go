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

// Kind is the kind of the records of tasks. Their key is the full TID, their state the
// status, and their rank the TID as a number.
const Kind = "task"

// Task is the state of a task. Times are nanoseconds since 1970, 0 if not yet known.
type Task struct {
	TID    string          `json:"tid"`
	Name   string          `json:"name"`
	Status taskspec.Status `json:"status"`
	// Dir, Env, Input, Parent and Depth are of the submission: the submitter's directory,
	// the hash of its environment, the name of the file that holds the input if that was
	// large, and the task that submitted it.
	Dir    taskspec.RawString `json:"dir,omitempty"`
	Env    string             `json:"env,omitempty"`
	Input  string             `json:"input,omitempty"`
	Parent string             `json:"parent_tid,omitempty"`
	Depth  int                `json:"depth,omitempty"`
	// Slotless means that it holds none of the slots for tasks that run at once.
	Slotless bool `json:"slotless,omitempty"`
	// Service is the service that it is an instance of, or empty.
	Service string `json:"service,omitempty"`
	// Inline is the function that a program runs inside itself; empty for a task that the
	// manager dispatches to a consumer.
	Inline string `json:"inline,omitempty"`
	// In is the queue that it takes its work item from, and Out the one that its result
	// goes to if it completes; empty for its own.
	In  string `json:"in,omitempty"`
	Out string `json:"out,omitempty"`
	// ControlIn is a queue of control messages that it reads in addition to its own, and
	// ControlOut the queue of its replies; empty for its own.
	ControlIn  string `json:"ctrl_in,omitempty"`
	ControlOut string `json:"ctrl_out,omitempty"`
	// Pipeline means that it is a pipeline, which runs Plan after its dispatch. Stage is
	// the index of the task among the stages of its parent, counted from 1, and Last tells
	// whether it is the last one; else they are zero.
	Pipeline bool  `json:"pipeline,omitempty"`
	Plan     *Plan `json:"plan,omitempty"`
	Stage    int   `json:"stage,omitempty"`
	Last     bool  `json:"last_stage,omitempty"`
	// Key is the key that it was submitted with, and holds.
	Key string `json:"key,omitempty"`
	// Batch is the batch that it was submitted with, empty for none, and Line its place in
	// the input of that, counted from 1.
	Batch string `json:"batch,omitempty"`
	Line  int    `json:"line,omitempty"`
	// Concurrency is its concurrency key, if it has one.
	Concurrency Concurrency `json:"concurrency,omitzero"`
	// Tags are those of its spec, also before the dispatch.
	Tags []string `json:"tags,omitempty"`
	// Loaded means that it was loaded from a dump, without its files.
	Loaded bool `json:"loaded,omitempty"`
	// Items is its progress, if it is persistent.
	Items *Items `json:"items,omitempty"`

	// Redact are paths into the spec that history must not show.
	Redact []string `json:"redact,omitempty"`
	// Streams means that its output is put into its outbox in chunks, while it runs.
	Streams bool `json:"streams,omitempty"`
	// NoItem means that its work item is empty and need not be kept.
	NoItem bool `json:"no_item,omitempty"`

	// NotBefore is when a delayed task may be dispatched; 0 for one that is not delayed.
	NotBefore int64 `json:"not_before,omitempty"`
	// MaxAttempts is how many attempts there may be after the first Base, which were made
	// before a retry by hand.
	MaxAttempts int `json:"max_attempts,omitempty"`
	Base        int `json:"attempts_before,omitempty"`

	// Epoch counts dispatches; only a dispatch sets it. Seq is the last hand-off of this
	// epoch that was applied.
	Epoch    int           `json:"epoch,omitempty"`
	Seq      int           `json:"seq,omitempty"`
	Consumer proc.Identity `json:"consumer,omitzero"`
	Process  proc.Identity `json:"process,omitzero"`
	Message  broker.ID     `json:"message,omitempty"` // the reserved message
	// Ordered is the order to end that this epoch has received, STOP or KILL. A consumer
	// without a manager cannot know otherwise whether it has missed one.
	Ordered Command `json:"ordered,omitempty"`
	// NoRetry means that no further attempt follows this one: it was interrupted, or nobody
	// wants its output any more.
	NoRetry bool `json:"no_retry,omitempty"`
	// Hold means that it was told to pause; Paused that all its processes are stopped.
	Hold   bool `json:"hold,omitempty"`
	Paused bool `json:"paused,omitempty"`

	// Endpoints are the names that the task has claimed.
	Endpoints []string `json:"endpoints,omitempty"`

	Created int64 `json:"created_at,omitempty"`
	// FirstStarted is when the first of several attempts started, since the task was submitted
	// or retried by hand.
	FirstStarted int64 `json:"first_started_at,omitempty"`
	Started      int64 `json:"started_at,omitempty"`
	Completed    int64 `json:"completed_at,omitempty"`

	ReturnCode *int   `json:"return_code,omitempty"`
	Signal     string `json:"signal,omitempty"`
	Error      string `json:"error,omitempty"`
	LimitMeans string `json:"limit_means,omitempty"` // see [taskspec.Outcome]
	Narrowed   string `json:"narrowed,omitempty"`    // see [HandOff]
	Details    string `json:"details,omitempty"`     // likewise
	// Progress is the last report of its function, nil if there is none.
	Progress *Progress `json:"progress,omitempty"`
	Output   Output    `json:"output,omitzero"`
	Usage    Usage     `json:"usage,omitzero"`

	// LastEvent is the message of its last event in the log, from which the others follow: so
	// they are found without reading the log when the task is removed.
	LastEvent broker.ID `json:"last_event,omitempty"`

	// Result is the message that is the result, 0 before there is one: see [ResultQueue].
	// Chunks of output may precede it.
	Result broker.ID `json:"result,omitempty"`

	// Spec is the spec as it was submitted, and Root the project's root then; the dispatch
	// sets both.
	Spec json.RawMessage    `json:"spec,omitempty"`
	Root taskspec.RawString `json:"root,omitempty"`

	decoded   *taskspec.Work // see Work
	by        *Requester     // of what this transaction does to it: its events say so
	nextInput *stageInput    // see pass
	// stored is the record as this process read or wrote it last; empty for a new task.
	stored broker.Record
}

// Form tells how a result is stored.
type Form string

// The forms of a result. The message alone does not tell: a task may print anything.
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
	// Digest is the SHA-256, in hexadecimal, of the [OutputFile], if the output is there.
	Digest string `json:"sha256,omitempty"`
	// Stderr is the end of the standard error; StderrSize its whole size. If that is
	// larger, all of it is in the task's stderr file.
	Stderr     []byte `json:"stderr,omitempty"`
	StderrSize int64  `json:"stderr_size,omitempty"`
	// Index tells in which order the streams were written, if that is not plain: see package
	// interleave. A long one is in a file, and IndexSize is its size.
	Index     []byte `json:"index,omitempty"`
	IndexSize int64  `json:"index_size,omitempty"`
	// LeftOut is how many bytes of both streams were not kept, beyond the task's limit.
	LeftOut int64 `json:"left_out,omitempty"`
	// InMemory means that the output was never in a file, so there is none to remove.
	InMemory bool `json:"in_memory,omitempty"`
}

// StderrTruncated reports whether Stderr is less than all of it.
func (o Output) StderrTruncated() bool { return o.StderrSize > int64(len(o.Stderr)) }

// Usage is what the task's processes used. At the end of a task its CPU time and peak
// memory are always known, because the kernel counts them; the other peaks are those of the
// samples, and 0 if there were none. A report of a running task also has the current usage.
type Usage struct {
	MemoryMB    float64 `json:"memory_mb,omitempty"`
	CPUPercent  float64 `json:"cpu_percent,omitempty"` // of one core, since the report before
	FDs         int     `json:"fds,omitempty"`
	Connections int     `json:"net_connections,omitempty"`

	CPUSeconds      float64 `json:"cpu_seconds,omitempty"`
	PeakMemoryMB    float64 `json:"peak_memory_mb,omitempty"` // of the largest process, or of all together if that was sampled
	PeakCPUPercent  float64 `json:"peak_cpu_percent,omitempty"`
	PeakFDs         int     `json:"peak_fds,omitempty"`
	PeakConnections int     `json:"peak_net_connections,omitempty"`
}

// Progress is the progress that a function has reported.
type Progress struct {
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: not known
	Note  string `json:"note,omitempty"`
	At    int64  `json:"at"` // nanoseconds since 1970
}

// Number returns the TID as the id of the request it came from.
func (t *Task) Number() broker.ID {
	id, _ := broker.ParseID(t.TID)
	return id
}

// Queues returns the task's own queues.
func (t *Task) Queues() Queues {
	if t.Kind() == Pipeline {
		return PipelineQueues(t.TID)
	}
	return QueuesOf(t.TID)
}

// unreserved reports whether the task's work item has an id but is not a message while the
// task runs: that of a call inside a program, if it is empty. If the task's policy keeps
// it, it becomes one.
func unreserved(t *Task) bool { return t.Kind() == Inline && t.NoItem }

// Work returns the work of the task's spec, decoded. It is empty before the dispatch, and not
// to be changed.
func (t *Task) Work() (*taskspec.Work, error) {
	if t.decoded == nil {
		spec, err := decodeSpec(t)
		if err != nil {
			return nil, err
		}
		t.decoded = &spec.Work
	}
	return t.decoded, nil
}

// decodeSpec returns the task's spec, decoded.
func decodeSpec(t *Task) (*taskspec.Spec, error) {
	s := new(taskspec.Spec)
	if len(t.Spec) > 0 {
		if err := s.UnmarshalJSON(t.Spec); err != nil { // it is JSON, and need not be checked twice
			return nil, &DamagedError{Kind, t.TID, fmt.Errorf("decode its spec: %w", err)}
		}
	}
	return s, nil
}

// ErrChanged is returned if a task was not read again before it was written, and another
// process has changed it meanwhile. The transaction must be abandoned; one that reads the
// task will succeed.
var ErrChanged = errors.New("task was changed by somebody else")

// save writes the record in place of the one that was read or written last.
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

// record returns the task's record.
func (t *Task) record() (broker.Record, error) {
	return withBody(broker.Record{Kind: Kind, Key: t.TID, State: string(t.Status), Rank: int64(t.Number())}, t)
}

var tasks = table[*Task]{Kind, func(rec broker.Record) (*Task, error) {
	t := &Task{stored: rec}
	if err := fields(rec, t); err != nil {
		return nil, err
	}
	return t, checkTask(t, rec)
}}

// checkTask returns how a task contradicts its record.
func checkTask(t *Task, rec broker.Record) error {
	switch {
	case t.TID != rec.Key || t.Number() == 0 || int64(t.Number()) != rec.Rank:
		return errMismatch
	case !t.Status.Valid() || string(t.Status) != rec.State:
		return fmt.Errorf("its status is %q and %q", t.Status, rec.State)
	}
	return nil
}

// Decode reads a task from its record. The error is a *[DamagedError].
func Decode(rec broker.Record) (*Task, error) { return tasks.decode(rec) }

// load reads a task inside a transaction; the error is a *[DamagedError], or wraps
// [broker.ErrNotFound] if there is none.
func load(tx *broker.Tx, tid string) (*Task, error) { return tasks.get(tx, tid) }
