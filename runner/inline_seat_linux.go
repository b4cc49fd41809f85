package runner

import (
	"context"
	"sync"

	"weft/internal/ledger"
	"weft/internal/proc"
)

// slots are those of a server. They are taken by its loop, for requests from the
// store, and by whoever submits in the same program.
type slots struct {
	mu     sync.Mutex
	free   int
	admits bool // who submits may take one: as far as is known, nothing waits for one
	closed bool
}

// admit says whether who submits may take a slot.
func (s *slots) admit(admits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admits = admits && !s.closed
}

// close lets nobody take a slot any more who submits.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admits, s.closed = false, true
}

// reserve takes a slot for who submits. One that cannot have it queues, and so do
// the others then, until the loop has looked.
func (s *slots) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.admits = s.admits && s.free > 0; s.admits {
		s.free--
	}
	return s.admits
}

// take takes up to n slots.
func (s *slots) take(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	return n
}

func (s *slots) give(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}

// any reports whether there is a free slot.
func (s *slots) any() bool { return s.taken(0) < 0 }

// taken is how many of so many slots are taken.
func (s *slots) taken(of int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of - s.free
}

// A Seat is a slot of a server for a task that is about to be submitted by the
// program that serves it. It is ended by Begin or Leave.
type Seat struct{ server *server }

// Seat takes a slot for a call of the function with this name, if there is a free
// one and no request waits. nil means that the task has to queue.
func (i *Inline) Seat(name string) *Seat {
	if i.server.o.Functions.Get(name) == nil || !i.server.slots.reserve() {
		return nil
	}
	return &Seat{i.server}
}

// Process is who the task is to be given to.
func (s *Seat) Process() proc.Identity { return s.server.record.Process }

// Leave gives the slot back.
func (s *Seat) Leave() {
	s.server.slots.give(1)
	s.server.emit(callEvent{what: seatLeft}) // it may wait for that
}

// Begin carries out the task, which has been given to the server's process in a
// transaction that is committed.
func (s *Seat) Begin(b *ledger.Begun) *Visit {
	c := s.server.newCall(b.Job, b.Task)
	c.visit = &Visit{over: s.server.over, ended: make(chan struct{})}
	s.server.emit(callEvent{call: c, what: callBegun})
	go s.server.invoke(c)
	return c.visit
}

// A Visit is a task that was begun by who submitted it.
type Visit struct {
	over  <-chan struct{} // nobody will say any more how it ended
	ended chan struct{}
	task  *ledger.Task // to be read when it has ended
}

// end says how the task ended.
func (v *Visit) end(t *ledger.Task) {
	if v != nil {
		v.task = t
		close(v.ended)
	}
}

// Wait waits for the end of the task and returns the task as it is recorded, which
// others may get as well. nil means that somebody else may know it: ctx has ended,
// or the server, or another attempt follows.
func (v *Visit) Wait(ctx context.Context) *ledger.Task {
	select {
	case <-v.ended:
	case <-v.over:
		return nil
	case <-ctx.Done():
		return nil
	}
	if v.task == nil || !v.task.Status.Terminal() {
		return nil
	}
	return v.task
}
