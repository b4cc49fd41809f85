package runner

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"weft/broker"
	"weft/internal/ledger"
)

// messagesPerRead is how many messages of an inbox are taken by one transaction.
// What is taken and not read yet when the task ends is gone.
const messagesPerRead = 16

// A stdinWriter writes to a command what it is to read: first the input that the
// task was submitted with, then, if it is interactive, what comes into its
// inbox. It waits while the command reads nothing.
type stdinWriter struct {
	first     *os.File // nil: the task was submitted without
	dst       *os.File
	terminal  bool          // to is one
	lines     bool          // the task is interactive
	interrupt chan struct{} // SIGINT is to be sent
	copying   sync.WaitGroup
	cancel    context.CancelFunc
}

// The keys of a terminal that stand for what cannot be written to it.
const (
	keyInterrupt = "\x03"
	keyEnd       = "\x04" // at the beginning of a line
)

// newStdinWriter returns what feeds the command, or nil if nothing is to be fed.
// childs are the command's own, as in openPipes.
func newStdinWriter(a *Assignment, terminal *terminal) (f *stdinWriter, child *os.File, err error) {
	f = &stdinWriter{lines: a.Interactive, interrupt: make(chan struct{}), cancel: func() {}}
	if f.first, err = stdinFile(a); err != nil {
		// Not wrapped: refused would take a missing file for the command's.
		return nil, nil, fmt.Errorf("standard input: %v", err)
	}
	switch {
	case f.first == nil && !f.lines:
		return nil, nil, nil
	case terminal != nil:
		f.dst, f.terminal = terminal.master, true
	default:
		child, f.dst, err = os.Pipe()
	}
	return f, child, err
}

// start begins to feed; inbox hands over one message after another until ctx
// ends.
func (f *stdinWriter) start(inbox func(ctx context.Context, take func(body string))) {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.copying.Go(func() {
		if f.first != nil {
			_, _ = io.Copy(f.dst, f.first) // it may want less
		}
		if !f.lines {
			f.closeInput() // it is known how much there is
			return
		}
		inbox(ctx, func(body string) { f.write(ctx, parseStdinMessage(body)) })
	})
}

// write feeds one entry. Of one that comes after the end, or to a command that
// reads no more, only the interrupt is left.
func (f *stdinWriter) write(ctx context.Context, e stdinMessage) {
	_, _ = f.dst.Write(e.text)
	switch {
	case e.interrupt && f.terminal:
		_, _ = f.dst.WriteString(keyInterrupt)
	case e.interrupt:
		select {
		case f.interrupt <- struct{}{}:
		case <-ctx.Done():
		}
	}
	if e.end {
		f.closeInput()
	}
}

// closeInput is the end of what the command is to read.
func (f *stdinWriter) closeInput() {
	if f.terminal {
		_, _ = f.dst.WriteString(keyEnd)
		return
	}
	f.dst.Close()
}

// stop ends the feeding, after the end of the command.
func (f *stdinWriter) stop() {
	f.cancel()
	f.dst.Close()
	f.copying.Wait()
	if f.first != nil {
		f.first.Close()
	}
}

// inbox hands over the messages in the task's inbox, as they come, until ctx
// ends.
func (a *storeJournal) inbox(ctx context.Context, take func(body string)) {
	// What fails here is tried again for as long as the task runs.
	_ = a.retry(ctx.Done(), func(b *broker.Broker) error {
		q := b.Queue(ledger.QueuesOf(a.task.TID).Inbox)
		w, err := b.Listen(q.Name())
		if err != nil {
			return err
		}
		defer w.Close()
		for {
			ms, err := q.ReadAll(ctx, broker.Select{Limit: messagesPerRead})
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			for _, m := range ms {
				take(m.Body)
			}
			if len(ms) == 0 && w.Wait(ctx) != nil {
				return nil
			}
		}
	})
}
