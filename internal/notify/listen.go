package notify

// Listener is woken when a bell rings that one of its names has. Create it with
// [Notifier.Listen]; its methods may be called concurrently.
type Listener struct {
	set    *Notifier
	c      chan struct{}
	names  map[string]struct{} // guarded by set.mu, like closed
	closed bool
}

// Listen gives a listener for names, which may be none for now. It hears what is
// rung after Listen has returned, so look in the store once after that. If
// watching is refused it works by polling, which [Notifier.Mode] tells; the only error
// is [ErrClosed].
//
// The first listener starts a goroutine, and the first of each bell another. They
// end when nobody listens to the bell, or with the Set.
//
// The caller closes the listener; closing the Set does so too.
func (s *Notifier) Listen(names ...string) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := &Listener{set: s, c: make(chan struct{}, 1), names: make(map[string]struct{}, len(names))}
	s.listeners[l] = struct{}{}
	s.start()
	l.add(names)
	return l, nil
}

// C receives when a bell has rung. It keeps one ring for a reader that comes
// later; more rings until then are the same one. It is closed when the listener
// or the Set is.
func (l *Listener) C() <-chan struct{} { return l.c }

// Add makes the listener hear names too, from when Add returns; those it already
// has change nothing. The only error is [ErrClosed].
func (l *Listener) Add(names ...string) error {
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.add(names)
	return nil
}

func (l *Listener) add(names []string) {
	s := l.set
	for _, name := range names {
		if _, ok := l.names[name]; ok {
			continue
		}
		l.names[name] = struct{}{}
		bell := Channel(name)
		if s.byChannel[bell] == nil {
			s.byChannel[bell] = make(map[*Listener]int)
		}
		s.byChannel[bell][l]++
		if len(s.byChannel[bell]) == 1 {
			s.watchChannel(bell)
		}
	}
}

// Remove makes the listener deaf to names; those it does not have change
// nothing. It still hears a bell that another of its names shares, and a ring
// that came before may still be in C.
func (l *Listener) Remove(names ...string) {
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	for _, name := range names {
		l.remove(name)
	}
}

func (l *Listener) remove(name string) {
	if _, ok := l.names[name]; !ok {
		return
	}
	delete(l.names, name)
	s, bell := l.set, Channel(name)
	if s.byChannel[bell][l]--; s.byChannel[bell][l] > 0 {
		return
	}
	delete(s.byChannel[bell], l)
	if len(s.byChannel[bell]) == 0 && s.watch != nil {
		s.watch.remove(bell)
	}
}

// Close ends the listener and closes C. A second Close does nothing.
func (l *Listener) Close() {
	l.set.mu.Lock()
	defer l.set.mu.Unlock()
	l.end()
}

func (l *Listener) end() {
	if l.closed {
		return
	}
	l.closed = true
	for name := range l.names {
		l.remove(name)
	}
	delete(l.set.listeners, l)
	close(l.c)
}

// wake wakes the listener. Whoever calls it holds set.mu, so C is still open.
func (l *Listener) wake() {
	select {
	case l.c <- struct{}{}:
	default: // it has not looked since the last ring, so it will see this one too
	}
}
