package main

import (
	"regexp"
	"strings"
	"testing"
)

// TestTerminalShowsControlCharacters prints what others have written to a terminal,
// which must not act on it unless it is told to.
func TestTerminalShowsControlCharacters(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	const (
		evil  = "a\x1b[2J\u009b1m\u202eb\rc\td\r\ne"
		shown = "a\\x1b[2J\\u009b1m\\u202eb\\rc\td\r\ne\r\n"
		raw   = "a\x1b[2J\u009b1m\u202eb\rc\td\r\r\ne\r\n"
	)
	write := func() { s.weft("queue", "write", "q", evil) }
	shows := func(want string, args ...string) {
		t.Helper()
		c := s.open(args...)
		c.ends(0)
		c.expect(regexp.QuoteMeta(want) + "$")
		if got := c.all(); got != want {
			t.Errorf("weft %s shows %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	write()
	shows(shown, "queue", "peek", "q")
	shows(raw, "queue", "peek", "q", "--raw")
	if got := s.weft("queue", "peek", "q"); got != evil+"\n" {
		t.Errorf("a pipe gets %q", got)
	}
	shows(shown, "queue", "move", "q", "r")
	shows(shown, "queue", "watch", "r", "-n", "1", "--quiet", "--peek")
	shows(shown, "queue", "read", "r")
	write()
	c := s.open("queue", "peek", "q", "--json", "--raw")
	c.ends(0)
	c.expect(`"message":"a\\u001b\[2J\\u009b1m\\u202eb\\rc\\td\\r\\ne"`)

	tid := strings.TrimSpace(s.weft("run", "--no-wait", "--stream-output", "printf", "%s", evil))
	s.weft("wait", tid)
	shows(shown, "task", "output", tid)
	shows(strings.TrimSuffix(raw, "\r\n"), "task", "output", tid, "--raw")
	shows(shown, "result", tid, "--peek")
	shows(tid+": "+shown, "result", "--all", "--peek")
	c = s.open("task", "log", tid, "--json")
	c.ends(0)
	c.expect("task_initialized")
	if strings.Contains(c.all(), "\u202e") {
		t.Errorf("task log --json shows %q", c.all())
	}
	c = s.open("queue", "peek", "weft.log.tasks", "--all")
	c.ends(0)
	c.expect("work_completed")
	if strings.Contains(c.all(), "\u202e") {
		t.Errorf("queue peek weft.log.tasks shows %q", c.all())
	}

	// What a task prints that weft run waits for is passed on.
	c = s.open("run", "printf", "%s\n", evil)
	c.ends(0)
	c.expect("e\r\n$")
	if got := c.all(); got != raw {
		t.Errorf("weft run passes on %q, want %q", got, raw)
	}
}

// TestTerminalLines has the lines of a task's terminal shown on one that is not raw,
// which ends them by itself.
func TestTerminalLines(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	c := s.openWith(false, "run", "--tty", "printf", "a\nb\n")
	c.ends(0)
	c.expect("b\r\n$")
	if got := c.all(); got != "a\r\nb\r\n" {
		t.Errorf("weft run --tty shows %q", got)
	}
	tid := strings.TrimSpace(s.weft("run", "--no-wait", "--tty", "printf", "a\nb\n"))
	s.weft("wait", tid)
	if got := s.weft("task", "output", tid); got != "a\r\nb\r\n" {
		t.Errorf("a pipe gets %q", got)
	}
	c = s.open("result", tid)
	c.ends(0)
	c.expect("b\r\n$")
	if got := c.all(); got != "a\r\nb\r\n" {
		t.Errorf("weft result shows %q", got)
	}
}
