package notify

import "time"

// The poll interval starts at pollMin, a compromise between delay and an idle CPU (polling
// every 1 ms was measured to cost 5 % of a core), and grows to pollMax (0.3 %) while
// nothing happens.
const (
	pollMin = 2 * time.Millisecond
	pollMax = 50 * time.Millisecond
)

// startPolling starts the goroutine that polls in place of watching.
func (s *Notifier) startPolling(reason error) {
	s.refusal = reason
	s.polling = true
	s.running.Go(s.runPoll)
}

// runPoll wakes all listeners whenever the polled number has changed, until no listener is
// left or the Notifier is closed.
func (s *Notifier) runPoll() {
	var last uint64
	known := false // the first answer counts as a change, as notifications may have preceded it
	wait := pollMin
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-timer.C:
		}
		number, err := s.poll()
		changed := err == nil && (!known || number != last)
		if err == nil {
			last, known = number, true
		}
		if !s.pollAnswered(changed || err != nil) {
			return
		}
		wait = nextWait(wait, changed)
		timer.Reset(wait)
	}
}

// pollAnswered wakes all listeners if something has changed, and reports whether to
// continue.
func (s *Notifier) pollAnswered(changed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		s.polling = false // the next Listen tries to watch again
		return false
	}
	if changed {
		for l := range s.listeners {
			l.wake()
		}
	}
	return true
}

// nextWait returns the time until the next poll, given the time before the last one.
func nextWait(wait time.Duration, changed bool) time.Duration {
	if changed {
		return pollMin
	}
	return min(2*wait, pollMax)
}
