package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"weft/internal/function"
	"weft/internal/title"
	"weft/taskspec"
)

// causeWait bounds the wait, after a SIGTERM or SIGINT, for the reason from the consumer. Another
// sender gives none.
const causeWait = time.Second

// errSignaled is the cause of a context if another process than the consumer has sent a
// signal.
func errSignaled(s os.Signal) error {
	if s == syscall.SIGINT {
		return errors.New("interrupted by SIGINT")
	}
	return errors.New("terminated by SIGTERM")
}

// ServeCall runs a worker, a process that a consumer has started: it waits for a call of
// one of the functions, performs it, and writes its value to value. It returns when that is
// done, whatever the function has left running, or when the consumer at the other end of
// conn is gone.
func ServeCall(conn io.ReadWriteCloser, value io.WriteCloser, functions *function.Registry) error {
	defer conn.Close()
	defer value.Close()
	link := NewLink[WorkerOrder, WorkerReport](conn)
	if link.Send(WorkerReport{Hello: WorkerProtocol}) != nil {
		return nil
	}
	warmUp()
	o, err := link.Receive()
	if err != nil || o.Work == nil {
		return nil // the consumer got another task and does not need this process
	}
	p := &workerCall{Work: o.Work, link: link, gone: make(chan struct{})}
	f := functions.Get(p.Name)
	a := p.prepare(f)
	if a != nil {
		return link.Send(WorkerReport{Answer: a})
	}
	v, a := p.run(f)
	if a == nil {
		return nil
	}
	if a.How == Returned {
		if _, err := value.Write(v); err != nil {
			return fmt.Errorf("write value: %w", err)
		}
	}
	return link.Send(WorkerReport{Answer: a})
}

// warmUp performs a call of an empty function. What a process does for the first time takes
// three times as long; an idle worker has the time.
func warmUp() {
	order, err := json.Marshal(WorkerOrder{Work: &Work{Protocol: WorkerProtocol, Name: "warm-up"}})
	if err != nil {
		return
	}
	link := NewLink[WorkerOrder, WorkerReport](discardConn{bytes.NewReader(order), io.Discard})
	o, err := link.Receive()
	if err != nil {
		return
	}
	p := &workerCall{Work: o.Work, link: link, gone: make(chan struct{})}
	_, a := p.run(function.New(p.Name, "", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	_ = link.Send(WorkerReport{Answer: a})
}

// A discardConn is a connection whose output is discarded.
type discardConn struct {
	io.Reader
	io.Writer
}

// Close does nothing.
func (discardConn) Close() error { return nil }

// A workerCall is one call of a function.
type workerCall struct {
	*Work
	link *Link[WorkerOrder, WorkerReport]
	gone chan struct{} // closed when the consumer is gone
}

// prepare sets up the process as the task asks for. It returns the answer if that is not
// possible, or nil.
func (p *workerCall) prepare(f *function.Function) *Answer {
	switch {
	case p.Protocol != WorkerProtocol:
		return &Answer{How: Refused, Text: fmt.Sprintf("function %s: its program was built with another version of weft: it has protocol %d, the manager %d: build it anew",
			p.Name, WorkerProtocol, p.Protocol)}
	case f == nil:
		return &Answer{How: Refused, Text: fmt.Sprintf("function %s: its program has no such function any more, or registers it after weft.Init", p.Name)}
	}
	for name, v := range p.Env {
		if err := os.Setenv(name, v); err != nil {
			return &Answer{How: Refused, Text: fmt.Sprintf("function %s: set %s: %v", p.Name, name, err)}
		}
	}
	if err := os.Chdir(p.Dir); err != nil {
		return &Answer{How: NoFolder, Text: fmt.Sprintf("working directory %q: no such directory", p.Dir)}
	}
	if p.Title != "" {
		title.Set(p.Title)
	}
	return nil
}

// run calls the function and returns its value and answer. The answer is nil if the
// consumer is gone.
func (p *workerCall) run(f *function.Function) (value []byte, a *Answer) {
	progress := &progressThrottle{send: func(r WorkerReport) { _ = p.link.Send(r) }}
	ctx, cancel := context.WithCancelCause(function.WithRun(context.Background(), &function.Run{
		TID:      p.TID,
		Log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Progress: progress.note,
	}))
	defer cancel(context.Canceled)
	if p.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, p.Deadline, timeoutCause(p.Timeout))
		defer stop()
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(terminated)
	go watchSignal(ctx, terminated, cancel)
	go p.listen(cancel)

	done := make(chan callResult, 1)
	go invoke(ctx, f.Call, p.Call, func(e callResult) { done <- e })
	select {
	case e := <-done:
		progress.flush()
		return e.value, e.answer
	case <-p.gone:
		return nil, nil
	}
}

// callResult is how a call ended.
type callResult struct {
	value  []byte
	answer *Answer
}

// A caller calls a function: [function.Function.Call], as a rule.
type caller func(context.Context, taskspec.Call) (json.RawMessage, error)

// invoke calls the function, and then done, even if the function panics or ends its
// goroutine.
func invoke(ctx context.Context, call caller, c taskspec.Call, done func(callResult)) {
	e := callResult{answer: &Answer{How: Failed, Text: "function ended its goroutine without returning"}} // runtime.Goexit
	defer func() {
		if v := recover(); v != nil {
			e.answer = &Answer{How: Panicked, Text: fmt.Sprint(v), Stack: string(debug.Stack())}
		}
		done(e)
	}()
	v, err := call(ctx, c)
	e = callResult{v, answer(ctx, err)}
}

// watchSignal ends the context of a function on a signal whose reason the consumer does
// not give.
func watchSignal(ctx context.Context, terminated <-chan os.Signal, cancel context.CancelCauseFunc) {
	var s os.Signal
	select {
	case s = <-terminated:
	case <-ctx.Done():
		return
	}
	timer := time.NewTimer(causeWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		cancel(errSignaled(s))
	case <-ctx.Done():
	}
}

// listen passes on the consumer's orders.
func (p *workerCall) listen(cancel context.CancelCauseFunc) {
	defer close(p.gone)
	for {
		o, err := p.link.Receive()
		if err != nil {
			return
		}
		if o.Cancel != "" {
			cancel(endCause(o.Cancel, p.Timeout))
		}
	}
}

// endCause returns the cause for the end of a function's context, by the given reason. For
// an expired timeout the function sees the same cause, whichever process notices first.
func endCause(reason string, timeout time.Duration) error {
	if reason == taskspec.TimedOut(timeout).Error {
		return timeoutCause(timeout)
	}
	return errors.New(reason)
}

// timeoutCause returns the cause for the end of a context whose timeout has expired.
func timeoutCause(timeout time.Duration) error {
	return fmt.Errorf("%s: %w", taskspec.TimedOut(timeout).Error, context.DeadlineExceeded)
}

// answer returns the answer of a call that returned err.
func answer(ctx context.Context, err error) *Answer {
	if err == nil {
		return &Answer{How: Returned}
	}
	if _, wrong := errors.AsType[*function.ArgumentError](err); wrong {
		return &Answer{How: Refused, Text: err.Error()}
	}
	return &Answer{How: Failed, Text: err.Error(), Overtime: errors.Is(context.Cause(ctx), context.DeadlineExceeded)}
}
