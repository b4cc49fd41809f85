package weft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/consumer"
	"weft/internal/disk"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/upkeep"
	"weft/taskspec"
)

// notices passes each text on once.
type notices struct {
	tell func(string) // may be nil

	mu   sync.Mutex
	said map[string]bool
}

func (n *notices) say(text string) {
	if n.tell == nil || text == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.said == nil {
		n.said = make(map[string]bool)
	}
	if !n.said[text] {
		n.said[text] = true
		n.tell(text)
	}
}

const (
	// managerPoll is how often a waiter makes sure that there is a manager.
	managerPoll = time.Second
	// minTroublePoll is when a waiter first asks what keeps the manager from its work;
	// then it asks at growing intervals up to maxTroublePoll.
	minTroublePoll = 2 * time.Second
	maxTroublePoll = 30 * time.Second
)

// A watch checks, for a waiter, that the manager runs and works.
type watch struct {
	project *Project
	polled  time.Time // for a manager
	began   time.Time
	asked   time.Time     // what keeps it from its work
	pause   time.Duration // before that is asked again
}

func newWatch(p *Project) *watch {
	now := time.Now()
	return &watch{project: p, polled: now, began: now, asked: now, pause: minTroublePoll}
}

// due reports whether it is time to look.
func (w *watch) due() bool { return time.Since(w.polled) >= managerPoll }

// isLate reports whether the wait has taken so long that whoever waits is to know why.
func (w *watch) isLate() bool { return time.Since(w.began) >= minTroublePoll }

// poll makes sure, now and then, that there is a manager, and says what keeps it from
// its work.
func (w *watch) poll(ctx context.Context) error {
	if !w.due() {
		return nil
	}
	w.polled = time.Now()
	if err := w.project.Manager().ensure(ctx, true); err != nil {
		return err
	}
	w.report(ctx)
	return nil
}

// report says what keeps the manager from its work, and tasks from going on.
func (w *watch) report(ctx context.Context) {
	if err := w.trouble(ctx); err != nil {
		w.project.notices.say(err.Error())
	} else if dir := fullDisk(w.project.dir); dir != "" {
		w.project.notices.say("the disk is full: tasks wait with what they print: make room in " + dir)
	}
}

// trouble asks, now and then, what keeps the manager from its work.
func (w *watch) trouble(ctx context.Context) error {
	if time.Since(w.asked) < w.pause {
		return nil
	}
	err := w.project.Manager().trouble(ctx)
	w.asked, w.pause = time.Now(), min(2*w.pause, maxTroublePoll)
	return err
}

// trouble is what keeps a manager from its work, and what to do about it.
type trouble string

func (t trouble) Error() string { return string(t) }

// trouble returns what keeps the manager from its work; nil if nothing is known to.
func (m *Manager) trouble(ctx context.Context) error {
	r, err := m.project.broker.Record(ctx, ledger.ManagerKind, ledger.CurrentManager)
	if err != nil || r.State != ledger.ManagerRunning {
		return nil
	}
	last, err := ledger.DecodeManager(r)
	if err != nil || last.Gone() {
		return nil
	}
	if found, advice, _ := upkeep.ManagerTrouble(ctx, m.project.dir, last); found != "" {
		return trouble(found + ": " + advice)
	}
	return nil
}

// stoppedConsumer says that the consumer of a task stands still because a signal has
// stopped it, if it does.
func stoppedConsumer(t *ledger.Task) string {
	if !t.Consumer.Stopped() {
		return ""
	}
	return fmt.Sprintf("task %s does not go on: its consumer (pid %d) is stopped: kill -CONT %[2]d lets it go on", t.TID, t.Consumer.PID)
}

// fullDisk returns the folder in which room must be made, because tasks wait with what they
// print; empty if they do not.
func fullDisk(dir string) string {
	space, known := disk.SpaceIn(dir)
	if !known || !consumer.OutputsWait(space) {
		return ""
	}
	return dir
}

