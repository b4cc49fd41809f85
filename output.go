package weft

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// streams copies both streams of a task.
type streams struct {
	t            *Task
	last         bool // only of an attempt that no other may follow
	stdout, errs follower
}

// newStreams returns copiers to stdout and stderr, either of which may be nil. The
// caller closes them.
func newStreams(t *Task, stdout, stderr io.Writer) *streams {
	return &streams{
		t:      t,
		stdout: follower{project: t.project, tid: t.tid, stream: ledger.Stdout, w: stdout},
		errs:   follower{project: t.project, tid: t.tid, stream: ledger.Stderr, w: stderr},
	}
}

// copy writes what a task that runs has printed since the last time. The error is
// errPipeline for a pipeline, which prints through its stages.
func (o *streams) copy(l *ledger.Task) error {
	if l.Kind() == ledger.Pipeline {
		return errPipeline
	}
	if l.Status.Terminal() || o.last && ledger.MayRetry(l) {
		return nil // finish writes the rest
	}
	// What of standard error is there before standard output is read was not written
	// before what is read then; the rest comes the next time.
	size, err := o.errs.size(l.Epoch)
	if err != nil {
		return err
	}
	if err := o.stdout.copy(l.Epoch, math.MaxInt64); err != nil || size == 0 {
		return err
	}
	return o.errs.copy(l.Epoch, size)
}

// finish writes the rest of what a task has printed that has ended: standard output
// first, but for the value of a function, which comes when all has been said. What
// one of the streams lacks does not keep the other back.
func (o *streams) finish(ctx context.Context, l *ledger.Task) error {
	if l.Output.Form == ledger.FormNone {
		return nil
	}
	stdout := func() error {
		whole := func() ([]byte, error) { return output(ctx, o.t, l) }
		return o.stdout.finish(ctx, l, whole, l.Output.Form == ledger.FormFile)
	}
	stderr := func() error {
		whole := func() ([]byte, error) { return l.Output.Stderr, nil }
		return o.errs.finish(ctx, l, whole, l.Output.StderrTruncated())
	}
	if l.Output.StderrSize > 0 && isFunction(l) {
		stdout, stderr = stderr, stdout
	}
	first, second := stdout(), stderr()
	return cmp.Or(first, second)
}

// isFunction reports whether a task that has begun calls a function.
func isFunction(l *ledger.Task) bool {
	work, err := l.Work()
	return err == nil && work.Type == taskspec.KindFunction
}

func (o *streams) close() {
	o.stdout.close()
	o.errs.close()
}

// A follower copies one stream of a task while the task writes it. While the
// task runs, the stream is in a file, once it is long or lively; when the task
// has ended it is there, or in the result.
type follower struct {
	project *Project
	tid     string
	stream  ledger.Stream
	w       io.Writer // may be nil

	file   *os.File
	epoch  int // whose file it is
	copied int64
	digest hash.Hash // of what was copied; nil before the first
}

// size is how much of the stream there is by now.
func (f *follower) size(epoch int) (int64, error) {
	if f.w == nil || f.open(epoch) != nil || f.file == nil {
		return 0, nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("follow task %s: %w", f.tid, err)
	}
	return info.Size(), nil
}

// copy writes what has come since the last time, up to so much of the stream. That a
// file is there and cannot be opened is said when the task has ended.
func (f *follower) copy(epoch int, size int64) error {
	if f.w == nil || f.open(epoch) != nil || f.file == nil {
		return nil
	}
	n, err := io.Copy(io.MultiWriter(f.w, f.digest), io.LimitReader(f.file, size-f.copied))
	f.copied += n
	return err
}

// open opens the file of an attempt, if there is one, unless it is open.
func (f *follower) open(epoch int) error {
	if f.file != nil && f.epoch == epoch {
		return nil
	}
	f.close() // the task was retried
	f.file, f.copied = nil, 0
	path := ledger.OutputFile(f.project.dir, f.tid, epoch, f.stream)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // of most tasks, which is found out at less cost
	}
	file, err := project.OpenOutput(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("follow task %s: %w", f.tid, err)
	}
	f.file, f.epoch, f.digest = file, epoch, sha256.New()
	return nil
}

