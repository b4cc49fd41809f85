package consumer

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"weft/broker"
	"weft/internal/ledger"
)

// messagesPerRead is how many messages of an inbox one transaction takes. Those that the
// command has not read when the task ends are lost.
const messagesPerRead = 16

// A stdinWriter writes the standard input of a command: first the input that the task was
// submitted with, then, if the task is interactive, the messages in its inbox. It blocks
// while the command does not read.
type stdinWriter struct {
	first    *os.File // nil: the task was submitted without input
	dst      *os.File
	terminal bool           // dst is one
	lines    bool           // the task is interactive
	requests chan<- Request // of the task
	copying  sync.WaitGroup
	cancel   context.CancelFunc
}

// The keys of a terminal for what cannot be written to it as text.
const (
	keyInterrupt = "\x03"
	keyEnd       = "\x04" // at the beginning of a line
)

// newStdinWriter returns the writer for the command's standard input, or nil if there is
// none. child is the command's end.
func newStdinWriter(a *ledger.Assignment, terminal *terminal) (f *stdinWriter, child *os.File, err error) {
	f = &stdinWriter{lines: a.Work.Interactive, cancel: func() {}}
	if f.first, err = stdinFile(a); err != nil {
		// not wrapped: Refused would take a missing file for the command
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

// start starts writing.
func (f *stdinWriter) start(ev taskEvents) {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.requests = cancel, ev.requests
	f.copying.Go(func() {
		if f.first != nil {
			_, _ = io.Copy(f.dst, f.first) // the command may read less
		}
		if !f.lines {
			f.closeInput() // there is no more to come
			return
		}
		ev.inbox(ctx, func(body string) { f.write(ctx, parseStdinMessage(body)) })
	})
}

// write writes one message. After the end of the input, or if the command reads no more,
// only an interrupt has an effect.
func (f *stdinWriter) write(ctx context.Context, e stdinMessage) {
	_, _ = f.dst.Write(e.text)
	switch {
	case e.interrupt && f.terminal:
		_, _ = f.dst.WriteString(keyInterrupt)
	case e.interrupt:
		select {
		case f.requests <- RequestInterrupt:
		case <-ctx.Done():
		}
	}
	if e.end {
		f.closeInput()
	}
}

// closeInput ends the standard input.
func (f *stdinWriter) closeInput() {
	if f.terminal {
		_, _ = f.dst.WriteString(keyEnd)
		return
	}
	f.dst.Close()
}

// stop stops writing, after the end of the command.
func (f *stdinWriter) stop() {
	f.cancel()
	f.dst.Close()
	f.copying.Wait()
	if f.first != nil {
		f.first.Close()
	}
}

// inbox passes the messages in the task's inbox to take as they arrive, until ctx ends.
func (j *storeJournal) inbox(ctx context.Context, take func(body string)) {
	// Errors are retried for as long as the task runs.
	_ = j.retry(ctx.Done(), func(b *broker.Broker) error {
		q := b.Queue(ledger.QueuesOf(j.task.TID).Inbox)
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
