package ledger

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/proc"
	"weft/taskspec"
)

// liveStates are the states of tasks that have started and not ended.
var liveStates = []string{string(taskspec.StatusSpawning), string(taskspec.StatusRunning)}

// A Job is a request that is prepared to run: everything a consumer needs, read before the
// transaction that dispatches the task.
type Job struct {
	Assignment
	Spec     json.RawMessage // as it was submitted
	Programs []*Program      // of the function, the best first
	Slotless bool            // it holds no slot

	task    *Task           // as it is recorded; of a request written by hand, as it would be
	byHand  bool            // it was written by hand, and has no record yet
	plan    *Plan           // of a pipeline; nil for a task
	tags    []string        // of the spec
	queue   string          // of the request
	request string          // its body
	item    string          // the body of its work item
	item0   *broker.Message // the work item from the queue that the spec names; nil if there is none yet
	refused string          // why it cannot run
	damaged bool            // refused because its record cannot be read
}

// ControlsOf is [Controls] for the job's task.
func ControlsOf(j *Job) []string { return named(j.task.ControlIn) }

// Refuse notes why the request cannot be run.
func (j *Job) Refuse(why string) { j.refused = why }

// RefuseEnvironment refuses the job if err means that its environment cannot be read, and
// reports whether it does.
func RefuseEnvironment(j *Job, err error) bool {
	if unreadable(err) {
		j.refused = fmt.Sprintf("the environment that it was submitted with cannot be read: %v", err)
	}
	return unreadable(err)
}

// Refused returns why the request cannot be run, or the empty string.
func (j *Job) Refused() string { return j.refused }

// Waiting returns the oldest messages of a queue, requests as a rule, with ids above after:
// at most n, and none after those that have reached size bytes together.
func Waiting(r broker.Reader, queue string, after broker.ID, n, size int) (ms []broker.Message, err error) {
	err = r.Scan(queue, broker.Select{After: after, Limit: n}, func(m broker.Message) bool {
		ms = append(ms, m)
		size -= len(m.Body)
		return size > 0
	})
	return ms, err
}

// Prepare prepares a request, with the message that it gets if it waited for one. A request
// that cannot be run becomes a refused job, so that its waiters get an answer; an error means
// that the store could not be read. root is the project's.
func Prepare(r broker.Reader, root string, ready Ready) (*Job, error) {
	m := ready.Request
	tid := m.ID.String()
	j := &Job{
		Assignment: Assignment{TID: tid, Name: "invalid request", Epoch: 1}, queue: m.Queue, request: m.Body,
		task: &Task{TID: tid, Status: taskspec.StatusCreated}, byHand: true,
	}
	t, err := tasks.get(r, j.TID)
	switch {
	case errors.Is(err, broker.ErrNotFound):
	case damaged(err):
		j.refused, j.damaged = err.Error(), true
		return j, nil
	case err != nil:
		return nil, err
	default:
		j.Name, j.Epoch, j.Input, j.Dir, j.Env = t.Name, t.Epoch+1, t.Input, string(t.Dir), t.Env
		j.Slotless, j.task, j.byHand = t.Slotless, t, false
	}
	w, err := decodeRequest(m.Body)
	if err == nil && j.byHand && w.spec.Key != "" {
		err = errors.New("invalid taskspec: spec.key: holds only for what is submitted, not for a request that is written by hand")
	}
	if err != nil {
		j.refused = err.Error()
		return j, nil
	}
	j.Name, j.item, j.plan = w.spec.Name, w.item, w.plan
	if j.byHand {
		j.Slotless = w.spec.Slotless()
	}
	if j.plan != nil {
		return j, nil
	}
	if j.bindQueues(w.spec, ready.Item); j.refused != "" || j.NotForConsumer() {
		return j, nil
	}
	if j.refused = j.resolve(w, root); j.refused == "" && w.spec.Type == taskspec.KindFunction {
		return j, findFunction(r, j)
	}
	return j, nil
}

