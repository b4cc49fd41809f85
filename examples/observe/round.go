package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft/broker"
)

// refreshAfter bounds the time between two refreshes of a watcher that is always busy, in
// case a notification is lost: the interval of an idle waiter.
const refreshAfter = 5 * time.Second

// A round is a running Watcher.
type round struct {
	w         *Watcher
	handle    func(context.Context, broker.Message) error
	waiter    *broker.Waiter
	control   *source
	sources   []*source // served in turn
	refreshed time.Time // when refresh last ran
}

// A source is a queue that is watched.
type source struct {
	q       *broker.Queue
	after   broker.ID // in mode Peek, the last message that was handled
	empty   bool      // as of the last refresh
	retryAt time.Time // not served before, after the verdict Again
}

func (w *Watcher) source(queue string) *source { return &source{q: w.Broker.Queue(queue)} }

// reserved returns the worker's own queue for messages of queue.
func (w *Watcher) reserved(queue string) string { return w.Worker + "." + queue }

// wants reports whether queue is to be served.
func (w *Watcher) wants(queue string) bool {
	return !w.own(queue) && (slices.Contains(w.Queues, queue) ||
		slices.ContainsFunc(w.Patterns, func(p broker.Pattern) bool { return p.Match(queue) }))
}

// own reports whether queue is one that no pattern selects.
func (w *Watcher) own(queue string) bool {
	return queue == w.Control || w.Mode == Reserve && strings.HasPrefix(queue, w.reserved(""))
}

// refresh finds the existing queues and clears their empty marks.
func (r *round) refresh(ctx context.Context) error {
	r.refreshed = time.Now()
	names, err := r.w.names(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]*source, len(r.sources))
	for _, s := range r.sources {
		known[s.q.Name()] = s
	}
	r.sources = r.sources[:0:0]
	for _, name := range names {
		s := known[name]
		if s == nil {
			// before the queue is read, or a message could arrive in between
			if err := r.waiter.Add(name); err != nil {
				return fmt.Errorf("listen to %q: %w", name, err)
			}
			s = r.w.source(name)
		}
		delete(known, name)
		s.empty = false
		r.sources = append(r.sources, s)
	}
	for name := range known {
		r.waiter.Remove(name)
	}
	return nil
}

// names returns the queues to serve now, each once.
func (w *Watcher) names(ctx context.Context) (names []string, err error) {
	seen := make(map[string]bool)
	add := func(name string) {
		if !seen[name] && !w.own(name) {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, name := range w.Queues {
		add(name)
	}
	for _, p := range w.Patterns {
		for name, err := range w.Broker.Queues(p).Names(ctx) {
			if err != nil {
				return nil, err
			}
			add(name)
		}
	}
	return names, nil
}

// serve delivers messages until there are none, or all remaining queues wait for a retry.
func (r *round) serve(ctx context.Context) error {
	for busy := true; busy; {
		if err := r.serveControl(ctx); err != nil {
			return err
		}
		busy = false
		for _, s := range r.sources {
			served, err := r.serveOne(ctx, s, r.w.Mode)
			if err != nil {
				return err
			}
			if !served {
				continue
			}
			busy = true
			if err := r.serveControl(ctx); err != nil {
				return err
			}
		}
		if busy && r.due() {
			if err := r.refresh(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// due reports whether it is time to refresh although there are messages.
func (r *round) due() bool {
	select {
	case <-r.waiter.C():
		return true
	default:
		return time.Since(r.refreshed) > refreshAfter
	}
}

// serveControl delivers all messages of the control queue.
func (r *round) serveControl(ctx context.Context) error {
	for served := r.w.Control != ""; served; {
		r.control.empty = false
		var err error
		if served, err = r.serveOne(ctx, r.control, Read); err != nil {
			return err
		}
	}
	return nil
}

// serveOne delivers a message of s, if there is one.
func (r *round) serveOne(ctx context.Context, s *source, mode Mode) (served bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if s.empty || time.Now().Before(s.retryAt) {
		return false, nil
	}
	m, err := r.w.next(ctx, s, mode)
	if errors.Is(err, broker.ErrEmpty) {
		s.empty = true
		return false, nil
	}
	if err != nil {
		return false, err
	}
	m.Queue = s.q.Name()
	return true, r.finish(ctx, s, mode, m, r.handle(ctx, m))
}

// next returns the next message of s. It peeks before it takes, because peeking does not
// delay other processes.
func (w *Watcher) next(ctx context.Context, s *source, mode Mode) (broker.Message, error) {
	for m, err := range s.q.Messages(ctx, broker.Select{After: s.after, Limit: 1}) {
		switch {
		case err != nil || mode == Peek:
			return m, err
		case mode == Reserve:
			return s.q.Reserve(w.reserved(s.q.Name())).Next(ctx)
		default:
			return s.q.Read(ctx)
		}
	}
	return broker.Message{}, broker.ErrEmpty
}

// finish does with a message what its handler's result calls for.
func (r *round) finish(ctx context.Context, s *source, mode Mode, m broker.Message, answer error) error {
	// What has been done must be recorded even if ctx has ended meanwhile.
	noting := context.WithoutCancel(ctx)
	if answer == nil || errors.Is(answer, ErrDone) {
		s.pass(mode, m)
		if mode == Reserve {
			if err := s.q.Reserve(r.w.reserved(m.Queue)).Ack(noting, m.ID); err != nil {
				return err
			}
		}
		return answer
	}
	if ctx.Err() != nil {
		if err := r.w.abandon(noting, s, mode, m); err != nil {
			return err
		}
		return context.Cause(ctx)
	}
	verdict := End
	if r.w.Failed != nil {
		verdict = r.w.Failed(m, answer)
	}
	switch verdict {
	case Skip:
		s.pass(mode, m)
		return nil
	case Again:
		s.retryAt = time.Now().Add(pause)
		return r.w.putBack(noting, s, mode, m)
	default:
		answer = fmt.Errorf("handle message %v of %q: %w", m.ID, m.Queue, answer)
		return errors.Join(answer, r.w.abandon(noting, s, mode, m))
	}
}

// pass notes that m will not be delivered again.
func (s *source) pass(mode Mode, m broker.Message) {
	if mode == Peek { // the other modes take from the front, where messages with old ids return
		s.after = m.ID
	}
}

// abandon puts m back before the end of Run, so that other workers get it if it is
// reserved.
func (w *Watcher) abandon(ctx context.Context, s *source, mode Mode, m broker.Message) error {
	if mode != Reserve {
		return nil
	}
	return w.putBack(ctx, s, mode, m)
}

// putBack undoes what was done to m before it was delivered.
func (w *Watcher) putBack(ctx context.Context, s *source, mode Mode, m broker.Message) error {
	switch mode {
	case Reserve:
		return s.q.Reserve(w.reserved(m.Queue)).Release(ctx, m.ID)
	case Read:
		return w.Broker.Update(ctx, func(tx *broker.Tx) error { return tx.Restore(m) })
	default:
		return nil
	}
}
