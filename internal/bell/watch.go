package bell

import (
	"runtime"
	"time"
)

// lookAgain is how long a listener sleeps at most, and so how long it may sleep
// beside the bells after somebody has deleted their file.
const lookAgain = 5 * time.Second

// watcher notices which words change. All but alarm.sleep is used with Set.mu
// held.
type watcher struct {
	board *board
	alarm *alarm
	words *words  // the file that the alarm is armed with, nil at first
	bells bellSet // that somebody listens to
	seen  values  // what their words, and doubt, were at the last look
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
	words, now, err := w.inFolder()
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

// inFolder gives the file that is in the folder now, and its words. The caller
// releases it.
func (w *watcher) inFolder() (*words, values, error) {
	var now values
	words, err := w.board.use(func(words *words) (err error) {
		now, err = words.read()
		return err
	})
	return words, now, err
}

// look gives the bells whose words have changed since the last look. It makes
// sure that the file is the one in the folder if that is in doubt.
func (w *watcher) look(inDoubt bool) (rung bellSet, err error) {
	var now values
	if !inDoubt && w.words != nil {
		now, err = w.words.read()
	}
	// Asking the file system every time would make listeners wake 10 % later.
	if inDoubt || w.words == nil || err != nil || now[doubt] != w.seen[doubt] {
		w.letGo()
		if w.words, now, err = w.inFolder(); err != nil {
			return rung, err
		}
		w.seen[doubt] = now[doubt]
	}
	for bell := range w.bells.all() {
		if now[bell] != w.seen[bell] {
			rung.add(bell)
			w.seen[bell] = now[bell]
		}
	}
	return rung, nil
}

func (w *watcher) letGo() {
	if w.words != nil {
		w.board.release(w.words)
		w.words = nil
	}
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
	defer w.letGo()
	inDoubt, err := true, error(nil)
	for s.pass(w, inDoubt, err) {
		// To block a thread is no pause for the scheduler: without this one the
		// listeners that were told would have to wait for another thread, 30 us.
		runtime.Gosched()
		inDoubt, err = w.alarm.sleep()
	}
}

// pass looks, tells the listeners what w notices and arms the alarm. The values
// that it waits to change are those of this look, so a ring after it ends the
// sleep before it begins. It reports false if w is out of use, for one because
// its sleep ended with err.
func (s *Set) pass(w *watcher, inDoubt bool, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != w {
		return false
	}
	var rung bellSet
	if err == nil {
		rung, err = w.look(inDoubt)
	}
	if err != nil {
		s.abandon(err)
		return false
	}
	s.tell(&rung)
	w.alarm.arm(w.words, &w.bells, &w.seen)
	return true
}

// tell wakes the listeners of bells.
func (s *Set) tell(bells *bellSet) {
	for bell := range bells.all() {
		for l := range s.ears[bell] {
			l.tell()
		}
	}
}