// Pipeline returns the TID of the pipeline that the job is, or is a stage of; empty if
// there is none.
func (j *Job) Pipeline() (tid string) {
	switch {
	case j.plan != nil:
		return j.TID
	case j.task.Stage != 0:
		return j.task.Parent
	}
	return ""
}

// NotForConsumer reports whether the job is not for a consumer, not yet or not at all: it
// is a pipeline, or a program runs it inside itself, or it waits for its work item, or it
// was written by hand and is delayed or has a concurrency key. [Forward] moves it to its place. A persistent task
// waits for its items with its consumer.
func (j *Job) NotForConsumer() bool {
	return j.refused == "" && (!traitsOf[j.kind()].consumer || j.waitsForItem() || j.wait() > 0 || j.byHand && j.Work.Concurrency != nil)
}

// waitsForItem reports whether the task still has to wait for its item. One that takes its
// items while it runs does not.
func (j *Job) waitsForItem() bool {
	return j.task.In != "" && j.item0 == nil && !traitsOf[j.kind()].items
}

// wait returns how long the request still has to wait. A submitted request has waited
// before it was dispatched.
func (j *Job) wait() time.Duration {
	if !j.byHand {
		return 0
	}
	return j.Work.Delay
}

// Forward starts a pipeline, or moves a request that was written by hand to the queue where
// programs serve its function, or where it waits until it is due or for its work item.
func Forward(tx *broker.Tx, j *Job, now time.Time) error {
	if j.plan != nil {
		return startPipeline(tx, j, now)
	}
	t, err := j.claim(tx, now)
	if t == nil || err != nil {
		return err
	}
	t.setKind(&j.Work)
	wait := j.wait()
	if wait > 0 {
		t.NotBefore = now.Add(wait).UnixNano()
	}
	if j.byHand {
		t.Concurrency = concurrencyOf(&j.Work)
	}
	if err := tx.Restore(broker.Message{ID: t.Number(), Queue: t.requests(), Body: j.request}); err != nil {
		return err
	}
	t.Spec, t.decoded = nil, nil // it has not been dispatched
	if err := t.index(tx, wait); err != nil {
		return err
	}
	if err := t.save(tx); err != nil || t.Concurrency.Key == "" {
		return err
	}
	return t.Concurrency.submitted(tx)
}

// findFunction finds the program of the function that the job calls. The function gets the
// environment of its program, the variables of the submitter's that the spec names, and the
// submitter's attributes.
func findFunction(r broker.Reader, j *Job) (err error) {
	if len(j.Work.EnvFrom) > 0 && j.Env != "" {
		packed, err := Environment(r, j.Env)
		if RefuseEnvironment(j, err) {
			return nil
		}
		if err != nil {
			return err
		}
		addEnv(j, packed)
	}
	f, err := FindFunction(r, j.Work.FunctionTarget)
	switch {
	case err == nil:
		j.Programs = f.Programs
	case errors.Is(err, broker.ErrNotFound):
		j.refused, err = UnknownFunction(j.Work.FunctionTarget), nil
	case damaged(err):
		j.refused, err = err.Error(), nil
	}
	return err
}

// addEnv adds the variables that the spec names from a packed environment, below those of
// the work.
func addEnv(j *Job, packed string) {
	over := make(map[string]string)
	for _, entry := range DecodeEnv(packed) {
		if name, value, _ := strings.Cut(entry, "="); slices.Contains(j.Work.EnvFrom, name) {
			over[name] = value
		}
	}
	maps.Copy(over, j.Work.Env)
	j.Work.Env = over
}

