package notify

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Notify tells everybody who listens to one of names, in this process and in all
// others, that something has changed. Call it after the commit. Names that share
// a bell ring it once. All bells are tried, whatever fails: the error joins what
// went wrong, and is [ErrClosed] after Close.
//
// A bell that nobody listens to costs one system call. Of many bells Ring does not
// wait for the last: then nothing but ErrClosed is returned.
func (s *Notifier) Notify(names ...string) error {
	var bells channelSet
	for _, name := range names {
		bells.add(Channel(name))
	}
	many := bells.count() > writesAwaited
	if err := s.wakeSelf(&bells, many); err != nil || many {
		return err
	}
	return s.writeAll(&bells)
}

// writesAwaited is how many bells are rung before Ring returns. Who rings more of them
// has committed what many others wait for, and has more to do.
const writesAwaited = 8

// wakeSelf wakes the Set's own listeners while it polls: a poll need not see what
// its own process did (data_version does not), while watched bells ring here too. If
// others are not to be awaited, they are woken meanwhile.
func (s *Notifier) wakeSelf(bells *channelSet, meanwhile bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.polling {
		s.wake(bells)
	}
	if meanwhile {
		s.running.Go(func() { _ = s.writeAll(bells) })
	}
	return nil
}

// writeAll strikes bells.
func (s *Notifier) writeAll(bells *channelSet) error {
	var errs []error
	for bell := range bells.all() {
		if err := write(filepath.Join(s.dir, fileName(bell))); err != nil {
			errs = append(errs, fmt.Errorf("ring bell: %w", err))
		}
	}
	return errors.Join(errs...)
}

// fileName is the name of a bell's file inside the folder: two hexadecimal digits.
func fileName(bell int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[bell>>4], digits[bell&15]})
}
