package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/retention"
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
	s := &server{
		o:      o,
		record: &ledger.Server{Process: self, Started: time.Now().UnixNano()},
		slots:  slots{free: o.Slots},
		calls:  make(map[string]*call),
		over:   make(chan struct{}),
		keeper: retention.NewKeeper(o.Broker, o.Dir, o.Retention, o.Log),
	}
	s.Engine = engine.New(engine.Options{Dir: o.Dir, Broker: o.Broker, Log: o.Log, Quarantined: o.Quarantined, Events: 2 * o.Slots}, s)
	s.Stale[engine.Requests], s.Stale[engine.Services] = true, true
	for _, name := range o.Functions.Names() {
		s.queues = append(s.queues, ledger.InlineRequests(name))
	}
	return &Inline{s}, nil
}

// A server runs the calls of an [Inline] for its engine; calls report to it by events. All
// of it but its slots belongs to the goroutine of the engine.
type server struct {
	*engine.Engine
	o       InlineOptions
	record  *ledger.Server
	queues  []string // of requests
	slots   slots
	calls   map[string]*call // those that hold a slot, by TID
	serving context.Context  // that of Serve
	leaving Request          // what running calls are told, or will be, because serving has ended; NoRequest before
	ending  bool             // the running calls have been told
	over    chan struct{}    // closed at the end, when no goroutine receives events any more
	keeper  *retention.Keeper
}

// Serve runs tasks until ctx ends. Then it starts no more, and interrupts the running ones
// after the time to drain, or stops them at once if the cause is [ErrStopped]. It returns
// when they have ended or their grace period is over. The end of ctx is no error. It must
// be called once.
//
// Several programs, and several processes of one program, may serve at once: a task belongs
// to the server whose transaction claims it.
func (i *Inline) Serve(ctx context.Context) error {
	s := i.server
	s.serving = ctx
	defer close(s.over)
	defer s.slots.close()
	defer s.Close()
	// A change of trust notifies Services.
	err := errors.Join(s.Listen(engine.Requests, s.queues...), s.Listen(engine.Services, ledger.Services), s.Listen(engine.Control))
	if err == nil {
		err = s.update(ledger.PutServer)
	}
	if err != nil {
		return fmt.Errorf("serve functions: %w", err)
	}
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.keeper.Run(inner) })
	err = s.Run(inner, ctx.Done())
	cancel()
	background.Wait()
	s.keeper.Last(context.Background())
	return errors.Join(err, s.update(ledger.DropServer))
}

// update writes the server's own record.
func (s *server) update(change func(*broker.Tx, *ledger.Server) error) error {
	return s.o.Broker.Update(context.Background(), func(tx *broker.Tx) error { return change(tx, s.record) })
}

// Stop starts no more calls, and ends the running ones, at once or after the time to drain.
func (s *server) Stop(context.Context) error {
	s.leaving = RequestGiveUp
	if errors.Is(context.Cause(s.serving), ErrStopped) {
		s.leaving = RequestStop
	}
	s.slots.close()
	if s.leaving == RequestStop || s.o.Drain <= 0 {
		s.endCalls()
		return nil
	}
	time.AfterFunc(s.o.Drain, func() {
		s.emit(func() error { s.endCalls(); return nil })
	})
	return nil
}

// endCalls tells the running calls to end.
func (s *server) endCalls() {
	s.ending = true
	for _, c := range s.calls {
		s.request(c, s.leaving)
	}
}

// Linger yields once to goroutines that are about to send an event, but does not wait for
// them: changes that are written together cost less.
func (s *server) Linger() time.Duration {
	if 2*len(s.Pending()) >= s.slots.used(s.o.Slots) {
		return 0
	}
	return engine.Yield
}

// Look claims as many tasks as there are slots.
func (s *server) Look(ctx context.Context, _ time.Time) error {
	if s.Stale[engine.Services] {
		s.Stale[engine.Services] = false
		s.UpdateTrust()
	}
	if s.leaving != NoRequest {
		return nil
	}
	if err := s.LookAhead(func() ([]*ledger.Job, error) { return s.readRequests(ctx) }); err != nil {
		return err
	}
	n := s.slots.take(len(s.Ahead))
	for _, j := range s.Ahead[:n] {
		if j.Refused() == "" && s.o.Functions.Get(j.Function.Name) == nil {
			j.Refuse(fmt.Sprintf("function %s: its program has no such function any more", j.Function.Name))
		}
		s.addClaim(j)
	}
	s.Ahead = s.Ahead[n:]
	return nil
}

