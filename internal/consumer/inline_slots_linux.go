package consumer

import "sync"

// slots are the slots of a server. Its loop takes them for requests from the store, and
// local submits reserve them on their own goroutines.
type slots struct {
	mu     sync.Mutex
	free   int
	admits bool // local submits may reserve one: as far as is known, no request waits
	closed bool
}

// admit says whether local submits may reserve a slot.
func (s *slots) admit(admits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admits = admits && !s.closed
}

// close refuses all further local submits.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.admits, s.closed = false, true
}

// reserve takes a slot for a local submit. If there is none the task has to queue, and so
// do later ones until the loop admits them again.
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
	n = max(0, min(n, s.free))
	s.free -= n
	return n
}

// give frees n slots. If n is less than 0 it takes them, whether they are free or not.
func (s *slots) give(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
}

// any reports whether there is a free slot.
func (s *slots) any() bool { return s.used(0) < 0 }

// used returns how many of the given number of slots are taken.
func (s *slots) used(of int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return of - s.free
}
