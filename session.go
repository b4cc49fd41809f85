package weft

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/tty"
	"weft/taskspec"
)

// A Session is a connection to the terminal of a running task: get one from
// [Project.OpenSession] or [Task.Attach]. Its methods may be called by several goroutines.
//
// What is written goes to the task's consumer and nowhere else: no key that is
// pressed is stored. What the task prints is kept like every task's output; a
// terminal has one stream, so there is no standard error beside it.
type Session struct {
	t      *Task
	conn   *tty.Conn
	out    *io.PipeReader
	detach context.CancelCauseFunc
	ended  chan struct{} // closed when serve has returned
}

// errDetached is why a session that was closed ends.
var errDetached = fmt.Errorf("detached: %w", io.ErrClosedPipe)

// OpenSession submits a task with a terminal and attaches to it from its
// beginning: spec must say tty. The size of the terminal in the beginning is
// what the variables LINES and COLUMNS of the task's environment say, else 24
// by 80; [Session.Resize] changes it. The errors are those of
// [Project.SubmitContext] and [Task.Attach]; a task that was accepted goes on,
// whatever comes after that, and [Project.Task] finds it.
//
// Cancelling ctx ends the session, not the task.
func (p *Project) OpenSession(ctx context.Context, spec *taskspec.Spec, opts ...SubmitOptions) (*Session, error) {
	if !spec.TTY {
		return nil, fmt.Errorf("open session: %w", ErrNoTerminal)
	}
	t, err := p.SubmitContext(ctx, spec, opts...)
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	s, err := t.Attach(ctx, AttachOptions{FromStart: true})
	if errors.Is(err, ErrNotRunning) {
		return newSession(ctx, t, nil, 0), nil // it was over at once; its output is kept
	}
	return s, err
}

// newSession returns a session on conn, which it owns, that lasts until ctx
// ends. Without conn it has what is kept of the output.
func newSession(ctx context.Context, t *Task, conn *tty.Conn, epoch int) *Session {
	ctx, detach := context.WithCancelCause(ctx)
	out, in := io.Pipe()
	s := &Session{t: t, conn: conn, out: out, detach: detach, ended: make(chan struct{})}
	// A goroutine that waits for a frame, or for a reader, is woken.
	undo := context.AfterFunc(ctx, func() {
		if conn != nil {
			conn.Close()
		}
		in.CloseWithError(context.Cause(ctx))
	})
	go func() {
		defer close(s.ended)
		defer undo()
		in.CloseWithError(s.serve(ctx, in, epoch)) // nil is the end of file
		if conn != nil {
			conn.Close()
		}
	}()
	return s
}

// serve copies to w what the task prints, until it has ended. Of a task whose
// consumer has not said that this was all, the rest is where it is kept.
func (s *Session) serve(ctx context.Context, w io.Writer, epoch int) error {
	seen := int64(0)
	for s.conn != nil {
		f, err := s.conn.Receive()
		if err != nil {
			break
		}
		if f.Kind == tty.End {
			return nil
		}
		if len(f.Data) > 0 { // writing nothing would wait for a reader as well
			if _, err := w.Write(f.Data); err != nil {
				return err
			}
		}
		seen = f.Offset
	}
	l, err := awaitTask(ctx, s.t, func(l *ledger.Task) error {
		if epoch != 0 && l.Epoch != epoch {
			return io.EOF // it was retried: this attempt has ended
		}
		return nil
	})
	if err != nil {
		return err
	}
	out := newStreams(s.t, w, nil)
	defer out.close()
	out.read.skip(epoch, [2]int64{seen, 0})
	return out.finish(ctx, l)
}

// Task is the task of the session.
func (s *Session) Task() *Task { return s.t }

// Read reads what the task prints. [io.EOF] says that the task has ended and
// that this was all. After the end of the session's context it returns the
// cause of that, and after Close an error that wraps [io.ErrClosedPipe].
func (s *Session) Read(p []byte) (int, error) { return s.out.Read(p) }

