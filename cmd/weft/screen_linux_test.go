package main

import (
	"regexp"
	"strings"
	"testing"
)

// What is watched is shown in place: nothing scrolls, whatever the size of the terminal, and
// what was there before comes back.
func TestWatchStaysInPlace(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	for range 40 {
		s.weft("run", "--no-wait", "--delay", "1h", "--name", "a task with a long name", "sh", "-c", strings.Repeat("x", 200))
	}
	c := s.open("status", "--watch", "--interval", "1000")
	c.expect(`\x1b\[\?1049h\x1b\[\?25l\x1b\[HSystem: `)
	c.expect(`… and \d+ more lines\x1b\[K\x1b\[J`)
	c.resize(10, 60)
	c.expect(`\x1b\[HSystem: `)
	c.expect(`… and \d+ more lines\x1b\[K\x1b\[J`)
	s.weft("run", "--no-wait", "--delay", "1h", "--name", "news", "true") // redraws it too
	c.expect(` news `)
	c.expect(`\x1b\[J`)
	c.press("\x03")
	c.expect(`\x1b\[\?25h\x1b\[\?1049l$`)
	c.ends(0)
	shown := c.all()
	_, shown, _ = strings.Cut(shown, "\x1b[H")
	frames := strings.Split(shown, "\x1b[H")
	last := strings.TrimSuffix(frames[len(frames)-1], "\x1b[?25h\x1b[?1049l")
	lines := strings.Split(regexp.MustCompile(`\x1b\[[0-9]*[A-Za-z]`).ReplaceAllString(last, ""), "\r\n")
	lines[len(lines)-1], _, _ = strings.Cut(lines[len(lines)-1], "^C") // the echo of the key
	if len(lines) != 10 {
		t.Errorf("a frame of %d lines in a terminal of 10: %q", len(lines), lines)
	}
	for _, line := range lines {
		if textWidth(line) > 60 {
			t.Errorf("a line of %d columns in a terminal of 60: %q", textWidth(line), line)
		}
	}
}

// SIGQUIT restores the terminal too, and the end of the task that is watched leaves behind how
// it stands.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	s := newSeat(t)
	s.weft("run", "--no-wait", "--delay", "1h", "--name", "later", "true")
	c := s.open("status", "--watch")
	c.expect(`later`)
	c.press("\x1c")
	c.expect(`\x1b\[\?25h\x1b\[\?1049l$`)
	c.ends(exitQuit)
	c = s.open("status", "--watch", "@last")
	c.expect(`created`)
	s.weft("task", "stop", "@last")
	c.expect(`\x1b\[\?1049lTask: .*\r\nName: +later\r\n`)
	c.expect(`cancelled`)
	c.ends(0)
}
