package weft

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/taskspec"
)

// Pause stops all processes of a running task, and returns when they are stopped. The
// timeout goes on: a task that is paused longer than its timeout is ended. In a
// pipeline the running stage is paused. Cancelling ctx ends the wait, not the request.
//
// Errors wrap [ErrNotRunning], also if the task ends meanwhile, or [ErrNoPause] for an
// inline function.
func (t *Task) Pause(ctx context.Context) error {
	return pauseOrResume(ctx, t, ledger.CommandPause, "pause")
}

// Resume continues a paused task, and returns when it runs. Otherwise it is like
// [Task.Pause].
func (t *Task) Resume(ctx context.Context) error {
	return pauseOrResume(ctx, t, ledger.CommandResume, "resume")
}

// Interrupt sends SIGINT to the processes of a running task, as Ctrl-C does at a shell, and
// returns when that is durable. What the task does then is its own: its end is recorded as
// what it was, and no further attempt follows. The context of a function ends. In a pipeline
// the running stage is interrupted. An interactive task has first what [Task.SendInput] has
// sent before; at a terminal Interrupt presses Ctrl-C. A task that has not started never
// starts, and a persistent task is stopped.
//
// Errors wrap [ErrNotRunning] if the task has ended. Cancelling ctx withdraws what has not
// been accepted.
func (t *Task) Interrupt(ctx context.Context) error {
	body, err := json.Marshal(input{Interrupt: true})
	if err == nil {
		err = signalTask(ctx, t, ledger.CommandInterrupt, func(tx *broker.Tx) error {
			_, err := ledger.Interrupt(tx, t.tid, string(body), time.Now())
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("interrupt task %s: %w", t.tid, err)
	}
	return nil
}

// CloseStdout is for a task whose standard output nobody wants any more: the next write to it
// fails, with SIGPIPE or EPIPE, as to a pipe without a reader. What was written before is kept, and
// no further attempt follows. It returns when the request is durable. In a pipeline it
// concerns the running stage. A task that has not started never starts; one that has ended,
// that has a terminal or runs inside its program is not changed. Cancelling ctx withdraws
// what has not been accepted.
func (t *Task) CloseStdout(ctx context.Context) error {
	return closeStream(ctx, t, ledger.CommandCloseStdout, "output")
}

// CloseStderr is [Task.CloseStdout] for the standard error.
func (t *Task) CloseStderr(ctx context.Context) error {
	return closeStream(ctx, t, ledger.CommandCloseStderr, "error")
}

func closeStream(ctx context.Context, t *Task, c ledger.Command, name string) error {
	err := signalTask(ctx, t, c, func(tx *broker.Tx) error {
		_, err := ledger.End(tx, t.tid, c, time.Now())
		return err
	})
	if err != nil {
		return fmt.Errorf("close standard %s of task %s: %w", name, t.tid, err)
	}
	return nil
}

// signalTask has write send a command, after which there is nothing to wait for.
func signalTask(ctx context.Context, t *Task, c ledger.Command, write func(*broker.Tx) error) error {
	err := t.project.broker.Update(ctx, write)
	switch {
	case errors.Is(err, broker.ErrDamaged):
		err = t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.EndDamaged(tx, t.tid, c) })
	case unwritable(err):
		if _, err = orderDirectly(ctx, t, c, err); errors.Is(err, ErrUnrecorded) {
			err = nil // the task has it
		}
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	return err
}

// pauseOrResume pauses or resumes the task, and waits until that is done.
func pauseOrResume(ctx context.Context, t *Task, c ledger.Command, verb string) error {
	tid := t.tid
	t, err := working(ctx, t)
	if err == nil {
		err = sendControl(ctx, t, ledger.Control{Command: c})
	}
	if unwritable(err) {
		_, err = orderDirectly(ctx, t, c, err)
	} else if err == nil {
		_, err = awaitOrder(ctx, t, c, func(l *ledger.Task) error {
			switch {
			case l.Status.Terminal():
				return fmt.Errorf("%w: it %s", ErrNotRunning, l.Status)
			case l.Paused == (c == ledger.CommandPause) && l.Hold == l.Paused:
				return errFound
			}
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("%s task %s: %w", verb, tid, err)
	}
	return nil
}

// Ping sends a ping to the consumer of a running task, and returns how long the answer
// took. The consumer answers while the task works, so an answer says that the task is
// watched, not that it makes progress. Errors wrap [ErrNotRunning]. Cancelling ctx ends the wait.
func (t *Task) Ping(ctx context.Context) (time.Duration, error) {
	took, err := ping(ctx, t)
	if err != nil {
		return 0, fmt.Errorf("ping task %s: %w", t.tid, err)
	}
	return took, nil
}

func ping(ctx context.Context, t *Task) (time.Duration, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return 0, err
	}
	replies := ledger.Replies(l)
	id, began, took := rand.Text(), time.Now(), time.Duration(0)
	if err := sendControl(ctx, t, ledger.Control{Command: ledger.CommandPing, RequestID: id}); err != nil {
		return 0, err
	}
	_, err = awaitTask(ctx, t, func(l *ledger.Task) error {
		for m, err := range t.project.Queue(replies).Messages(ctx, broker.Select{}) {
			if err != nil {
				return err
			}
			if ledger.ReplyTo(m.Body) == id {
				took = time.Since(began)
				_, err := t.project.Queue(replies).Delete(ctx, broker.Select{ID: m.ID})
				return cmp.Or(err, errFound)
			}
		}
		if l.Status.Terminal() {
			return fmt.Errorf("%w: it %s", ErrNotRunning, l.Status)
		}
		return nil
	}, replies)
	return took, err
}

// awaitOrder waits for the end of a task that was given an order, or until look
// returns an error. If the manager cannot carry out the order, awaitOrder
// gives the order beside the store.
func awaitOrder(ctx context.Context, t *Task, c ledger.Command, look func(*ledger.Task) error) (*TaskStatus, error) {
	watch := newWatch(t.project)
	l, err := awaitTask(ctx, t, func(l *ledger.Task) error {
		if err := look(l); err != nil || l.Status.Terminal() {
			return err
		}
		return watch.trouble(ctx)
	})
	if trouble, ok := errors.AsType[trouble](err); ok {
		s, err := orderDirectly(ctx, t, c, trouble)
		if errors.Is(err, control.ErrNobody) {
			err = fmt.Errorf("%w, and was told to: %w", ErrManagerStuck, trouble)
		}
		return s, err
	}
	if err != nil {
		return nil, err
	}
	return newStatus(l), nil
}

// orderDirectly gives an order beside the store, which cannot be written, and says why not.
// It returns how the task stands then, with [ErrUnrecorded] unless that could be
// recorded meanwhile.
func orderDirectly(ctx context.Context, t *Task, c ledger.Command, why error) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, errors.Join(why, err)
	}
	o := control.Order{TID: t.tid, Command: c, Queued: l.Status == taskspec.StatusCreated || l.Kind() == ledger.Pipeline}
	a, err := control.Give(ctx, t.project.dir, o)
	if stage, none := working(ctx, t); err == nil && l.Kind() == ledger.Pipeline && none == nil {
		a, err = control.Give(ctx, t.project.dir, control.Order{TID: stage.tid, Command: c})
	}
	if err != nil {
		return nil, fmt.Errorf("%w; %w", why, err)
	}
	now, err := loadTask(ctx, t)
	if err == nil && now.Status.Terminal() {
		return newStatus(now), nil
	}
	s := newStatus(l)
	if o := a.Outcome; o != nil && l.Kind() != ledger.Pipeline {
		s.Status, s.ReturnCode, s.Signal, s.Error = o.Status, o.ReturnCode, o.Signal, o.Error
	}
	return s, fmt.Errorf("%w: %w", ErrUnrecorded, why)
}

