package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
)

// A sink is standard output. It remembers that writing failed, which is how
// an answer that did not arrive is told from an answer that could not be had.
type sink struct {
	file     *os.File
	terminal bool          // a person reads it
	buf      *bufio.Writer // nil while nothing is buffered
	shown    *escaper      // nil until text is written through it
	err      error
}

// through is the sink behind e, of which there is one.
func (s *sink) through(e *escaper) *escaper {
	if s.shown == nil {
		e.to = s
		s.shown = e
	}
	return s.shown
}

// finish writes all that is held back, because nothing follows that belongs to it.
func (s *sink) finish() error {
	if s.shown != nil {
		_ = s.shown.end() // remembered
	}
	return s.Flush()
}

// Write writes at once, byte for byte.
func (s *sink) Write(p []byte) (int, error) {
	if err := s.Flush(); err != nil {
		return 0, err
	}
	n, err := s.file.Write(p)
	s.fail(err)
	return n, s.err
}

// Printf writes text, at the latest with the next Write or Flush.
func (s *sink) Printf(format string, args ...any) {
	if s.buf == nil {
		s.buf = bufio.NewWriterSize(s.file, 64<<10)
	}
	fmt.Fprintf(s.buf, format, args...)
}

// later writes to a sink, at the latest with the next Write or Flush of that.
type later struct{ *sink }

func (l later) Write(p []byte) (int, error) {
	l.Printf("%s", p)
	return len(p), l.err
}

// Flush writes what is buffered.
func (s *sink) Flush() error {
	if s.err == nil && s.buf != nil {
		s.fail(s.buf.Flush())
	}
	return s.err
}

func (s *sink) fail(err error) {
	if err != nil && s.err == nil {
		s.err = fmt.Errorf("write standard output: %w", err)
	}
}

// errClosed is returned when the reader of the answer is gone.
var errClosed = errors.New("standard output is closed: open it, or send it to /dev/null")

// closed reports whether the reader of the output has closed it.
func (s *sink) closed() bool { return errors.Is(s.err, syscall.EPIPE) }

// input returns standard input where it is a pipe or a file: that is input
// somebody has given. A terminal and /dev/null are none, and a closed one has
// become /dev/null when the program began.
func input(f *os.File) io.Reader {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice != 0 {
		return nil
	}
	return f
}

// size is how many columns and rows the terminal has: as COLUMNS and LINES say, or else
// the terminal. Both are 0 if no person reads.
func (s *sink) size() (columns, rows int) {
	if !s.terminal {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(s.file.Fd()))
	if err != nil {
		columns, rows = 80, 24
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		columns = n
	}
	if n, err := strconv.Atoi(os.Getenv("LINES")); err == nil && n > 0 {
		rows = n
	}
	return columns, rows
}

// isTerminal reports whether a person reads what is written to f.
func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }
