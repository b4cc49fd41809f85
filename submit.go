package weft

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// ErrManager wraps the reason why no manager could be started. The task has
// been accepted all the same and waits for one.
var ErrManager = errors.New("no manager")

// A SubmitOption says more about a submission than its spec.
type SubmitOption func(*submission)

// submission is what a task is submitted with.
type submission struct {
	dir   string
	env   []string
	stdin io.Reader
}

// WithDir makes dir the submitter's directory, in which a task runs whose spec
// does not say otherwise, instead of the current one.
func WithDir(dir string) SubmitOption { return func(s *submission) { s.dir = dir } }

// WithEnv makes env, in the form of [os.Environ], the environment of the task,
// instead of that of this process.
func WithEnv(env []string) SubmitOption { return func(s *submission) { s.env = env } }

// WithStdin makes what r holds the standard input of the task. It is read to
// its end before the task is submitted.
func WithStdin(r io.Reader) SubmitOption { return func(s *submission) { s.stdin = r } }

// Submit is [Context.SubmitContext] with a context that does not end.
func (c *Context) Submit(spec *taskspec.Spec, opts ...SubmitOption) (*Task, error) {
	return c.SubmitContext(context.Background(), spec, opts...)
}

// SubmitContext asks for a task and returns once that is durable; the task runs
// when the manager comes to it, whatever becomes of this process. A manager is
// started if there is none.
//
// The spec must be a template: without tid, state and weft_context; it is not
// changed. A bad one gives a *[taskspec.ValidationError] that names every
// problem. Cancelling ctx before the task is accepted withdraws it. If only the
// manager could not be started, the error wraps [ErrManager] and the task is
// returned with it.
func (c *Context) SubmitContext(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOption) (*Task, error) {
	tasks, managed, err := submit(ctx, c, []*taskspec.Spec{spec}, opts)
	if err != nil {
		return nil, fmt.Errorf("submit task: %w", err)
	}
	return tasks[0], attend(ctx, tasks[0], managed)
}

// SubmitMany is [Context.SubmitContext] for many tasks: all of them are
// accepted, in one transaction, or none. What the options say holds for each of
// them; an input they cannot share.
//
// A transaction holds back everybody else who writes: a few hundred tasks take
// some ten milliseconds.
func SubmitMany(ctx context.Context, c *Context, specs []*taskspec.Spec, opts ...SubmitOption) ([]*Task, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	tasks, managed, err := submit(ctx, c, specs, opts)
	if err != nil {
		return nil, fmt.Errorf("submit tasks: %w", err)
	}
	return tasks, attend(ctx, tasks[0], managed)
}

// attend sees to it that a manager comes to a task that has been submitted.
// managed is what the submission saw: false if the last manager said that it
// leaves.
func attend(ctx context.Context, t *Task, managed bool) (err error) {
	if managed {
		err = t.c.Manager().ensure(ctx)
	} else {
		err = t.c.Manager().Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("task %s waits: %w: %w", t.tid, ErrManager, err)
	}
	return nil
}

func submit(ctx context.Context, c *Context, specs []*taskspec.Spec, opts []SubmitOption) (tasks []*Task, managed bool, err error) {
	rules := templateRules()
	for i, spec := range specs {
		err := spec.ValidateFor(rules)
		if err != nil && len(specs) > 1 {
			err = fmt.Errorf("task %d of %d: %w", i+1, len(specs), err)
		}
		if err != nil {
			return nil, false, err
		}
	}
	if err := canRun(); err != nil {
		return nil, false, err
	}
	var s submission
	for _, opt := range opts {
		opt(&s)
	}
	if s.stdin != nil && len(specs) > 1 {
		return nil, false, errors.New("one standard input for several tasks")
	}
	l := ledger.Submission{Dir: s.dir, Parent: parentIn(c.root), Redact: c.settings.Redact}
	if l.Dir == "" {
		if l.Dir, err = os.Getwd(); err != nil {
			return nil, false, err
		}
	}
	if s.env == nil {
		s.env = os.Environ()
	}
	l.Env = ledger.EncodeEnv(s.env)
	if specs[0].Spec.Type == taskspec.KindFunction {
		l.Item, err = functionItem(s.stdin, c.settings.MaxMessage)
	} else {
		l.Item, l.Input, err = spool(c.dir, s.stdin)
	}
	if err != nil {
		return nil, false, err
	}
	for _, spec := range specs {
		if err := checkCall(ctx, c, spec, l.Item); err != nil {
			return nil, false, err
		}
	}
	all := make([]ledger.Submission, len(specs))
	for i, spec := range specs {
		all[i] = l
		all[i].Spec = spec
		if spec.Spec.Type == taskspec.KindFunction {
			all[i].Env = ledger.EncodeEnv(named(s.env, spec.Spec.EnvFrom))
		}
	}
	var tids []string
	err = c.broker.Update(ctx, func(tx *broker.Tx) (err error) {
		tids, managed, err = ledger.SubmitAll(tx, all, time.Now())
		return err
	})
	if err != nil {
		if l.Input != "" {
			err = errors.Join(err, os.Remove(ledger.InputFile(c.dir, l.Input)))
		}
		return nil, false, err
	}
	for _, tid := range tids {
		tasks = append(tasks, &Task{c: c, tid: tid})
	}
	return tasks, managed, nil
}

// canRun says whether this program can start a manager, before anything is
// submitted that nobody would run.
func canRun() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("run tasks: %w on %s yet", errors.ErrUnsupported, runtime.GOOS)
	}
	_, err := executable()
	return err
}

// parentIn is the task that this process runs in, if that is one of the project
// at root.
func parentIn(root string) string {
	if os.Getenv(ledger.EnvContext) != root {
		return ""
	}
	return os.Getenv(ledger.EnvTID)
}

// inlineInput is the largest standard input that is put into the message
// itself; a larger one, or one that is not text, goes into a file.
const inlineInput = 64 << 10

// named are the variables of an environment with these names: a function gets no
// others of its submitter.
func named(env, names []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}

// functionItem is the work item that r holds for a function: text or JSON, which
// must fit a message of so many bytes.
func functionItem(r io.Reader, most int) (string, error) {
	if r == nil {
		return noInput, nil
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read standard input: %w", err)
	case len(text) > most:
		return "", fmt.Errorf("input of a function: %w", broker.ErrTooLarge)
	case !utf8.Valid(text):
		return "", fmt.Errorf("input of a function: %w", broker.ErrBody)
	case len(bytes.TrimSpace(text)) == 0:
		return noInput, nil
	}
	return string(text), nil
}

// spool reads the standard input of a task and returns its work item, or the
// name of the file in the project's folder dir that holds the input.
func spool(dir string, r io.Reader) (item, input string, err error) {
	if r == nil {
		return noInput, "", nil
	}
	head, err := io.ReadAll(io.LimitReader(r, inlineInput+1))
	if err != nil {
		return "", "", fmt.Errorf("read standard input: %w", err)
	}
	if len(head) <= inlineInput && utf8.Valid(head) {
		item, err := stdinItem(head)
		return item, "", err
	}
	name := make([]byte, 16)
	rand.Read(name)
	input = hex.EncodeToString(name)
	f, err := os.OpenFile(ledger.InputFile(dir, input), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("spool standard input: %w", err)
	}
	_, err = io.Copy(f, io.MultiReader(bytes.NewReader(head), r))
	if err == nil {
		err = f.Sync() // it must be there when the task is
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", errors.Join(fmt.Errorf("spool standard input: %w", err), os.Remove(f.Name()))
	}
	return noInput, input, nil
}
