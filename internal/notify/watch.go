package notify

// tries is how often the file of a channel is made again if it keeps being deleted, before
// that is reported as an error. One is enough unless two processes delete it in turn.
const tries = 4

// A watcher watches channels and calls Notifier.onNotified. Its methods are called with
// Notifier.mu held, so they must not wait for a goroutine that may need it.
type watcher interface {
	// add makes sure that the channel is watched, and that its file is the one in the
	// folder. It makes the file if it is missing.
	add(channel int) error
	// remove stops watching a channel.
	remove(channel int)
	// close ends the watcher. Notifier.running counts the goroutines that have not ended
	// yet.
	close() error
}

// start makes sure that the Notifier has a watcher, or polls if that is refused.
func (s *Notifier) start() {
	if s.watch != nil || s.polling {
		return
	}
	if s.pollOnly {
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

// watchChannel starts watching a channel with its first listener.
func (s *Notifier) watchChannel(channel int) {
	if s.watch == nil {
		return
	}
	if err := s.watch.add(channel); err != nil {
		s.abandon(err)
	}
}

// abandon replaces watching by polling, whose first poll wakes all listeners. A Notifier
// that can watch only some of its channels would miss notifications of the others.
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

// onNotified wakes the listeners of the notified channels, and watches again those whose
// file may be gone. It returns false if w is out of use.
func (s *Notifier) onNotified(w watcher, notified, lost channelSet) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != w {
		return false
	}
	for channel := range lost.all() {
		if len(s.byChannel[channel]) == 0 {
			continue
		}
		if err := w.add(channel); err != nil {
			s.abandon(err)
			return false
		}
		notified.add(channel) // it may have been notified while it was not watched
	}
	s.wake(&notified)
	return true
}

// wake wakes the listeners of channels.
func (s *Notifier) wake(channels *channelSet) {
	for channel := range channels.all() {
		for l := range s.byChannel[channel] {
			l.wake()
		}
	}
}
