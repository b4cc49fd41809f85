package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"weft/broker"
	"weft/internal/inherit"
	"weft/internal/ledger"
	"weft/taskspec"
)

// SubmitOptions say more about a submission than its spec. The zero value is the
// default.
type SubmitOptions struct {
	// Dir is the submitter's directory, in which a task runs whose spec does not say
	// otherwise; empty means the current one.
	Dir string
	// Env is the environment of the task, in the form of [os.Environ]; nil means that
	// of this process.
	Env []string
	// Stdin holds the standard input of the task; nil is none. It is read to its end
	// before the task is submitted.
	Stdin io.Reader
}

// environ returns the environment of the task.
func (o *SubmitOptions) environ(p *Project) []string {
	if o.Env == nil {
		o.Env = p.fileEnv.Environ()
	}
	return o.Env
}

// snapshotOf packs an environment with the attributes of this process, as far as
// they are known.
func snapshotOf(env []string) string {
	if a, err := inherit.Read(); err == nil {
		env = ledger.WithAttributes(env, a.String())
	}
	return ledger.EncodeEnv(env)
}

// Submit is [Project.SubmitContext] with a context that does not end.
func (p *Project) Submit(spec *taskspec.Spec, opts ...SubmitOptions) (*Task, error) {
	return p.SubmitContext(context.Background(), spec, opts...)
}

// SubmitContext asks for a task and returns once that is durable; the task runs
// when the manager comes to it, whatever becomes of this process. A manager is
// started if there is none.
//
// The spec must be a template: without tid, state and weft_context; it is not
// changed. A bad one gives a *[taskspec.ValidationError] that names every
// problem. Cancelling ctx before the task is accepted withdraws it, and so does a
// manager that could not be started, for which the error wraps [ErrManager]. A task
// that comes with an error has been accepted.
//
// If the spec has a key, [taskspec.Work].Key, and a task of the project that was
// submitted with the same spec and input holds the key, Submit returns that task,
// whether it has ended or not, and does nothing else: see [Task.IsNew]. If the task was
// submitted with another spec or input, or was removed since, the error is a *[KeyError]. To run the same spec
// again use another key, or [Task.Retry].
func (p *Project) SubmitContext(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOptions) (*Task, error) {
	tasks, err := submit(ctx, p, []*taskspec.Spec{spec}, last(opts))
	if len(tasks) == 0 {
		return nil, fmt.Errorf("submit task: %w", err)
	}
	return tasks[0], err
}

// SubmitMany is [Project.SubmitContext] for many tasks: all of them are
// accepted, in one transaction, or none. What the options say holds for each of
// them; an input they cannot share. Specs with the same key are one task, which
// is returned in each of their places.
//
// A transaction blocks every other writer: a few hundred tasks take
// some ten milliseconds.
func (p *Project) SubmitMany(ctx context.Context, specs []*taskspec.Spec, opts ...SubmitOptions) ([]*Task, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	tasks, err := submit(ctx, p, specs, last(opts))
	if len(tasks) == 0 {
		return nil, fmt.Errorf("submit tasks: %w", err)
	}
	return tasks, err
}

// submit prepares tasks and submits them.
func submit(ctx context.Context, p *Project, specs []*taskspec.Spec, o SubmitOptions) ([]*Task, error) {
	all, err := prepare(ctx, p, specs, o)
	if err != nil {
		return nil, err
	}
	accepted, err := submitOnce(ctx, p, all)
	if err != nil {
		return nil, err
	}
	return accepted.attendOrWithdraw(ctx)
}

// submitOnce submits what will not be submitted again: an input that no task has got
// is removed.
func submitOnce(ctx context.Context, p *Project, all []ledger.Submission) (accepted, error) {
	a, err := submitPrepared(ctx, p, all)
	// An input has one task, so it is the first one's.
	if err != nil || !a.tasks[0].isNew {
		err = errors.Join(err, (&Prepared{p, all[0]}).Close())
	}
	return a, err
}

// submitPrepared submits tasks in one transaction.
func submitPrepared(ctx context.Context, p *Project, all []ledger.Submission) (a accepted, err error) {
	if t, err := submitInline(ctx, p, all); t != nil || err != nil {
		return accepted{tasks: []*Task{t}}, err
	}
	err = p.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		a, err = enqueue(tx, p, all)
		return err
	})
	return a, err
}

// accepted is what has become of a submission.
type accepted struct {
	tasks []*Task
	// waiting is one of the tasks that has not ended; nil if all have.
	waiting *Task
	// managed: there is a manager, as far as it is known. False if the last one
	// said that it leaves.
	managed bool
}

