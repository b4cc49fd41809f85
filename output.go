package weft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"time"

	"weft/broker"
	"weft/internal/interleave"
	"weft/internal/ledger"
	"weft/taskspec"
)

// An OutputStream is one of the two streams that a task writes.
type OutputStream string

// The streams.
const (
	StdoutStream OutputStream = "stdout"
	StderrStream OutputStream = "stderr"
)

// outputNames are the streams, as package interleave numbers them.
var outputNames = [2]OutputStream{interleave.Stdout: StdoutStream, interleave.Stderr: StderrStream}

// OutputOptions say what [Project.ReadOutput] reads. The zero value is what the tasks have
// printed by now, all of it.
type OutputOptions struct {
	// Follow waits for what is still to come, until all the tasks have ended.
	Follow bool
	// Stream is the only stream to be read; empty means both.
	Stream OutputStream
	// Lines has each piece be a line with its end. A line of more than 64 KiB is several
	// pieces, and one without its end is a piece when nothing follows for now. Tail and
	// Match imply it.
	Lines bool
	// Tail leaves out all but the last so many lines of each task, of what is there at the
	// beginning; 0 means all.
	Tail int
	// Match leaves out the lines that it does not match. The last line of a task that runs
	// is left for the next reader while it has no end.
	Match *regexp.Regexp
	// Since leaves out what was read from the task before.
	Since time.Time
	// Attempt, if it is not 0, is the only attempt to be read, counted from 1: see
	// [Task.AttemptOutput].
	Attempt int
	// Cursor, if it is not empty, is where to begin, as the [OutputPiece] of an earlier
	// call tells. It is for one task that is no pipeline.
	Cursor string
	// MaxBytes ends the reading after so many bytes; 0 means all.
	MaxBytes int64
}

// An OutputPiece is a part of what a task has printed.
type OutputPiece struct {
	Task   *Task  // of a pipeline, the stage
	Name   string // of the task, or of the stage
	Stream OutputStream
	// Time is when the first of it was read from the task. Times are not finer than a second
	// as long as one stream is written.
	Time time.Time
	// Data is valid until the next piece.
	Data []byte
	// Cursor is the place behind it.
	Cursor string
	// Status is set in the last piece of each task, which has no data: how it stands then.
	Status *TaskStatus
}

// ErrCursor is returned for a cursor that is none, or not one of the task.
var ErrCursor = errors.New("it is no cursor of this task's output")

// ReadOutput yields what tasks have printed: of each task both streams in the order in which
// they were read from it, whether it runs or has ended, and whether or not its result has
// been consumed; of a pipeline all its stages. Following, it yields the pieces of
// all the tasks as they come, and of a task with a retry policy one attempt after the other;
// it starts a manager whenever the project has none. Memory does not grow with
// the output.
//
// An error ends the iteration: [ErrNoTask], [ErrCursor], [ErrNoOutput], [ErrOutputChanged], or
// the cause of the end of ctx, which leaves the tasks alone.
func (p *Project) ReadOutput(ctx context.Context, tasks []*Task, o OutputOptions) iter.Seq2[*OutputPiece, error] {
	return func(yield func(*OutputPiece, error) bool) {
		r := outputReader{project: p, o: o, yield: func(piece *OutputPiece) bool { return yield(piece, nil) }, left: o.MaxBytes}
		if err := r.run(ctx, tasks); err != nil && !errors.Is(err, errFound) {
			yield(nil, fmt.Errorf("read output: %w", err))
		}
	}
}

// An outputReader is the state of [Project.ReadOutput].
type outputReader struct {
	project *Project
	o       OutputOptions
	yield   func(*OutputPiece) bool
	sources []*outputSource
	left    int64 // of MaxBytes
}

// run reads until there is no more. It returns errFound if the caller wants no more.
func (r *outputReader) run(ctx context.Context, tasks []*Task) error {
	var outboxes []string
	for _, t := range tasks {
		outboxes = append(outboxes, ledger.OutboxOf(t.tid))
		r.add(t, "")
	}
	w, err := r.project.broker.Listen(outboxes...)
	if err != nil {
		return err
	}
	defer w.Close()
	if r.o.Cursor != "" {
		if len(tasks) != 1 {
			return fmt.Errorf("%w: it is for one task", ErrCursor)
		}
		if err := r.sources[0].resume(r.o.Cursor); err != nil {
			return err
		}
	}
	defer func() {
		for _, s := range r.sources {
			s.read.close()
		}
	}()
	for watch := newWatch(r.project); ; {
		open := false
		for i := 0; i < len(r.sources); i++ { // a pipeline adds its stages
			s := r.sources[i]
			if err := r.advance(ctx, s, w); err != nil {
				return err
			}
			open = open || !s.over
		}
		if !open {
			return nil
		}
		if err := watch.poll(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrManager, err)
		}
		if err := waitFor(ctx, w, managerPoll); err != nil {
			return err
		}
	}
}

