package notify

// tries is how often a bell is made again that somebody keeps deleting before
// that is reported as an error. Once is enough unless two delete it in turn.
const tries = 4

// watcher notices that bells ring and calls Set.heard. Its methods are called
// with Set.mu held, so they do not wait for anybody who may want that.
type watcher interface {
	// add makes sure that a bell is watched, and that its file is the one in the
	// folder, which it makes if it is missing.
	add(bell int) error
	// remove stops watching a bell.
	remove(bell int)
	// close ends the watcher. Set.running counts what has yet to notice.
	close() error
}

// start makes sure that something listens for the Set: a watcher, or where that
// is refused the poll.
func (s *Notifier) start() {
	if s.watch != nil || s.polling {
		return
	}
	if s.deaf {
		s.startPolling(errForeign)
		return
	}
	w, err := newWatcher(s)
	if err != nil {
		s.startPolling(err)
		return
	}
	s.watch = w
}

// watchChannel begins to watch a bell that has got its first ear.
func (s *Notifier) watchChannel(bell int) {
	if s.watch == nil {
		return
	}
	if err := s.watch.add(bell); err != nil {
		s.abandon(err)
	}
}

// abandon gives watching up for polling, whose first poll tells everybody. A Set
// that can watch only some of its bells would be deaf to the others.
func (s *Notifier) abandon(reason error) {
	s.watch.close() // the reason is what matters to the user
	s.watch = nil
	s.startPolling(reason)
}

// fail abandons w if it is in use.
func (s *Notifier) fail(w watcher, reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch == w {
		s.abandon(reason)
	}
}

// onNotified tells the listeners what w has noticed: the bells that were rung, and
// those whose file may not be there any more. It reports false if w is out of use.
func (s *Notifier) onNotified(w watcher, rung, lost channelSet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != w {
		return false
	}
	for bell := range lost.all() {
		if len(s.byChannel[bell]) == 0 {
			continue
		}
		if err := w.add(bell); err != nil {
			s.abandon(err)
			return false
		}
		rung.add(bell) // it may have been rung while it was not watched
	}
	s.wake(&rung)
	return true
}

// wake wakes the listeners of bells.
func (s *Notifier) wake(bells *channelSet) {
	for bell := range bells.all() {
		for l := range s.byChannel[bell] {
			l.wake()
		}
	}
}
