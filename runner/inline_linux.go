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

// The intervals at which a server polls, and the longest pause before it retries a failed
// write.
const (
	minInlinePoll  = time.Second
	maxInlinePoll  = 5 * time.Second
	maxInlineRetry = time.Second
)

// An Inline runs the tasks whose functions run inside this program, each on a goroutine.
// Use [NewInline] to make one.
type Inline struct{ server *server }

// NewInline returns an Inline. It does nothing before [Inline.Serve].
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
		o:            o,
		record:       &ledger.Server{Process: self, Started: time.Now().UnixNano()},
		slots:        slots{free: o.Slots},
		calls:        make(map[string]*call),
		events:       make(chan callEvent, 2*o.Slots),
		directOrders: make(chan directOrder),
		over:         make(chan struct{}),
	}
	for _, name := range o.Functions.Names() {
		s.queues = append(s.queues, ledger.InlineRequests(name))
	}
	return &Inline{s}, nil
}

// A server is the loop of an [Inline]; calls report to it by events. All of it but its
// slots belongs to one goroutine.
type server struct {
	o            InlineOptions
	record       *ledger.Server
	queues       []string // of requests
	requests     *broker.Waiter
	controls     *broker.Waiter
	slots        slots
	events       chan callEvent
	directOrders chan directOrder // orders from the control socket
	over         chan struct{}    // closed at the end, when no goroutine receives events any more

	quarantined     broker.ID // see [InlineOptions.Quarantined]
	leaving         bool      // its context has ended
	requestsPending bool      // requests may be waiting
	controlPending  bool      // control messages may be waiting
	ahead           []*ledger.Job
	submits         []*localSubmit   // not started yet
	calls           map[string]*call // those that hold a slot, by TID
	ended           []*call          // those whose end is not written yet
	progress        []*call          // those whose progress is not written yet
}

// Serve runs tasks until ctx ends. Then it stops the running ones, and returns when they
// have ended or their grace period is over. The end of ctx is no error. It must be called
// once.
//
// Several programs, and several processes of one program, may serve at once: a task belongs
// to the server whose transaction claims it.
func (i *Inline) Serve(ctx context.Context) (err error) {
	s := i.server
	defer close(s.over)
	defer s.slots.close()
	queues := append([]string{ledger.Services}, s.queues...) // Services: a change of trust notifies it
	if s.requests, err = s.o.Broker.Listen(queues...); err != nil {
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

// serve claims and runs tasks until ctx has ended and none is left.
func (s *server) serve(ctx context.Context) error {
	s.requestsPending, s.quarantined = true, s.o.Quarantined()
	poll, retry := minInlinePoll, time.Duration(0)
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
			poll = minInlinePoll
		case a := <-s.directOrders:
			s.order(a)
		case <-s.requests.C():
			s.requestsPending, poll = true, minInlinePoll
			if s.quarantined != 0 {
				s.quarantined = s.o.Quarantined()
			}
		case <-s.controls.C():
			s.controlPending, poll = true, minInlinePoll
		case <-timer.C:
			s.requestsPending, s.controlPending, s.quarantined = true, true, s.o.Quarantined()
			poll = min(2*poll, maxInlinePoll)
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
		timer.Reset(poll)
	}
}

// idle reports whether every claimed task has ended. It ignores a function that runs on
// although its task is over.
func (s *server) idle() bool {
	for _, c := range s.calls {
		if !c.recorded {
			return false
		}
	}
	return s.slots.used(s.o.Slots) == len(s.calls) // no local submit is in progress
}

// A directOrder is an order from the control socket.
type directOrder struct {
	order control.Order
	reply chan<- (<-chan control.Answer) // of the last answer; nil: the task is not here
}

// takeOrder passes on an order from the control socket, on any goroutine.
func (s *server) takeOrder(ctx context.Context, o control.Order, answer func(control.Answer)) {
	reply := make(chan (<-chan control.Answer), 1)
	select {
	case s.directOrders <- directOrder{o, reply}:
		if done := <-reply; done != nil {
			control.Relay(ctx, done, answer)
		}
	case <-ctx.Done():
	}
}

// order applies the order, if it is to end a call.
func (s *server) order(a directOrder) {
	c, end := s.calls[a.order.TID], OrderFor(a.order.Command).End
	if c == nil || end == NoRequest {
		a.reply <- nil
		return
	}
	a.reply <- c.waiters.Add(a.order.Command)
	s.request(c, end)
}

// forget drops a call and frees its slot.
func (s *server) forget(c *call) {
	delete(s.calls, c.task.TID)
	s.slots.give(1)
}

// gather handles an event and those that arrive meanwhile. Changes that are written
// together cost less, so it yields once to goroutines that are about to send one, but does
// not wait for them.
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

// cycle writes what has ended, and claims and starts as many tasks as there are slots.
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

// invalidate drops what was read from the store, so that it is read again.
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
		// Mostly few of the functions have requests; one query tells which.
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

// readQueue reads the requests for one function ahead and prepares them.
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