func (r *outputReader) add(t *Task, name string) {
	s := &outputSource{r: r, t: t, name: name, read: attemptOutput{t: t}}
	if r.o.Lines || r.o.Tail > 0 || r.o.Match != nil {
		s.lines = &interleave.Lines{Match: r.o.Match, Tail: r.o.Tail, Pass: s.pass, Skip: func(stream, n int) { s.at[stream] += int64(n) }}
	}
	r.sources = append(r.sources, s)
}

// advance reads what there is of a task by now.
func (r *outputReader) advance(ctx context.Context, s *outputSource, w *broker.Waiter) error {
	if s.over {
		return nil
	}
	l, err := loadTask(ctx, s.t)
	if err != nil {
		return err
	}
	if s.name == "" {
		s.name = l.Name
	}
	if l.Kind() == ledger.Pipeline {
		if l.Plan != nil {
			for _, stage := range l.Plan.Stages[min(s.stages, len(l.Plan.Stages)):] {
				if stage.TID == "" {
					break
				}
				s.stages++
				if err := w.Add(ledger.OutboxOf(stage.TID)); err != nil {
					return err
				}
				r.add(&Task{project: r.project, tid: stage.TID}, stage.Name)
			}
		}
		if l.Status.Terminal() || !r.o.Follow {
			s.over = true
			return s.emit(&OutputPiece{Status: newStatus(l)})
		}
		return nil
	}
	if n := r.o.Attempt; n != 0 && n != l.Epoch {
		if l, err = pastAttempt(ctx, s.t, n); err == nil {
			err = s.ended(ctx, l)
		}
	} else {
		err = s.attempts(ctx, l)
	}
	if err != nil {
		return err
	}
	if !l.Status.Terminal() && !r.o.Follow {
		// It may have ended before its files were opened, and these be gone.
		if l, err = loadTask(ctx, s.t); err == nil && l.Status.Terminal() {
			err = s.attempts(ctx, l)
		}
		if err != nil {
			return err
		}
	}
	if !l.Status.Terminal() && r.o.Follow {
		return s.caughtUp(false)
	}
	s.over = true
	if err := s.caughtUp(r.o.Match == nil || l.Status.Terminal()); err != nil {
		return err
	}
	return s.emit(&OutputPiece{Status: newStatus(l)})
}

// An outputSource is one task of which the output is read.
type outputSource struct {
	r      *outputReader
	t      *Task
	name   string
	read   attemptOutput
	lines  *interleave.Lines // nil: the pieces are passed on as they are
	at     [2]int64          // how far it has been passed on
	done   int               // the attempt that was read to its end
	stages int               // of a pipeline, that are read
	over   bool
}

// resume begins at a cursor: the attempt, and how far each stream was read.
func (s *outputSource) resume(cursor string) error {
	var epoch int
	var off [2]int64
	n, err := fmt.Sscanf(cursor+"\n", "%d.%d.%d\n", &epoch, &off[0], &off[1])
	if err != nil || n != 3 || epoch < 0 || off[0] < 0 || off[1] < 0 {
		return fmt.Errorf("%w: %q", ErrCursor, cursor)
	}
	if epoch > 0 {
		s.read.skip(epoch, off)
		s.at = off
	}
	return nil
}

func (s *outputSource) cursor() string {
	return fmt.Sprintf("%d.%d.%d", s.read.epoch, s.at[0], s.at[1])
}

// attempts reads the attempt that is the last, after the rest of one that it has followed.
func (s *outputSource) attempts(ctx context.Context, l *ledger.Task) error {
	last := l.Epoch
	if last > 0 && l.Status == taskspec.StatusCreated && s.read.epoch == 0 {
		s.read.begin(last) // it is to be tried again: show what was tried last
	}
	if s.read.epoch > last {
		return fmt.Errorf("%w: %q", ErrCursor, s.cursor())
	}
	if epoch := s.read.epoch; epoch != 0 && (epoch < last || l.Status == taskspec.StatusCreated) && epoch != s.done {
		past, err := pastAttempt(ctx, s.t, epoch)
		if err == nil {
			err = s.ended(ctx, past)
		} else if errors.Is(err, ErrNoAttempt) {
			err = nil // it is not kept any more
		}
		if err != nil {
			return err
		}
		s.done = epoch
		if err := s.caughtUp(true); err != nil {
			return err
		}
	}
	switch {
	case l.Status == taskspec.StatusCreated || last == 0:
		return nil
	case s.read.epoch != last:
		s.at = [2]int64{}
	}
	if l.Status.Terminal() {
		return s.ended(ctx, l)
	}
	return s.read.running(l, s.piece)
}

// ended reads an attempt that has ended.
func (s *outputSource) ended(ctx context.Context, l *ledger.Task) error {
	only := s.r.o.Stream
	err := s.read.ended(ctx, l, [2]bool{only != StderrStream, only != StdoutStream}, keptMessage, s.piece)
	if errors.Is(err, ErrNoOutput) && l.Output.Form != ledger.FormFile {
		return nil // it came with a dump, which holds none
	}
	return err
}

