package notify

// A Listener is notified of the channels of its names. [Notifier.Listen] makes one; its
// methods may be called concurrently.
type Listener struct {
	notifier *Notifier
	c        chan struct{}
	names    map[string]struct{} // guarded by notifier.mu, like closed
	closed   bool
}

// Listen returns a listener for names, which may be empty for now. It receives
// notifications that are sent after Listen has returned, so read the store once after that.
// If watching is refused it works by polling, which [Notifier.Mode] tells; the only error
// is [ErrClosed].
//
// The first listener starts a goroutine, and the first of each channel another. They end
// when the channel has no listener left, or with the Notifier.
//
// The caller closes the listener; closing the Notifier does so too.
func (s *Notifier) Listen(names ...string) (*Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	l := &Listener{notifier: s, c: make(chan struct{}, 1), names: make(map[string]struct{}, len(names))}
	s.listeners[l] = struct{}{}
	s.start()
	l.add(names)
	return l, nil
}

// C receives a value when one of the listener's channels is notified. It keeps one for a
// later receive; further notifications until then add none. It is closed with the listener
// or the Notifier.
func (l *Listener) C() <-chan struct{} { return l.c }

// Add adds names, with effect from when Add returns; those it already has change nothing.
// The only error is [ErrClosed].
func (l *Listener) Add(names ...string) error {
	l.notifier.mu.Lock()
	defer l.notifier.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.add(names)
	return nil
}

func (l *Listener) add(names []string) {
	s := l.notifier
	for _, name := range names {
		if _, ok := l.names[name]; ok {
			continue
		}
		l.names[name] = struct{}{}
		channel := Channel(name)
		if s.byChannel[channel] == nil {
			s.byChannel[channel] = make(map[*Listener]int)
		}
		s.byChannel[channel][l]++
		if len(s.byChannel[channel]) == 1 {
			s.watchChannel(channel)
		}
	}
}

// Remove removes names; those it does not have change nothing. The listener still receives
// notifications of a channel that another of its names shares, and an earlier one may still
// be in C.
func (l *Listener) Remove(names ...string) {
	l.notifier.mu.Lock()
	defer l.notifier.mu.Unlock()
	for _, name := range names {
		l.remove(name)
	}
}

func (l *Listener) remove(name string) {
	if _, ok := l.names[name]; !ok {
		return
	}
	delete(l.names, name)
	s, channel := l.notifier, Channel(name)
	if s.byChannel[channel][l]--; s.byChannel[channel][l] > 0 {
		return
	}
	delete(s.byChannel[channel], l)
	if len(s.byChannel[channel]) == 0 && s.watch != nil {
		s.watch.remove(channel)
	}
}

// Close ends the listener and closes C. A second Close does nothing.
func (l *Listener) Close() {
	l.notifier.mu.Lock()
	defer l.notifier.mu.Unlock()
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
	delete(l.notifier.listeners, l)
	close(l.c)
}

// wake wakes the listener. The caller holds notifier.mu, so C is still open.
func (l *Listener) wake() {
	select {
	case l.c <- struct{}{}:
	default: // an earlier notification has not been received yet
	}
}