// unwritable reports whether an error says that the store cannot be written now.
func unwritable(err error) bool {
	for _, kind := range []error{broker.ErrFull, broker.ErrUnwritable, broker.ErrUncertain, broker.ErrBusy} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// errFound ends a wait before the end of its task, and is no error: see awaitTask.
var errFound = errors.New("found")

// awaitTask waits for the end of the task and calls look, if it is not nil, with
// the task's record whenever it may have changed, the task may have written something,
// or one of the queues may have changed. An error of look ends the wait; if it is
// errFound, awaitTask returns the record.
func awaitTask(ctx context.Context, t *Task, look func(*ledger.Task) error, queues ...string) (*ledger.Task, error) {
	defer function.Waits(ctx)()
	if t.local != nil && look == nil {
		if l := t.local.Wait(ctx); l != nil {
			return l, nil
		}
	}
	w, err := t.project.broker.Listen(append(queues, ledger.OutboxOf(t.tid))...)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	watch := newWatch(t.project)
	for {
		l, err := loadTask(ctx, t)
		if err != nil {
			return nil, err
		}
		if look != nil {
			if err := look(l); errors.Is(err, errFound) {
				return l, nil
			} else if err != nil {
				return nil, err
			}
		}
		if l.Status.Terminal() {
			return l, nil
		}
		if watch.due() {
			if err := t.project.broker.View(ctx, func(r broker.Reader) error { return ledger.CheckTask(r, l) }); err != nil {
				return nil, err
			}
		}
		if err := watch.poll(ctx); err != nil {
			return nil, fmt.Errorf("task %s waits: %w: %w", t.tid, ErrManager, err)
		}
		if watch.isLate() {
			t.project.notices.say(stoppedConsumer(l))
		}
		if err := waitFor(ctx, w, managerPoll); err != nil {
			return nil, err
		}
	}
}

// waitFor waits for a notification, at most for d.
func waitFor(ctx context.Context, w *broker.Waiter, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.C():
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A Batch waits for many tasks at the cost of one: it reads the project's log
// of events instead of asking for each task. It belongs to one goroutine.
type Batch struct {
	project *Project
	waiter  *broker.Waiter
	waiting map[string]bool // by TID; what has not ended, as far as is known
	ended   []*TaskStatus   // not returned yet
	after   broker.ID       // the log has been read so far
	watch   *watch
}

// NewBatch returns a Batch without tasks. The caller must close it.
func (p *Project) NewBatch() (*Batch, error) {
	w, err := p.broker.Listen(ledger.Log)
	if err != nil {
		return nil, fmt.Errorf("wait for tasks: %w", err)
	}
	return &Batch{project: p, waiter: w, waiting: make(map[string]bool), watch: newWatch(p)}, nil
}

// Close ends the waiting; the tasks go on.
func (b *Batch) Close() { b.waiter.Close() }

// Len is the number of tasks that Next has not returned.
func (b *Batch) Len() int { return len(b.waiting) + len(b.ended) }

// Add adds tasks of the batch's project, also ones that have ended; one that is there already
// is not added again. After an error some of the tasks may have been added. Cancelling ctx
// prevents what is left.
func (b *Batch) Add(ctx context.Context, tasks ...*Task) error {
	for _, t := range tasks {
		id, err := broker.ParseID(t.tid)
		if err != nil {
			return err
		}
		if b.waiting[t.tid] {
			continue
		}
		b.waiting[t.tid] = true
		// What happened to it comes later in the log than its own id. A task
		// that is older than what has been read may have ended before; so may
		// one that was not just submitted, and its end be cleared from the log.
		if b.after == 0 {
			b.after = id
		}
		if id < b.after || !t.isNew {
			if err := b.check(ctx, t.tid); err != nil {
				return err
			}
		}
	}
	return nil
}

// Next waits until one more of the tasks has ended and says how it did. It
// starts a manager whenever the project has none. [io.EOF] means that no task
// is left. Cancelling ctx ends the wait and leaves the tasks alone.
func (b *Batch) Next(ctx context.Context) (*TaskStatus, error) {
	for {
		if len(b.ended) > 0 {
			s := b.ended[0]
			b.ended = b.ended[1:]
			return s, nil
		}
		if len(b.waiting) == 0 {
			return nil, io.EOF
		}
		if err := b.read(ctx); err != nil {
			return nil, err
		}
		if len(b.ended) > 0 {
			continue
		}
		if b.watch.due() {
			if err := b.poll(ctx); err != nil {
				return nil, err
			}
			continue
		}
		if err := waitFor(ctx, b.waiter, managerPoll); err != nil {
			return nil, err
		}
	}
}

// read reads what is new in the log.
func (b *Batch) read(ctx context.Context) error {
	for e, err := range ledger.EventsAfter(ctx, b.project.broker, b.after) {
		if err != nil {
			return err
		}
		b.after = e.ID
		if !e.Status.Terminal() || !b.waiting[e.TID] {
			continue
		}
		// It may be the end of an attempt after which the task was retried.
		if err := b.check(ctx, e.TID); err != nil {
			return err
		}
	}
	return nil
}

// askedAtOnce is how many of the tasks, any of them, are read themselves at each poll.
const askedAtOnce = 50

// poll makes sure that there is a manager, and that no end was missed because
// the log was cleared.
func (b *Batch) poll(ctx context.Context) error {
	if err := b.watch.poll(ctx); err != nil {
		return fmt.Errorf("%d tasks wait: %w: %w", len(b.waiting), ErrManager, err)
	}
	oldest, err := b.project.Queue(ledger.Log).Peek(ctx)
	if err != nil && !errors.Is(err, broker.ErrEmpty) {
		return err
	}
	most := len(b.waiting)
	if err == nil && oldest.ID <= b.after {
		most = askedAtOnce // one whose record is damaged has no events
	}
	for tid := range b.waiting {
		if most--; most < 0 {
			break
		}
		if err := b.check(ctx, tid); err != nil {
			return err
		}
	}
	return nil
}

// check reads the record of a task to see whether it has ended.
func (b *Batch) check(ctx context.Context, tid string) error {
	t := Task{project: b.project, tid: tid}
	l, err := loadTask(ctx, &t)
	var s *TaskStatus
	if err == nil {
		s = newStatus(l)
		if b.watch.isLate() {
			b.project.notices.say(stoppedConsumer(l))
		}
	}
	if damaged, is := errors.AsType[*DamagedError](err); is {
		s, err = &TaskStatus{TID: tid, Status: taskspec.StatusFailed, Error: damaged.Error()}, nil
	}
	if err == nil && s.Status.Terminal() {
		delete(b.waiting, tid)
		b.ended = append(b.ended, s)
	}
	return err
}