// resolve turns spec and work item into what a consumer executes. It returns why that is
// not possible, or nothing.
func (j *Job) resolve(w wanted, root string) (refused string) {
	spec, item := w.spec, j.item // which may come from a queue
	j.Dir = directory(spec.WorkingDir, cmp.Or(j.Dir, root))
	var err error
	if spec.Persistent {
		item = noItem // the consumer adds the items to what they share
	}
	if spec.Type == taskspec.KindFunction {
		j.Function = &FunctionCall{Name: spec.FunctionTarget}
		j.Function.Call, err = spec.Call(item)
	} else {
		j.Argv, j.Stdin, err = command(spec.Work, item)
	}
	if err != nil {
		return err.Error()
	}
	j.Spec, j.Work, j.Root, j.tags = w.raw, spec.Work, root, spec.Tags()
	return ""
}

// command returns what a command executes for a work item.
func command(w taskspec.Work, body string) (argv []string, stdin string, err error) {
	item, err := taskspec.CommandItem(body)
	if err != nil {
		return nil, "", err
	}
	argv, err = w.Argv(item.Args...)
	return argv, item.Stdin, err
}

// directory returns where the work runs: the directory of the spec, relative to the
// submitter's.
func directory(spec, submitter string) string {
	if filepath.IsAbs(spec) {
		return spec
	}
	return filepath.Join(submitter, spec)
}

// Dispatch gives the job to a consumer: its request, or the message of the queue it waited
// for, becomes the reserved message, and its record gets the state "running" and the
// consumer. It returns the task, or nil if the request is gone because the task was
// stopped, or another task has taken that message. [ErrChanged] means that the job must be
// prepared again. The first item of a persistent task is the one that it was submitted
// with; if there is none, [TakeItem] looks for one.
//
// Nothing may run before this has been committed.
func Dispatch(tx *broker.Tx, j *Job, consumer proc.Identity, now time.Time) (*Task, error) {
	if there, err := j.itemAvailable(tx, true); err != nil || !there {
		return nil, err
	}
	t, err := j.claim(tx, now)
	if t == nil || err != nil {
		return nil, err
	}
	return t, j.start(tx, t, consumer, now)
}

// start is the rest of [Dispatch], for a task whose request has been taken.
func (j *Job) start(tx *broker.Tx, t *Task, consumer proc.Identity, now time.Time) (err error) {
	at := now.UnixNano()
	t.Epoch, t.Seq, t.Consumer, t.Ordered, t.NoRetry = j.Epoch, 0, consumer, "", false
	t.Status = taskspec.StatusSpawning
	if err := t.log(tx, eventSpawning, at, Event{}); err != nil {
		return err
	}
	if !t.traits().items || j.item != noItem { // it may start without one
		if t.Message, err = j.reserve(tx, t); err != nil {
			return err
		}
	}
	t.Status, t.Started = taskspec.StatusRunning, at
	holder, err := nameInbox(tx, t)
	if err != nil {
		return err
	}
	e := Event{Endpoints: t.Endpoints, EndpointHolder: holder}
	if t.Message != 0 {
		e.MessageID = t.Message.String()
	}
	if err := t.log(tx, eventStarted, at, e); err != nil {
		return err
	}
	return t.save(tx)
}

// noteRunning changes what the record says of the running attempt at a task; it does nothing
// if that has ended since. If followers of the task want to know, it wakes them.
func noteRunning(tx *broker.Tx, tid string, epoch int, wake bool, change func(*Task)) error {
	t, err := load(tx, tid)
	if err != nil || t.Epoch != epoch || t.Status != taskspec.StatusRunning {
		return err
	}
	change(t)
	if wake {
		tx.Notify(OutboxOf(tid))
	}
	return t.save(tx)
}

// NoteProcess records the task's own process, for a task that does not end at once. It
// changes nothing if the task has ended since.
func NoteProcess(tx *broker.Tx, tid string, epoch int, process proc.Identity) error {
	return noteRunning(tx, tid, epoch, false, func(t *Task) { t.Process = process })
}

// NotePaused records that a running task has been paused or resumed, and wakes the waiters
// for that. It changes nothing if the task has ended since.
func NotePaused(tx *broker.Tx, tid string, epoch int, paused bool) error {
	return noteRunning(tx, tid, epoch, true, func(t *Task) { t.Paused = paused })
}

