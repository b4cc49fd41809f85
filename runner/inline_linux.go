package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/proc"
)

// The times after which a server looks by itself, and the longest pause before
// what could not be written is tried again.
const (
	minInlinePoll  = time.Second
	maxInlinePoll  = 5 * time.Second
	maxInlineRetry = time.Second
)

// An Inline carries out the tasks whose functions run inside this program, each on
// a goroutine. Make one with [NewInline].
type Inline struct{ server *server }

// NewInline returns an Inline, which does nothing before [Inline.Serve].
func NewInline(o InlineOptions) (*Inline, error) {
	self, err := proc.Self()
	if err != nil {
		return nil, fmt.Errorf("serve functions: %w", err)
	}
	if o.Slots == 0 {
		o.Slots = DefaultInlineSlots
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Quarantined == nil {
		o.Quarantined = func() broker.ID { return 0 }
	}
	s := &server{
		o:      o,
		record: &ledger.Server{Process: self, Started: time.Now().UnixNano()},
		slots:  slots{free: o.Slots},
		calls:  make(map[string]*call),
		events: make(chan callEvent, 2*o.Slots),
		asks:   make(chan asked),
		over:   make(chan struct{}),
	}
	for _, name := range o.Functions.Names() {
		s.queues = append(s.queues, ledger.InlineRequests(name))
	}
	return &Inline{s}, nil
}

// A server is the loop of an [Inline], to which calls tell by events what happens.
// All of it but its slots belongs to one goroutine.
type server struct {
	o        InlineOptions
	record   *ledger.Server
	queues   []string // of requests
	requests *broker.Waiter
	controls *broker.Waiter
	slots    slots
	events   chan callEvent
	asks     chan asked    // orders that come beside the store
	over     chan struct{} // closed at the end, when nobody reads events any more

	quarantined     broker.ID // see [InlineOptions.Quarantined]
	leaving         bool      // its context has ended
	requestsPending bool      // requests may be waiting
	controlPending  bool      // control messages may be waiting
	ahead           []*ledger.Job
	submits         []*localSubmit   // that have not begun
	calls           map[string]*call // that hold a slot, by TID
	ended           []*call          // whose end has not been written
	progress        []*call          // likewise how far they are
}

// Serve carries out tasks until ctx ends. Then it stops what runs, and returns
// when that has ended or its grace is over. The end of ctx is no error. It is
// called once.
//
// Several programs, or several of one program, may serve at once: a task belongs
// to the one whose transaction claims it.
func (i *Inline) Serve(ctx context.Context) (err error) {
	s := i.server
	defer close(s.over)
	defer s.slots.close()
	heard := append([]string{ledger.Services}, s.queues...) // that one tells of trust
	if s.requests, err = s.o.Broker.Listen(heard...); err != nil {
		return fmt.Errorf("serve functions: %w", err)
	}
	defer s.requests.Close()
	if s.controls, err = s.o.Broker.Listen(); err != nil {
		return fmt.Errorf("serve functions: %w", err)
	}
	defer s.controls.Close()
	if err := s.update(ledger.PutServer); err != nil {
		return fmt.Errorf("serve functions: %w", err)
	}
	orders, err := control.Serve(s.o.Dir, s.takeOrder)
	if err != nil {
		s.o.Log.Warn("orders come through the store only", "err", err)
	}
	err = s.serve(ctx)
	orders.Close()
	s.resolve(s.submits, err)
	return errors.Join(err, s.update(ledger.DropServer))
}

// update writes the server's own record.
func (s *server) update(change func(*broker.Tx, *ledger.Server) error) error {
	return s.o.Broker.Update(context.Background(), func(tx *broker.Tx) error { return change(tx, s.record) })
}

// serve claims and carries out tasks until ctx has ended and nothing is left.
func (s *server) serve(ctx context.Context) error {
	s.requestsPending, s.quarantined = true, s.o.Quarantined()
	look, retry := minInlinePoll, time.Duration(0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	leave := ctx.Done()
	for {
		s.slots.admit(leave != nil && !s.requestsPending && len(s.ahead) == 0)
		select {
		case <-leave:
			leave, s.leaving = nil, true
			s.slots.close()
			for _, c := range s.calls {
				s.request(c, RequestStop)
			}
		case e := <-s.events:
			s.gather(e)
			look = minInlinePoll
		case a := <-s.asks:
			s.order(a)
		case <-s.requests.C():
			s.requestsPending, look = true, minInlinePoll
			if s.quarantined != 0 {
				s.quarantined = s.o.Quarantined()
			}
		case <-s.controls.C():
			s.controlPending, look = true, minInlinePoll
		case <-timer.C:
			s.requestsPending, s.controlPending, s.quarantined = true, true, s.o.Quarantined()
			look = min(2*look, maxInlinePoll)
		}
		err := s.cycle(leave != nil)
		switch {
		case errors.Is(err, broker.ErrGone):
			for _, c := range s.calls {
				s.request(c, RequestStop)
			}
			return err
		case errors.Is(err, broker.ErrClosed), err != nil && leave == nil && retry == maxInlineRetry:
			return err // the tasks are lost when the process ends
		case err != nil:
			retry = min(max(10*time.Millisecond, 2*retry), maxInlineRetry)
			s.o.Log.Error("serve functions", "err", err, "retry", retry)
			timer.Reset(retry)
			continue
		}
		retry = 0
		if leave == nil && s.idle() {
			return nil
		}
		timer.Reset(look)
	}
}

// idle reports whether every task that was claimed has ended. A function that
// goes on although its task is over is left behind.
func (s *server) idle() bool {
	for _, c := range s.calls {
		if !c.recorded {
			return false
		}
	}
	return s.slots.used(s.o.Slots) == len(s.calls) // nobody is about to begin one
}

// An asked is an order that has come beside the store.
type asked struct {
	order control.Order
	reply chan<- (<-chan control.Answer) // of the last answer; nil: it is for somebody else
}

// takeOrder passes on an order that comes beside the store, on any goroutine.
func (s *server) takeOrder(ctx context.Context, o control.Order, answer func(control.Answer)) {
	reply := make(chan (<-chan control.Answer), 1)
	select {
	case s.asks <- asked{o, reply}:
		if done := <-reply; done != nil {
			control.Relay(ctx, done, answer)
		}
	case <-ctx.Done():
	}
}

// order carries it out, if it is to end a call.
func (s *server) order(a asked) {
	c, end := s.calls[a.order.TID], OrderFor(a.order.Command).End
	if c == nil || end == NoRequest {
		a.reply <- nil
		return
	}
	a.reply <- c.asked.Add(a.order.Command)
	s.request(c, end)
}

// forget gives back the slot of a call.
func (s *server) forget(c *call) {
	delete(s.calls, c.task.TID)
	s.slots.give(1)
}

// gather takes an event and those that come meanwhile. What is written together
// costs less, so those who are about to send one are let first, but not waited for.
func (s *server) gather(e callEvent) {
	s.handle(e)
	for yielded := false; ; {
		select {
		case e = <-s.events:
			s.handle(e)
			yielded = false
		default:
			if yielded || 2*(len(s.submits)+len(s.ended)) >= s.slots.used(s.o.Slots) {
				return
			}
			runtime.Gosched()
			yielded = true
		}
	}
}

// cycle writes what has ended, claims what there is room for, and begins it.
func (s *server) cycle(claim bool) error {
	for again := true; again; {
		if claim {
			if err := s.readAhead(); err != nil {
				return err
			}
		}
		t := s.gatherCycle(claim)
		if t.empty() {
			return nil
		}
		if err := s.write(t); err != nil {
			s.slots.give(len(t.claims))
			s.invalidate()
			if errors.Is(err, ledger.ErrChanged) {
				continue
			}
			s.resolve(t.submits, err)
			return err
		}
		again = claim && len(s.ahead) > 0 && s.slots.any()
	}
	return nil
}

// invalidate forgets what was read, so that it is read again before it is written.
func (s *server) invalidate() {
	s.ahead, s.requestsPending = nil, true
	for _, c := range s.ended {
		c.known = nil
	}
}

// readAhead reads requests ahead.
func (s *server) readAhead() error {
	if !s.requestsPending || len(s.ahead) > 0 {
		return nil
	}
	err := s.o.Broker.View(context.Background(), func(r broker.Reader) error {
		s.ahead = nil
		// Mostly few of the functions are called; that is told in one look.
		waiting, err := r.Queues(ledger.InlinePrefix, len(s.queues))
		if err != nil {
			return err
		}
		for _, queue := range s.queues {
			if slices.Contains(waiting, queue) || len(waiting) == len(s.queues) {
				if err := s.readQueue(r, queue); err != nil {
					return err
				}
			}
		}
		slices.SortFunc(s.ahead, func(a, b *ledger.Job) int { return strings.Compare(a.TID, b.TID) }) // oldest first
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for requests: %w", err)
	}
	s.requestsPending = len(s.ahead) > 0
	return nil
}

// readQueue reads requests for a function ahead, and makes them ready.
func (s *server) readQueue(r broker.Reader, queue string) error {
	ms, err := ledger.Waiting(r, queue, s.quarantined, 2*s.o.Slots, inlineAheadBytes)
	if err != nil {
		return err
	}
	for _, m := range ms {
		j, err := ledger.Prepare(r, s.o.Root, m)
		if err != nil {
			return err
		}
		s.ahead = append(s.ahead, j)
	}
	return nil
}
