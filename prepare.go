package weft

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// A Prepared task has been checked and has all it needs, and can be submitted:
// get one from [Project.Prepare].
type Prepared struct {
	project *Project
	s       ledger.Submission
}

// Prepare does all of [Project.SubmitContext] that comes before the submission:
// it checks the spec, reads the standard input to its end, and keeps a copy of
// the spec, the directory and the environment as they are now.
//
// A spec without a key gets a unique one, which makes [Prepared.Submit] safe to
// repeat.
//
// The caller must close the Prepared, whether it was submitted or not. A standard input of
// more than 64 KiB, or that is no text, is in a file meanwhile, which
// [System.Tidy] clears away after 24 h. The errors are those of
// [Project.SubmitContext]. Cancelling ctx before the call prevents it; a read
// that has begun goes on to its end.
func (p *Project) Prepare(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOptions) (*Prepared, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("prepare task: %w", err)
	}
	all, err := prepare(ctx, p, []*taskspec.Spec{spec}, last(opts))
	if err != nil {
		return nil, fmt.Errorf("prepare task: %w", err)
	}
	prepared := &Prepared{p, all[0]}
	own, err := copySpec(spec)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare task: %w", err), prepared.Close())
	}
	prepared.s.Spec = own
	if w := &prepared.s.Spec.Work; w.Key == "" {
		w.Key = rand.Text()
	}
	return prepared, nil
}

// Key is the key that the task will hold, or holds: that of its spec, or its
// own.
func (p *Prepared) Key() string { return p.s.Spec.Key }

// Submit asks for the task and returns once that is durable, as
// [Project.SubmitContext] does, with the same errors. However often it is called,
// there is one task: after an error that leaves open what has happened, call it
// again.
func (p *Prepared) Submit(ctx context.Context) (*Task, error) {
	a, err := submitPrepared(ctx, p.project, []ledger.Submission{p.s})
	if err != nil {
		return nil, fmt.Errorf("submit task: %w", err)
	}
	return a.tasks[0], a.awaitManager(ctx)
}

// SubmitTx asks for the task inside a transaction of the caller, so that it is
// there if and only if the rest of what the transaction does is. tx must be of
// the store of the task's project: [Project.Broker]. If it returns an error, a
// *[KeyError] for example, the transaction must be given up.
//
// It starts no manager. When the transaction is committed, call
// [Prepared.Submit], which then returns the same task and starts one if there is
// none; a wait for the task starts one as well.
func (p *Prepared) SubmitTx(tx *broker.Tx) (*Task, error) {
	a, err := enqueue(tx, p.project, []ledger.Submission{p.s})
	if err != nil {
		return nil, fmt.Errorf("submit task: %w", err)
	}
	return a.tasks[0], nil
}

// Close removes the standard input, if it is in a file and the task was not
// submitted. A task that was goes on, and Submit still finds it; one that was not
// cannot be submitted any more.
func (p *Prepared) Close() error {
	if p.s.Input == "" {
		return nil
	}
	kept, err := broker.View(context.Background(), p.project.broker, func(r broker.Reader) (bool, error) {
		return ledger.KeyKeepsInput(r, p.Key(), p.s.Input)
	})
	if err == nil && !kept {
		err = project.RemoveOutput(ledger.InputFile(p.project.dir, p.s.Input))
	}
	if err != nil {
		return fmt.Errorf("drop standard input: %w", err)
	}
	return nil
}

// prepare checks specs and takes in what the options say. It is where a task is
// checked before it is queued, however it is submitted.
func prepare(ctx context.Context, p *Project, specs []*taskspec.Spec, o SubmitOptions) ([]ledger.Submission, error) {
	rules := templateRules()
	for i, spec := range specs {
		if spec == nil {
			return nil, errors.New("there is no spec")
		}
		err := spec.ValidateFor(rules)
		if err != nil && len(specs) > 1 {
			err = fmt.Errorf("task %d of %d: %w", i+1, len(specs), err)
		}
		if err != nil {
			return nil, err
		}
	}
	if o.Stdin != nil && len(specs) > 1 {
		return nil, errors.New("one standard input for several tasks")
	}
	l, err := o.submission(ctx, p, specs[0])
	if err != nil {
		return nil, err
	}
	env := sync.OnceValue(func() string { return snapshotOf(o.environ(p)) })
	all := make([]ledger.Submission, len(specs))
	for i, spec := range specs {
		if err := checkCall(ctx, p, spec, l.Item, true); err != nil {
			return nil, err
		}
		all[i] = l
		all[i].Spec = spec
		switch {
		case spec.Type != taskspec.KindFunction:
			all[i].Env = env()
		case !spec.Inline():
			all[i].Env = snapshotOf(named(o.environ(p), spec.EnvFrom))
		case len(spec.EnvFrom) > 0:
			all[i].Env = ledger.EncodeEnv(named(o.environ(p), spec.EnvFrom))
		}
	}
	return all, nil
}

