package runner

import "sync"

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
func (s *slots) any() bool { return s.used(0) < 0 }

// used is how many of so many slots are taken.
func (s *slots) used(of int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of - s.free
}
