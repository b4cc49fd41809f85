package consumer

import "testing"

// TestSlots takes slots from both sides: a server's loop, and those who submit in
// its program, who must not get ahead of a request that waits.
func TestSlots(t *testing.T) {
	t.Parallel()
	s := slots{free: 2}
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("before the loop has looked", s.reserve(), false)
	s.admit(true)
	check("the first", s.reserve(), true)
	check("taken by the loop, of three", s.take(3), 1)
	check("one is free", s.any(), false)
	check("taken", s.used(2), 2)
	check("the third", s.reserve(), false)
	s.give(1)
	check("behind the third", s.reserve(), false)
	s.admit(true)
	check("after the loop has looked", s.reserve(), true)
	s.give(2)
	s.close()
	s.admit(true)
	check("at the end", s.reserve(), false)
	check("taken at the end", s.used(2), 0)
}
