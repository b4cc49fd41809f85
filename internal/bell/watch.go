package bell

import "time"

// lookAgain is how long a listener sleeps at most, and so how long it may sleep
// beside the bells after somebody has deleted their file.
const lookAgain = 5 * time.Second

// watcher notices which words change. All but alarm.sleep is used with Set.mu
// held.
type watcher struct {
	board *board
	alarm *alarm
	bells bellSet // that somebody listens to
	seen  values  // what their words were at the last look
}

// start makes sure that something listens for the Set: a watcher, or where that
// is refused the poll.
func (s *Set) start() {
	if s.watch != nil || s.polling {
		return
	}
	alarm, err := newAlarm(&s.board)
	if err != nil {
		s.startPolling(err)
		return
	}
	w := &watcher{board: &s.board, alarm: alarm}
	s.watch = w
	s.running.Go(func() { s.run(w) })
}

// hear begins to watch bells that have got their first ear.
func (s *Set) hear(bells *bellSet) {
	if s.watch == nil || *bells == (bellSet{}) {
		return
	}
	if err := s.watch.add(bells); err != nil {
		s.abandon(err)
	}
}

// add watches bells from now on.
func (w *watcher) add(bells *bellSet) error {
	words, now, err := w.look()
	if err != nil {
		return err
	}
	w.board.release(words)
	for bell := range bells.all() {
		w.bells.add(bell)
		w.seen[bell] = now[bell]
	}
	w.alarm.wake()
	return nil
}

// remove stops watching a bell. If the alarm is on already the bell can end its
// sleep one more time, which costs less than ending it now.
func (w *watcher) remove(bell int) { w.bells.remove(bell) }

// look gives the file that is in the folder now and what its words are. The
// caller releases it.
func (w *watcher) look() (*words, values, error) {
	var now values
	words, err := w.board.use(func(words *words) (err error) {
		now, err = words.read()
		return err
	})
	return words, now, err
}

// rung gives the bells whose words are not what they were at the last look.
func (w *watcher) rung(now *values) bellSet {
	var rung bellSet
	for bell := range w.bells.all() {
		if now[bell] != w.seen[bell] {
			rung.add(bell)
			w.seen[bell] = now[bell]
		}
	}
	return rung
}

// abandon gives watching up for polling, whose first poll tells everybody.
func (s *Set) abandon(reason error) {
	s.watch.alarm.wake()
	s.watch = nil
	s.startPolling(reason)
}

// run carries what w notices to the listeners, until w is abandoned or the Set closed.
func (s *Set) run(w *watcher) {
	defer w.alarm.close()
	var err error
	for {
		words, ok := s.pass(w, err)
		if !ok {
			return
		}
		err = w.alarm.sleep()
		s.board.release(words)
	}
}

// pass looks, tells the listeners what w notices and arms the alarm. The values
// that it waits to change are those of this look, so a ring after it ends the
// sleep before it begins. The caller releases the file after the sleep. It
// reports false if w is out of use, for one because of err.
func (s *Set) pass(w *watcher, err error) (*words, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != w {
		return nil, false
	}
	var words *words
	var now values
	if err == nil {
		words, now, err = w.look()
	}
	if err != nil {
		s.abandon(err)
		return nil, false
	}
	rung := w.rung(&now)
	s.tell(&rung)
	w.alarm.arm(words, &w.bells, &w.seen)
	return words, true
}

// tell wakes the listeners of bells.
func (s *Set) tell(bells *bellSet) {
	for bell := range bells.all() {
		for l := range s.ears[bell] {
			l.tell()
		}
	}
}