// addClaim has a job claimed for which the server holds a slot.
func (s *server) addClaim(j *ledger.Job) {
	var t *ledger.Task // nil: the task is gone, or refused
	s.Add(engine.Change{
		What: "claim task", TID: j.TID,
		Write: func(tx *broker.Tx, now time.Time) (err error) {
			if j.Refused() != "" {
				return ledger.Refuse(tx, j, now)
			}
			t, err = ledger.Dispatch(tx, j, s.record.Process, now)
			return err
		},
		Written: func(err error) {
			if err != nil || t == nil {
				s.slots.give(1)
				return
			}
			s.startCall(j, t)
		},
		Failed: func(error) bool {
			s.slots.give(1)
			s.LookAgain()
			return false
		},
	})
}

// Rest ends the server when it is leaving and every claimed task has ended, or its store is
// gone.
func (s *server) Rest(now time.Time, failed error) (wake time.Time, done bool, err error) {
	s.slots.admit(s.leaving == NoRequest && !s.Stale[engine.Requests] && len(s.Ahead) == 0)
	switch {
	case errors.Is(failed, broker.ErrGone):
		s.leaving = cmp.Or(s.leaving, RequestGiveUp)
		s.endCalls()
		return wake, true, failed
	case errors.Is(failed, broker.ErrClosed), failed != nil && s.leaving != NoRequest && s.Exhausted():
		return wake, true, failed // the tasks are lost when the process ends
	case s.leaving != NoRequest:
		return wake, failed == nil && s.idle(), nil
	case len(s.Ahead) > 0 && s.slots.any():
		return now, false, nil
	}
	return wake, false, nil
}

// idle reports whether every claimed task has ended.
func (s *server) idle() bool {
	return len(s.calls) == 0 && s.slots.used(s.o.Slots) == 0 // and no local submit is in progress
}

// Order applies an order from the control socket, if it is to end a call.
func (s *server) Order(ctx context.Context, o control.Order) (<-chan control.Answer, error) {
	c := s.calls[o.TID]
	if c == nil || OrderFor(o.Command).End == NoRequest {
		return nil, nil
	}
	return c.waiters.Add(o.Command), s.Command(ctx, o.TID, o.Command)
}

// Command applies a command to a call.
func (s *server) Command(_ context.Context, tid string, what ledger.Command) error {
	if c := s.calls[tid]; c != nil {
		c.known = nil // the record has changed
		s.request(c, OrderFor(what).End)
	}
	return nil
}

// forget drops a call and frees its slot.
func (s *server) forget(c *call) {
	delete(s.calls, c.task.TID)
	if c.waits == 0 {
		s.slots.give(1)
	}
}

// readRequests reads and prepares the oldest requests.
func (s *server) readRequests(ctx context.Context) (jobs []*ledger.Job, err error) {
	err = s.o.Broker.View(ctx, func(r broker.Reader) error {
		jobs = nil
		// Mostly few of the functions have requests; one query tells which.
		waiting, err := r.Queues(ledger.InlinePrefix, len(s.queues))
		if err != nil {
			return err
		}
		for _, queue := range s.queues {
			if !slices.Contains(waiting, queue) && len(waiting) < len(s.queues) {
				continue
			}
			ms, err := ledger.Waiting(r, queue, s.Quarantined, 2*s.o.Slots, inlineAheadBytes)
			if err != nil {
				return err
			}
			for _, m := range ms {
				j, err := ledger.Prepare(r, s.o.Root, ledger.Ready{Request: m})
				if err != nil {
					return err
				}
				jobs = append(jobs, j)
			}
		}
		slices.SortFunc(jobs, func(a, b *ledger.Job) int { return strings.Compare(a.TID, b.TID) }) // oldest first
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for requests: %w", err)
	}
	return jobs, nil
}
