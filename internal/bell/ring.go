package bell

import "fmt"

// Ring tells everybody who listens to one of names, in this process and in all
// others, that something has changed. Call it after the commit. Names that share
// a bell ring it once. After Close the error is [ErrClosed]; any other means that
// some of the bells may not have been heard.
func (s *Set) Ring(names ...string) error {
	var bells bellSet
	for _, name := range names {
		bells.add(Number(name))
	}
	w, err := s.board.use(func(w *words) error {
		for bell := range bells.all() {
			if err := w.strike(bell); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.board.release(w)
	}
	s.tellSelf(&bells)
	if err != nil {
		return fmt.Errorf("ring bells: %w", err)
	}
	return nil
}