// enqueue submits tasks in a transaction that may still be undone. An error means
// that it must be.
func enqueue(tx *broker.Tx, p *Project, all []ledger.Submission) (a accepted, err error) {
	tasks, managed, err := ledger.SubmitAll(tx, all, time.Now())
	if err != nil {
		return accepted{}, err
	}
	a = accepted{tasks: make([]*Task, len(tasks)), managed: managed}
	made := make(map[string]bool) // by this transaction
	for i, t := range tasks {
		if t.Other || t.Removed {
			e := &KeyError{Key: all[i].Spec.Key, TID: t.TID, Removed: !t.Other}
			if made[t.TID] {
				e.TID = ""
			}
			return accepted{}, e
		}
		if !t.Existing {
			made[t.TID] = true
			if err := inputIsThere(p.dir, all[i].Input); err != nil {
				return accepted{}, err
			}
		}
		a.tasks[i] = &Task{project: p, tid: t.TID, key: all[i].Spec.Key, isNew: !t.Existing}
		if !t.Ended {
			a.waiting = a.tasks[i]
		}
	}
	return a, nil
}

// awaitManager sees to it that a manager comes to tasks that have been submitted.
func (a accepted) awaitManager(ctx context.Context) error {
	return a.waits(a.manager(ctx))
}

// waits says which task waits for a manager, because of err.
func (a accepted) waits(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("task %s waits: %w: %w", a.waiting.tid, ErrManager, err)
}

// attendOrWithdraw is attend for tasks that will not be submitted again: where no
// manager can be started those that were made are withdrawn, so that none runs later
// by surprise.
func (a accepted) attendOrWithdraw(ctx context.Context) ([]*Task, error) {
	err := a.manager(ctx)
	if err == nil {
		return a.tasks, nil
	}
	if ctx.Err() != nil || !a.waiting.isNew {
		return a.tasks, a.waits(err)
	}
	withdrawn := a.withdraw(context.WithoutCancel(ctx))
	switch {
	case errors.Is(withdrawn, errDispatched):
		return a.tasks, nil // another process has started a manager
	case withdrawn != nil:
		return a.tasks, errors.Join(a.waits(err), withdrawn)
	}
	return nil, fmt.Errorf("%w: %w", ErrManager, err)
}

// errDispatched: a manager has come to the task.
var errDispatched = errors.New("already dispatched")

// withdraw withdraws those of the tasks that were made, unless a manager has come to
// one of them.
func (a accepted) withdraw(ctx context.Context) error {
	return a.waiting.project.broker.Update(ctx, func(tx *broker.Tx) error {
		for _, t := range a.tasks {
			if !t.isNew {
				continue
			}
			withdrawn, err := ledger.Withdraw(tx, t.tid, "withdrawn: "+ErrManager.Error(), time.Now())
			if err == nil && !withdrawn {
				err = errDispatched
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// manager sees to it that there is one, if a task waits for it.
func (a accepted) manager(ctx context.Context) error {
	if a.waiting == nil {
		return nil
	}
	return a.waiting.project.Manager().ensure(ctx, a.managed)
}

// noInput is the work item of a task without input.
const noInput = "{}"

// stdinItem is the work item that gives a command this standard input.
func stdinItem(stdin []byte) (string, error) {
	if len(stdin) == 0 {
		return noInput, nil
	}
	item, err := json.Marshal(map[string]taskspec.RawString{"stdin": taskspec.RawString(stdin)})
	return string(item), err
}

// maxNameRunes is the longest name of a task.
const maxNameRunes = 200

// taskName is the name of a task that runs a command: the last part of its
// path, made fit to be one.
func taskName(command string) string {
	name := []rune(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, filepath.Base(command)))
	if len(name) == 0 {
		return "command" // of one whose name is no text
	}
	return string(name[:min(len(name), maxNameRunes)])
}

// submitInline submits a task that this program is ready to carry out inside itself,
// and begins it at once: its request need not go through the store to come back.
// It returns nil for any other, and for one that has to queue.
func submitInline(ctx context.Context, p *Project, all []ledger.Submission) (*Task, error) {
	server := p.inline.Load()
	if server == nil || len(all) != 1 {
		return nil, nil
	}
	spec := all[0].Spec
	if !spec.Inline() || spec.Delay > 0 || spec.IO.Inputs["inbox"] != "" {
		return nil, nil
	}
	local, err := server.Submit(ctx, all[0])
	if local == nil || err != nil {
		return nil, err
	}
	record := local.Task()
	return &Task{project: p, tid: record.TID, key: record.Key, isNew: true, local: local}, nil
}

// Command returns the spec of a task that runs a program: its name, looked up
// in the PATH of the submitter, or a path, and its arguments. The spec may be
// changed before it is submitted.
func Command(name string, args ...string) *taskspec.Spec {
	s := &taskspec.Spec{
		Name: taskName(name),
		Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: name},
	}
	for _, arg := range args {
		s.Args = append(s.Args, arg)
	}
	return s
}
