package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// ErrIncompleteDump is returned for a request in a dump that cannot be run as it was submitted,
// because the dump does not hold all of it.
var ErrIncompleteDump = errors.New("request is not whole")

// An Intake loads the tasks of a dump. It counts one pass over the dump.
type Intake struct {
	Requests int // messages in the queue of requests, loaded or left out
	State    int // records about processes of another machine: left out
	Lost     int // tasks that had started and not ended

	run       bool     // load requests
	redact    []string // paths that dumps of this project redact
	header    broker.Header
	lostTasks []string           // TIDs
	waiting   map[string]string  // the queues of requests that were loaded, by TID
	left      map[broker.ID]bool // requests of tasks that are left out
	keys      int                // loaded
	past      int                // attempts that were loaded
	now       time.Time
}

// NewIntake begins a pass over a dump. run says whether to load waiting requests: their
// tasks run as soon as there is a manager. redact are the paths that a dump of this project
// would redact, as in [DumpOptions].
func NewIntake(h broker.Header, run bool, redact []string, now time.Time) *Intake {
	return &Intake{header: h, run: run, redact: redact, now: now, left: make(map[broker.ID]bool), waiting: make(map[string]string)}
}

// Policy returns the intake as a policy of the broker.
func (in *Intake) Policy() broker.Policy {
	return broker.Policy{Record: in.record, Message: in.message, Same: in.sameMessage, Done: in.done}
}

func (in *Intake) record(r broker.Record, here *broker.Record) (broker.Record, broker.Verdict, error) {
	switch r.Kind {
	case Kind:
		return in.task(r, here)
	case keyKind:
		return in.key(r, here)
	case attemptKind:
		return in.attempt(r, here)
	case batchKind:
		if here != nil {
			return r, broker.Skip, nil
		}
		return r, broker.Take, Check(r)
	case concurrencyKind:
		if here != nil || !in.run {
			return r, broker.Skip, nil // a key that is in use keeps its limit
		}
		return r, broker.Take, Check(r)
	}
	in.State++
	return r, broker.Leave, nil
}

// attempt loads a past attempt.
func (in *Intake) attempt(r broker.Record, here *broker.Record) (broker.Record, broker.Verdict, error) {
	if err := Check(r); err != nil {
		return r, 0, fmt.Errorf("%w: %w", broker.ErrDump, err)
	}
	switch {
	case here == nil:
		in.past++
		return r, broker.Take, nil
	case *here != r:
		return r, broker.Clash, nil
	}
	return r, broker.Skip, nil
}

func (in *Intake) task(r broker.Record, here *broker.Record) (broker.Record, broker.Verdict, error) {
	t, err := Decode(r)
	if err != nil {
		return r, 0, fmt.Errorf("%w: %w", broker.ErrDump, err)
	}
	if t.Number() > in.header.LastID {
		err = fmt.Errorf("its id is greater than the last one, %v", in.header.LastID)
	} else {
		_, err = t.Work()
	}
	if err != nil {
		return r, 0, fmt.Errorf("%w: task %s: %w", broker.ErrDump, r.Key, err)
	}
	if here != nil {
		same, err := in.same(r, *here)
		if err != nil || !same {
			return r, broker.Clash, err
		}
		return r, broker.Skip, nil
	}
	t.Env = "" // it gets the manager's
	switch {
	case t.Status.Terminal():
	case t.Status != taskspec.StatusCreated:
		in.Lost++
		in.lostTasks = append(in.lostTasks, t.TID)
		t.Endpoints = nil // running tasks here may have these names
	case !in.run:
		return r, broker.Leave, nil
	case t.Stage != 0: // its pipeline is lost
		in.left[t.Number()] = true
		return r, broker.Leave, nil
	case t.Input != "":
		return r, 0, fmt.Errorf("%w: task %s read a large standard input, which is in a file and not in the dump", ErrIncompleteDump, t.TID)
	default:
		in.waiting[t.TID] = t.requests()
		// Its parent is lost and holds no slot for it: it needs one of its own.
		t.Parent, t.Slotless, t.Service = "", !t.traits().slot, ""
		t.Concurrency.Admitted = false
	}
	t.Loaded = true
	r, err = t.record()
	return r, broker.Take, err
}