// keptMessage is [resultMessage], also after the result has been taken.
func keptMessage(ctx context.Context, t *Task, l *ledger.Task) (body string, err error) {
	if l.Output.Size == 0 && l.Output.Form == ledger.FormText {
		return "", nil
	}
	found := false
	err = t.project.broker.View(ctx, func(r broker.Reader) (err error) {
		body, found, err = ledger.KeptOutput(r, l)
		return err
	})
	if err == nil && !found {
		err = ErrNoOutput
	}
	if err != nil {
		return "", fmt.Errorf("task %s: %w", t.tid, err)
	}
	return body, nil
}

// piece gets a piece of the task's output.
func (s *outputSource) piece(stream int, data []byte, at time.Time) error {
	o := s.r.o
	name := outputNames[stream]
	if o.Stream != "" && o.Stream != name || at.Before(o.Since) {
		if s.lines == nil || !s.lines.Holds(stream) {
			s.at[stream] += int64(len(data))
			return nil
		}
	}
	if s.lines != nil {
		return s.lines.Add(stream, data, at)
	}
	return s.pass(stream, data, at)
}

// caughtUp is called when all that is there has been read. If all is true, nothing follows
// a line that has begun.
func (s *outputSource) caughtUp(all bool) error {
	if s.lines == nil {
		return nil
	}
	return s.lines.CaughtUp(all)
}

// pass passes on data, or as much of it as the caller wants at most.
func (s *outputSource) pass(stream int, data []byte, at time.Time) error {
	r := s.r
	if r.o.MaxBytes > 0 {
		data = data[:min(int64(len(data)), r.left)]
		r.left -= int64(len(data))
	}
	s.at[stream] += int64(len(data))
	if err := s.emit(&OutputPiece{Stream: outputNames[stream], Time: at, Data: data}); err != nil {
		return err
	}
	if r.o.MaxBytes > 0 && r.left == 0 {
		st, err := s.t.Status(context.Background())
		if err == nil {
			err = s.emit(&OutputPiece{Status: st})
		}
		if err == nil {
			err = errFound
		}
		return err
	}
	return nil
}

func (s *outputSource) emit(p *OutputPiece) error {
	p.Task, p.Name, p.Cursor = s.t, s.name, s.cursor()
	if !s.r.yield(p) {
		return errFound
	}
	return nil
}

// streams copies both streams of a task, in the order in which they were written.
type streams struct {
	t    *Task
	last bool // only of an attempt that no other may follow
	to   [2]io.Writer
	read attemptOutput
}

// newStreams returns a copier to stdout and stderr, either of which may be nil. The
// caller closes it.
func newStreams(t *Task, stdout, stderr io.Writer) *streams {
	return &streams{t: t, to: [2]io.Writer{stdout, stderr}, read: attemptOutput{t: t}}
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
	return o.read.running(l, o.write)
}

// finish writes the rest of what a task has printed that has ended. What one of the
// streams lacks does not keep the other back.
func (o *streams) finish(ctx context.Context, l *ledger.Task) error {
	if l.Output.Form == ledger.FormNone {
		return nil
	}
	return o.read.ended(ctx, l, [2]bool{o.to[0] != nil, o.to[1] != nil}, resultMessage, o.write)
}

func (o *streams) write(stream int, data []byte, _ time.Time) error {
	if o.to[stream] == nil {
		return nil
	}
	_, err := o.to[stream].Write(data)
	return err
}

func (o *streams) close() { o.read.close() }

// AttemptOutput writes what an attempt at a task, counted from 1, has written so far
// to stdout and stderr, either of which may be nil, and says how that attempt
// stands, or ended. It consumes nothing and waits for nothing.
//
// Of the attempts that a task's retry policy has followed by others, the latest
// ten are kept as long as the task is known. Errors wrap
// [ErrNoAttempt], [ErrNoOutput], and those of [Task.OutputSoFar].
func (t *Task) AttemptOutput(ctx context.Context, attempt int, stdout io.Writer, stderr io.Writer) (*TaskStatus, error) {
	l, err := loadTask(ctx, t)
	if err != nil {
		return nil, err
	}
	past, err := pastAttempt(ctx, t, attempt)
	switch {
	case err == nil:
		out := newStreams(t, stdout, stderr)
		defer out.close()
		return newStatus(past), out.finish(ctx, past)
	case errors.Is(err, ErrNoAttempt) && attempt > 0 && attempt == l.Epoch:
		return t.OutputSoFar(ctx, stdout, stderr)
	}
	return nil, err
}

// pastAttempt is the task as it was at the end of an attempt that was followed by another.
func pastAttempt(ctx context.Context, t *Task, attempt int) (*ledger.Task, error) {
	past, err := broker.View(ctx, t.project.broker, func(r broker.Reader) (*ledger.Task, error) {
		return ledger.PastAttempt(r, t.tid, attempt)
	})
	if errors.Is(err, broker.ErrNotFound) {
		err = fmt.Errorf("task %s: %w: %d", t.tid, ErrNoAttempt, attempt)
	}
	return past, err
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