// checkInbox refuses an input of a task that takes its work item from a queue. An empty
// one is none.
func (o SubmitOptions) checkInbox(spec *taskspec.Spec) error {
	inbox := spec.IO.Inputs["inbox"]
	if inbox == "" || o.Stdin == nil {
		return nil
	}
	n, err := io.ReadFull(o.Stdin, make([]byte, 1))
	switch {
	case n > 0:
		return fmt.Errorf("%w: %s", ErrInputFromQueue, inbox)
	case err != io.EOF:
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// submission takes in what the options say for tasks like this one, if the project may run
// them; the spec and the environment are missing.
func (o SubmitOptions) submission(ctx context.Context, p *Project, spec *taskspec.Spec) (l ledger.Submission, err error) {
	if !p.leaves.Load() {
		err = canRun()
	}
	if err == nil {
		err = p.trust.Observe(ctx)
	}
	if err == nil {
		err = o.checkInbox(spec)
	}
	if err != nil {
		return l, err
	}
	l = ledger.Submission{Dir: o.Dir, Parent: parentIn(ctx, p.root), Redact: p.settings.Redact}
	if l.Dir == "" {
		if l.Dir, err = os.Getwd(); err != nil {
			return l, err
		}
	}
	switch {
	case spec.Type == taskspec.KindFunction:
		l.Item, err = messageItem(o.Stdin, p.settings.MaxMessage, "input of a function")
	case spec.Persistent:
		l.Item, err = commandItem(o.Stdin, p.settings.MaxMessage)
	default:
		l.Item, l.Input, l.InputSum, err = spool(p.dir, o.Stdin)
	}
	return l, err
}

// copySpec returns a copy that shares nothing with a valid spec.
func copySpec(spec *taskspec.Spec) (*taskspec.Spec, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return taskspec.Decode(text)
}

// canRun says whether this program can start a manager, before anything is
// submitted that no process would run.
func canRun() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("run tasks: %w on %s yet", errors.ErrUnsupported, runtime.GOOS)
	}
	_, err := executable()
	return err
}

// parentIn is the task that ctx is of, or else that this process runs in, if that is one of the project
// at root.
func parentIn(ctx context.Context, root string) string {
	if r := function.RunOf(ctx); r != nil && r.Root == root {
		return r.TID
	}
	if os.Getenv(ledger.EnvContext) != root {
		return ""
	}
	return os.Getenv(ledger.EnvTID)
}

// named are the variables of an environment with these names: a function gets no
// others of its submitter.
func named(env, names []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}

// messageItem is the work item that r holds: text or JSON, which must fit a message
// of so many bytes. what says what it is, where it does not.
func messageItem(r io.Reader, most int, what string) (string, error) {
	text, err := messageText(r, most, what)
	switch {
	case err != nil:
		return "", err
	case !utf8.Valid(text):
		return "", fmt.Errorf("%s: %w", what, broker.ErrBody)
	case len(bytes.TrimSpace(text)) == 0:
		return noInput, nil
	}
	return string(text), nil
}

// messageText reads what must fit a message of so many bytes; nil is empty.
func messageText(r io.Reader, most int, what string) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read standard input: %w", err)
	case len(text) > most:
		return nil, fmt.Errorf("%s: %w", what, broker.ErrTooLarge)
	}
	return text, nil
}

// commandItem is the first item of a persistent command, whose standard input r is.
func commandItem(r io.Reader, most int) (string, error) {
	text, err := messageText(r, most, "item of a persistent task")
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return noInput, err
	}
	return stdinItem(text)
}

// spool reads the standard input of a task and returns its work item, or the
// name of the file in the project's folder dir that holds the input, and a hash
// of that.
func spool(dir string, r io.Reader) (item, input, sum string, err error) {
	if r == nil {
		return noInput, "", "", nil
	}
	head, err := io.ReadAll(io.LimitReader(r, ledger.InlineInput+1))
	if err != nil {
		return "", "", "", fmt.Errorf("read standard input: %w", err)
	}
	if len(head) <= ledger.InlineInput && utf8.Valid(head) {
		item, err := stdinItem(head)
		return item, "", "", err
	}
	name := make([]byte, 16)
	rand.Read(name)
	input = hex.EncodeToString(name)
	path := ledger.InputFile(dir, input)
	f, err := project.CreateOutput(path)
	if err != nil {
		return "", "", "", fmt.Errorf("spool standard input: %w", err)
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, hash), io.MultiReader(bytes.NewReader(head), r))
	if err == nil {
		err = project.SyncOutput(path, f) // it must be there when the task is
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", "", "", errors.Join(fmt.Errorf("spool standard input: %w", err), project.RemoveOutput(path))
	}
	return noInput, input, hex.EncodeToString(hash.Sum(nil)), nil
}

// inputIsThere looks for the file of an input, if there is one.
func inputIsThere(dir, input string) error {
	if input == "" {
		return nil
	}
	if err := project.CheckFile(ledger.InputFile(dir, input)); err != nil {
		return fmt.Errorf("find standard input, prepare the task again: %w", err)
	}
	return nil
}
