package notify

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Notify notifies all listeners of names, in this process and in all others, that something
// has changed. Call it after the commit. Names that share a channel notify it once. All
// channels are tried, whatever fails: the error joins what went wrong, and is [ErrClosed]
// after Close.
//
// A channel without listeners costs one system call. With many channels Notify does not
// wait for the last write: then it returns no error but ErrClosed.
func (s *Notifier) Notify(names ...string) error {
	var channels channelSet
	for _, name := range names {
		channels.add(Channel(name))
	}
	many := channels.count() > writesAwaited
	if err := s.wakeSelf(&channels, many); err != nil || many {
		return err
	}
	return s.writeAll(&channels)
}

// writesAwaited is how many channels Notify writes to before it returns. A caller with more
// of them has committed what many others wait for, and has more to do.
const writesAwaited = 8

// wakeSelf wakes the Notifier's own listeners while it polls: a poll need not see the
// changes of its own process (data_version does not), while watched channels also notify
// the writer. If the writes are not awaited, it starts them in the background.
func (s *Notifier) wakeSelf(channels *channelSet, background bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.polling {
		s.wake(channels)
	}
	if background {
		s.running.Go(func() { _ = s.writeAll(channels) })
	}
	return nil
}

// writeAll writes to channels.
func (s *Notifier) writeAll(channels *channelSet) error {
	var errs []error
	for channel := range channels.all() {
		if err := write(filepath.Join(s.dir, fileName(channel))); err != nil {
			errs = append(errs, fmt.Errorf("notify: %w", err))
		}
	}
	return errors.Join(errs...)
}

// fileName returns the name of a channel's file: two hexadecimal digits.
func fileName(channel int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[channel>>4], digits[channel&15]})
}
