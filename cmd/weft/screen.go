package main

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"sync"
)

// Sequences that every terminal of the last forty years obeys.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	cursorHome  = "\x1b[H"
	clearLine   = "\x1b[K" // from the cursor on
	clearBelow  = "\x1b[J"
)

// A watchScreen shows one frame after the other in place, on the alternate screen of the
// terminal, which has no past and so does not scroll. What was there before comes back when
// it is closed.
type watchScreen struct {
	out   *sink
	close func()
}

// openScreen begins to show frames. SIGQUIT closes the screen too.
func (a *app) openScreen() *watchScreen {
	a.stdout.Printf(enterScreen)
	s := &watchScreen{out: a.stdout, close: sync.OnceFunc(func() {
		a.stdout.Printf(leaveScreen)
		_ = a.stdout.Flush() // remembered
	})}
	a.atQuit.Store(&s.close)
	return s
}

// show shows a frame, as much of it as the terminal has room for now.
func (s *watchScreen) show(frame string) error {
	columns, rows := s.out.size()
	lines := fitFrame(frame, columns, rows)
	s.out.Printf("%s%s%s%s", cursorHome, strings.Join(lines, clearLine+"\n"), clearLine, clearBelow)
	return s.out.Flush()
}

// fitFrame returns the lines of a frame, none longer than the columns, and no more than the
// rows: the last then says how many are left out.
func fitFrame(frame string, columns, rows int) []string {
	lines := strings.Split(strings.TrimSuffix(frame, "\n"), "\n")
	if over := len(lines) - rows; over > 0 && rows > 0 {
		lines = append(lines[:rows-1:rows-1], fmt.Sprintf("… and %d more lines", over+1))
	}
	for i, line := range lines {
		lines[i] = cutText(line, columns)
	}
	return lines
}

// capture returns what is printed meanwhile, instead of printing it.
func (s *sink) capture(print func() error) (string, error) {
	var b bytes.Buffer
	printed := s.buf
	defer func() { s.buf = printed }()
	s.buf = bufio.NewWriter(&b)
	err := print()
	_ = s.buf.Flush() // into memory
	return b.String(), err
}