// sendControl writes a control message for a running task.
func sendControl(ctx context.Context, t *Task, c ledger.Control) error {
	err := t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.SendControl(tx, t.tid, c) })
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	return err
}

// A Requester is who has asked for something to be done to a task, as it said itself.
type Requester struct {
	Command  string // that was run, "weft task stop", or the name of a program
	PID      int    // 0 if not known
	Terminal string // "/dev/pts/3"; empty if it had none
	User     string
	Reason   string // why, or empty: see [WithReason]
}

// String returns one line: "weft task stop (pid 7, /dev/pts/3, user ann): Ctrl-C".
func (r Requester) String() string {
	var about []string
	if r.PID != 0 {
		about = append(about, fmt.Sprintf("pid %d", r.PID))
	}
	if r.Terminal != "" {
		about = append(about, r.Terminal)
	}
	if r.User != "" {
		about = append(about, "user "+r.User)
	}
	text := r.Command
	if len(about) > 0 {
		text += " (" + strings.Join(about, ", ") + ")"
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

// reasonKey is the key of a context's reason.
type reasonKey struct{}

// WithReason returns a context for [Task.Stop] and [Task.Kill] that says why the task is to
// end, in one line: the task's events record it, with who asked.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

// requester is this process, as it asks for something.
func requester(ctx context.Context, p *Project) *ledger.Requester {
	r := &ledger.Requester{Command: cmp.Or(p.command, filepath.Base(os.Args[0])), PID: os.Getpid(), Terminal: proc.Terminal()}
	if u, err := user.Current(); err == nil {
		r.User = u.Username
	}
	r.Reason, _ = ctx.Value(reasonKey{}).(string)
	return r
}
