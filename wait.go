package weft

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/disk"
	"weft/internal/ledger"
	"weft/runner"
)

// Notices calls tell, once for each reason, when a wait through the Project takes some
// seconds because the manager or the task's consumer is stopped, the manager does not
// come up, or the disk is full. tell may be called on any goroutine that waits.
func Notices(tell func(text string)) Option { return func(o *options) { o.tell = tell } }

// notices passes each text on once.
type notices struct {
	tell func(string) // may be nil

	mu   sync.Mutex
	told map[string]bool
}

func (n *notices) say(text string) {
	if n.tell == nil || text == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.told == nil {
		n.told = make(map[string]bool)
	}
	if !n.told[text] {
		n.told[text] = true
		n.tell(text)
	}
}

const (
	// managerLook is how often a waiter makes sure that there is a manager.
	managerLook = time.Second
	// troubleLook is when a waiter first asks what keeps the manager from its work;
	// then it asks at growing intervals up to lastTroubleLook.
	troubleLook     = 2 * time.Second
	lastTroubleLook = 30 * time.Second
)

// A watch checks, for a waiter, that the manager runs and works.
type watch struct {
	project *Project
	looked  time.Time // for a manager
	began   time.Time
	asked   time.Time     // what keeps it from its work
	pause   time.Duration // before that is asked again
}

func newWatch(p *Project) *watch {
	now := time.Now()
	return &watch{project: p, looked: now, began: now, asked: now, pause: troubleLook}
}

// due reports whether it is time to look.
func (w *watch) due() bool { return time.Since(w.looked) >= managerLook }

// late reports whether the wait has taken so long that whoever waits is to know why.
func (w *watch) late() bool { return time.Since(w.began) >= troubleLook }

// look makes sure, now and then, that there is a manager, and says what keeps it from
// its work.
func (w *watch) look(ctx context.Context) error {
	if !w.due() {
		return nil
	}
	w.looked = time.Now()
	if err := w.project.Manager().ensure(ctx); err != nil {
		return err
	}
	w.say(ctx)
	return nil
}

// say says what keeps the manager from its work, and tasks from going on.
func (w *watch) say(ctx context.Context) {
	if err := w.trouble(ctx); err != nil {
		w.project.notices.say(err.Error())
	} else {
		w.project.notices.say(fullDisk(w.project.dir))
	}
}

// trouble asks, now and then, what keeps the manager from its work.
func (w *watch) trouble(ctx context.Context) error {
	if time.Since(w.asked) < w.pause {
		return nil
	}
	err := w.project.Manager().trouble(ctx)
	w.asked, w.pause = time.Now(), min(2*w.pause, lastTroubleLook)
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
	var a control.Answer
	if !halted(last) {
		a, err = control.Give(ctx, m.project.dir, control.Order{Command: ledger.CommandStatus})
	}
	switch {
	case halted(last):
		return trouble(fmt.Sprintf("the manager (pid %d) is stopped: kill -CONT %[1]d lets it go on", last.Process.PID))
	case err == nil && a.Problem != "":
		return trouble(fmt.Sprintf("the manager (pid %d) cannot go on: %s", last.Process.PID, a.Problem))
	}
	return nil
}

// halted reports whether a signal has stopped the manager.
func halted(m *ledger.Manager) bool { return !m.Elsewhere() && m.Process.Stopped() }

// haltedConsumer says that the consumer of a task stands still because a signal has
// stopped it, if it does.
func haltedConsumer(t *ledger.Task) string {
	if !t.Consumer.Stopped() {
		return ""
	}
	return fmt.Sprintf("task %s does not go on: its consumer (pid %d) is stopped: kill -CONT %[2]d lets it go on", t.TID, t.Consumer.PID)
}

// fullDisk says that tasks wait with what they print, if they do.
func fullDisk(dir string) string {
	space, known := disk.SpaceIn(dir)
	if !known || !runner.OutputsWait(space) {
		return ""
	}
	return fmt.Sprintf("the disk is full: tasks wait with what they print: make room in %s", dir)
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