// same reports whether the task in the store is the one of the dump, as it was dumped or as
// it was loaded.
func (in *Intake) same(r, here broker.Record) (bool, error) {
	r, err := dumped(r, in.header.Redacted, in.redact)
	if err != nil {
		return false, err
	}
	if here, err = dumped(here, in.header.Redacted, in.redact); err != nil || r == here {
		return err == nil, err
	}
	theirs, err := Decode(r)
	if err != nil {
		return false, err
	}
	ours, err := Decode(here)
	if err != nil || !ours.Loaded {
		return false, err
	}
	ours.Concurrency.Admitted = theirs.Concurrency.Admitted
	if ours.Loaded = theirs.Loaded; ours.Error == lostInDump && !theirs.Status.Terminal() {
		return ours.Epoch == theirs.Epoch, nil
	}
	here, err = ours.record()
	return r == here, err
}

// sameMessage reports whether the message in the store is the one of the dump. It may be a
// result that was taken since.
func (in *Intake) sameMessage(m, here broker.Message) bool {
	if here.Queue == TakenOutputs {
		here.Queue = m.Queue
	}
	if in.header.Redacted {
		here.Body = redactMessage(here, in.redact)
	}
	if isRequests(m.Queue) && isRequests(here.Queue) {
		here.Queue = m.Queue // it goes from one to the other
	}
	return m == here
}

func (in *Intake) message(m broker.Message) (bool, error) {
	if !isRequests(m.Queue) {
		return true, nil
	}
	if in.left[m.ID] {
		return false, nil
	}
	in.Requests++
	if !in.run || !in.header.Redacted {
		return in.run, nil
	}
	if wasHidden(m.Body) {
		return false, fmt.Errorf("%w: something of task %v was hidden: make a dump with secrets", ErrIncompleteDump, m.ID)
	}
	return true, nil
}

// wasHidden reports whether a spec in JSON was redacted.
func wasHidden(spec string) bool { return strings.Contains(spec, hidden) }

// lostInDump is the error of tasks that were running when the dump was made.
const lostInDump = "lost: it was running when its project was dumped"

// done ends the tasks that were running when the dump was made, and notifies the manager of
// those that wait.
func (in *Intake) done(tx *broker.Tx) error {
	if in.run && in.Requests > 0 {
		tx.Notify(Requests)
		tx.Notify(WaitingRequests)
	}
	keys := make(map[string]Concurrency)
	for tid, queue := range in.waiting {
		t, err := placeAgain(tx, tid, queue)
		if err != nil {
			return err
		}
		keys[t.Concurrency.Key] = t.Concurrency
	}
	for _, c := range keys {
		if err := c.admit(tx); err != nil {
			return err
		}
	}
	outcome := taskspec.Lost()
	outcome.Error = lostInDump
	for _, tid := range in.lostTasks {
		t, err := load(tx, tid)
		if err != nil {
			return err
		}
		if t.Status.Terminal() {
			continue // ended with its current stage
		}
		if err := t.conclude(tx, outcome, in.now.UnixNano(), Event{}); err != nil {
			return err
		}
	}
	// of tasks that were left out
	if in.past > 0 {
		if err := dropLost(tx, attemptKind, func(r broker.Record) string { return r.State }, dropAttempt); err != nil {
			return err
		}
	}
	if in.keys == 0 {
		return nil
	}
	return dropLost(tx, keyKind, func(r broker.Record) string { return broker.ID(r.Rank).String() },
		func(tx *broker.Tx, r broker.Record) error {
			if isRemoved(r) {
				return nil
			}
			return tx.DeleteRecord(keyKind, r.Key)
		})
}

// placeAgain moves the request of a task that was loaded from the queue it was in to the one
// where it belongs now, and puts it into the index.
func placeAgain(tx *broker.Tx, tid, queue string) (*Task, error) {
	t, err := load(tx, tid)
	if err != nil {
		return nil, err
	}
	if to := t.requests(); to != queue {
		if _, err := tx.Move(queue, to, broker.Select{ID: t.Number()}); err != nil {
			return nil, err
		}
	}
	return t, t.index(tx, t.delay())
}