// finish writes the rest of the stream of a task that has ended: from its file
// if it stays there, else from what whole returns.
func (f *follower) finish(ctx context.Context, l *ledger.Task, whole func() ([]byte, error), inFile bool) error {
	if f.w == nil {
		return nil
	}
	if inFile {
		return f.finishFile(ctx, l)
	}
	all, err := whole()
	if err != nil {
		return err
	}
	if f.epoch != l.Epoch {
		f.copied = 0
	}
	_, err = f.w.Write(all[min(f.copied, int64(len(all))):])
	return err
}

// finishFile writes the rest of a file, and returns [ErrOutputChanged] if that is not what
// the task has written.
func (f *follower) finishFile(ctx context.Context, l *ledger.Task) error {
	size, digest := l.Output.Size, l.Output.Digest
	if f.stream == ledger.Stderr {
		size, digest = l.Output.StderrSize, ""
	}
	if err := f.open(l.Epoch); err != nil {
		return err
	}
	if f.file == nil {
		return f.missing(ctx, l)
	}
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("follow task %s: %w", f.tid, err)
	}
	if info.Size() > size { // and perhaps without end
		return f.changed()
	}
	if err := f.copy(l.Epoch, math.MaxInt64); err != nil {
		return err
	}
	if digest != "" && hex.EncodeToString(f.digest.Sum(nil)) != digest {
		return f.changed()
	}
	return nil
}

func (f *follower) changed() error {
	return fmt.Errorf("task %s: %w: %s", f.tid, ErrOutputChanged, f.file.Name())
}

// missing says why the file of a stream is not there. The message goes before
// the files when a result is taken. What it says of standard error is in the
// record, and good enough where there is no more.
func (f *follower) missing(ctx context.Context, l *ledger.Task) error {
	_, err := resultMessage(ctx, &Task{project: f.project, tid: f.tid}, l)
	switch {
	case err != nil:
		return err
	case f.stream == ledger.Stderr:
		_, err = f.w.Write(l.Output.Stderr)
		return err
	}
	path := ledger.OutputFile(f.project.dir, f.tid, l.Epoch, f.stream)
	return fmt.Errorf("task %s: %w: %s (dumps hold no files)", f.tid, ErrNoOutput, path)
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// AttemptOutput writes what an attempt at a task, counted from 1, has written so far
// to stdout and stderr, either of which may be nil, and says how that attempt
// stands, or ended. It takes nothing.
//
// Of the attempts that a task's retry policy has followed by others, the latest
// ten are kept as long as the task is known. Errors wrap
// [ErrNoAttempt], [ErrNoOutput], and those of [Task.OutputSoFar].
func (t *Task) AttemptOutput(ctx context.Context, attempt int, stdout io.Writer, stderr io.Writer) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	past, err := broker.View(ctx, t.project.broker, func(r broker.Reader) (*ledger.Task, error) {
		return ledger.PastAttempt(r, t.tid, attempt)
	})
	switch {
	case err == nil:
		out := newStreams(t, stdout, stderr)
		defer out.close()
		return newStatus(past), out.finish(ctx, past)
	case !errors.Is(err, broker.ErrNotFound):
		return nil, err
	case attempt > 0 && attempt == l.Epoch:
		return t.OutputSoFar(ctx, stdout, stderr)
	}
	return nil, fmt.Errorf("task %s: %w: %d", t.tid, ErrNoAttempt, attempt)
}

// PastAttempts returns how the attempts at a task ended that its retry policy has
// followed by others, in order: the latest ten, as long as the task is known. Most
// tasks have none.
func (t *Task) PastAttempts(ctx context.Context) (ended []*TaskStatus, err error) {
	past, err := broker.View(ctx, t.project.broker, func(r broker.Reader) ([]*ledger.Task, error) {
		return ledger.PastAttempts(r, t.tid)
	})
	if err != nil {
		return nil, fmt.Errorf("attempts at task %s: %w", t.tid, err)
	}
	for _, l := range past {
		ended = append(ended, newStatus(l))
	}
	return ended, nil
}