// NoteProgress records the progress of a running task's function, and wakes the followers
// of the task. It changes nothing if the task has ended since.
func NoteProgress(tx *broker.Tx, tid string, epoch int, p Progress) error {
	return noteRunning(tx, tid, epoch, true, func(t *Task) { t.Progress = &p })
}

// NoteUsage logs the current usage of a running task. It does nothing if the task has ended
// since.
func NoteUsage(tx *broker.Tx, tid string, epoch int, u Usage, now time.Time) error {
	t, err := load(tx, tid)
	if err != nil || t.Epoch != epoch || t.Status != taskspec.StatusRunning {
		return err
	}
	if err := t.log(tx, eventReport, now.UnixNano(), Event{Usage: &u}); err != nil {
		return err
	}
	return t.save(tx)
}

// Refuse ends a task whose request cannot be run. If it cannot be run with the message of a
// queue, that message becomes its own, as if it had failed on it. A task whose record is
// damaged cannot be ended: its request is moved to a queue from which none is dispatched.
func Refuse(tx *broker.Tx, j *Job, now time.Time) error {
	if j.damaged {
		if _, err := load(tx, j.TID); !damaged(err) {
			return err // it has been repaired
		}
		return setAside(tx, j.queue, j.TID)
	}
	if there, err := j.itemAvailable(tx, false); err != nil || !there {
		return err
	}
	t, err := j.claim(tx, now)
	if t == nil || err != nil {
		return err
	}
	if j.item0 != nil {
		if t.Message, err = j.reserve(tx, t); err != nil {
			return err
		}
	}
	return t.conclude(tx, taskspec.Rejected(j.refused), now.UnixNano(), Event{})
}

// claim takes the request of j and returns its task, or nil if the request is gone.
func (j *Job) claim(tx *broker.Tx, now time.Time) (*Task, error) {
	id, err := broker.ParseID(j.TID)
	if err != nil {
		return nil, err
	}
	t := *j.task // the transaction may run again
	fresh := j.byHand
	if fresh {
		known, err := load(tx, j.TID)
		if err == nil {
			t, fresh = *known, false // by another manager
		} else if !errors.Is(err, broker.ErrNotFound) {
			return nil, err
		}
	}
	if t.Status == taskspec.StatusCreated && j.Epoch != t.Epoch+1 {
		return nil, nil // prepared for an earlier attempt
	}
	taken, err := tx.Read(j.queue, broker.Select{ID: id})
	if err != nil || len(taken) == 0 || t.Status != taskspec.StatusCreated {
		return nil, err // a request for a task that has started was written by hand
	}
	if fresh {
		t.Name, t.Slotless, t.Created = j.Name, j.Slotless, now.UnixNano()
		if err := t.log(tx, eventInitialized, t.Created, Event{}); err != nil {
			return nil, err
		}
	}
	// The request may have been moved here by hand while it waited.
	if err := t.unindex(tx); err != nil {
		return nil, err
	}
	if t.Concurrency.waits() {
		t.Concurrency.Admitted = true
		if err := t.index(tx, 0); err != nil {
			return nil, err
		}
	}
	j.describe(&t)
	return &t, nil
}

// describe sets in the task's record what is known since it was prepared.
func (j *Job) describe(t *Task) {
	t.Name, t.Root, t.Spec, t.decoded = j.Name, taskspec.RawString(j.Root), j.Spec, &j.Work
	t.Streams = taskspec.Streams(j.Work)
	if len(j.tags) > 0 {
		t.Tags = j.tags
	}
	if j.Work.Retry != nil {
		t.MaxAttempts = j.Work.Retry.Attempts()
	}
	t.setKind(&j.Work)
	t.NoItem = j.item == noItem && j.Input == "" && t.In == "" && !t.traits().items
}
