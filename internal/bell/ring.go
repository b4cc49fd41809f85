package bell

import (
	"errors"
	"fmt"
	"path/filepath"
)

// Ring tells everybody who listens to one of names, in this process and in all
// others, that something has changed. Call it after the commit. Names that share
// a bell ring it once. All bells are tried, whatever fails: the error joins what
// went wrong, and is [ErrClosed] after Close.
//
// A bell that nobody listens to costs one system call.
func (s *Set) Ring(names ...string) error {
	var bells bellSet
	for _, name := range names {
		bells.add(Number(name))
	}
	if err := s.tellSelf(&bells); err != nil {
		return err
	}
	var errs []error
	for bell := range bells.all() {
		if err := strike(filepath.Join(s.dir, fileName(bell))); err != nil {
			errs = append(errs, fmt.Errorf("ring bell: %w", err))
		}
	}
	return errors.Join(errs...)
}

// tellSelf wakes the Set's own listeners while it polls: a poll need not see what
// its own process did (data_version does not), while watched bells ring here too.
func (s *Set) tellSelf(bells *bellSet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.polling {
		s.tell(bells)
	}
	return nil
}

// fileName is the name of a bell's file inside the folder: two hexadecimal digits.
func fileName(bell int) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[bell>>4], digits[bell&15]})
}