// Write types p. The terminal treats it as it does what a person types: "\x03",
// Ctrl-C, interrupts the program in front, "\x04", Ctrl-D, at the beginning of a
// line is the end of its input. It waits while the program reads nothing. An
// error wraps [io.ErrClosedPipe] after the end of the task or of the session.
func (s *Session) Write(p []byte) (int, error) {
	if err := s.send(tty.Frame{Kind: tty.Input, Data: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Resize gives the terminal another size, in characters. An error wraps
// [io.ErrClosedPipe] after the end of the task or of the session.
func (s *Session) Resize(rows, cols uint16) error {
	return s.send(tty.Frame{Kind: tty.Resize, Size: tty.Size{Rows: rows, Cols: cols}})
}

func (s *Session) send(f tty.Frame) error {
	if s.conn == nil {
		return fmt.Errorf("session of task %s: %w: it has ended", s.t.tid, io.ErrClosedPipe)
	}
	if err := s.conn.Send(f); err != nil {
		return fmt.Errorf("session of task %s: %w: %w", s.t.tid, io.ErrClosedPipe, err)
	}
	return nil
}

// Wait waits until the task has ended, as [Task.Wait] does. The caller should
// read from the session meanwhile.
func (s *Session) Wait(ctx context.Context) (*TaskStatus, error) { return s.t.Wait(ctx) }

// Close detaches: the session ends and the task goes on. To end the task, use
// [Task.Stop]. Closing twice is no error.
func (s *Session) Close() error {
	s.detach(errDetached)
	<-s.ended
	return nil
}

// AttachOptions say how to attach to a task. The zero value is the default.
type AttachOptions struct {
	// FromStart makes the session's output begin with the first that the task has
	// printed. Without it a session begins with the latest lines of the output, at
	// most 64 KiB, or, if the program fills the screen, as vim does, with having it
	// drawn anew.
	FromStart bool
	// Rows and Cols are the size of the task's terminal, in characters; 0 keeps the
	// size that it has.
	Rows, Cols uint16
}

// Attach connects to the terminal of a task, and waits until it runs if it does
// not yet. Several sessions may be attached to a task: all see the same, what
// any of them writes the program reads, and the size is the one that was set
// last.
//
// Errors wrap [ErrNoTerminal], [ErrNotRunning] if the task has ended, or
// [errors.ErrUnsupported] where there are no tasks. Cancelling ctx ends the wait,
// and later the session.
func (t *Task) Attach(ctx context.Context, opts ...AttachOptions) (*Session, error) {
	o := last(opts)
	hello := tty.NewHello(tty.Recent, tty.Size{Rows: o.Rows, Cols: o.Cols})
	if o.FromStart {
		hello.Offset = 0
	}
	if err := t.project.foreign; err != nil {
		return nil, fmt.Errorf("attach to task %s: %w", t.tid, err)
	}
	conn, epoch, err := dial(ctx, t)
	if err == nil {
		if err = conn.Send(hello); err != nil {
			conn.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("attach to task %s: %w", t.tid, err)
	}
	return newSession(ctx, t, conn, epoch), nil
}

// dial waits until the task runs and connects to it.
func dial(ctx context.Context, t *Task) (conn *tty.Conn, epoch int, err error) {
	_, err = awaitTask(ctx, t, func(l *ledger.Task) error {
		switch {
		case l.Status.Terminal():
			return fmt.Errorf("%w: it %s", ErrNotRunning, l.Status)
		case l.Status != taskspec.StatusRunning:
			return nil
		case !hasTerminal(l):
			return ErrNoTerminal
		}
		c, err := tty.Dial(t.project.dir, t.tid, l.Epoch)
		switch {
		case tty.NotListening(err):
			return nil // not yet: its consumer notifies when it listens
		case err != nil:
			return err
		}
		conn, epoch = c, l.Epoch
		return errFound
	})
	return conn, epoch, err
}

// hasTerminal reports whether a task that runs has a terminal.
func hasTerminal(l *ledger.Task) bool {
	work, err := l.Work()
	return err == nil && work.TTY
}

// input is a message to an interactive task: see [Task.SendInput].
type input struct {
	Stdin     taskspec.RawString `json:"stdin,omitempty"`
	Close     bool               `json:"close,omitempty"`
	Interrupt bool               `json:"interrupt,omitempty"`
}

// SendInput gives an interactive task p to read from its standard input, as it
// is: a line ends where p has a newline. It is durable when SendInput returns,
// in the task's inbox, and gone when the task has it, or has ended; a task that
// has not begun reads it when it does. At most 7 MiB go at once.
//
// A body written to the inbox by other means is a line by itself, or an object
// {"stdin": text, "close": true}, where text that is not UTF-8 is {"base64": "…"}.
//
// Errors wrap [ErrNotRunning] if the task has ended, or [ErrNotInteractive].
// Cancelling ctx withdraws what has not been accepted.
func (t *Task) SendInput(ctx context.Context, p []byte) error {
	return send(ctx, t, input{Stdin: taskspec.RawString(p)})
}

// CloseInput ends the standard input of an interactive task, after what was sent
// before; at a terminal it presses Ctrl-D. Else it is like [Task.SendInput].
func (t *Task) CloseInput(ctx context.Context) error { return send(ctx, t, input{Close: true}) }

func send(ctx context.Context, t *Task, in input) error {
	body, err := json.Marshal(in)
	if err == nil {
		err = t.project.broker.Update(ctx, func(tx *broker.Tx) error { return ledger.WriteStdin(tx, t.tid, string(body)) })
	}
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoTask
	}
	if err != nil {
		return fmt.Errorf("send input to task %s: %w", t.tid, err)
	}
	return nil
}
