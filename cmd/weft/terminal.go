package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/mattn/go-isatty"

	"weft/taskspec"
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

// isTerminal reports whether a person reads what is written to f.
func isTerminal(f *os.File) bool { return isatty.IsTerminal(f.Fd()) }

// colored decides whether text is colored: when is auto, always or never.
func colored(when string, terminal bool) bool {
	return when == "always" || when == "auto" && os.Getenv("NO_COLOR") == "" && terminal
}

// paint colors the status of a task, or the state of a finding.
func (a *app) paint(s taskspec.Status) string {
	if !a.color {
		return visible(string(s))
	}
	color := map[taskspec.Status]int{
		"ok":                     32, // green
		"note":                   33, // yellow
		taskspec.StatusCompleted: 32,
		taskspec.StatusRunning:   36, // cyan
		taskspec.StatusCreated:   33,
		taskspec.StatusSpawning:  33,
		"paused":                 33,
		taskspec.StatusCancelled: 35, // magenta
	}[s]
	if color == 0 {
		color = 31 // red
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, visible(string(s)))
}

// readable returns text with what is not UTF-8 spelled as an escape. JSON is for it,
// and would lose it.
func readable(text string) string {
	var b strings.Builder
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, text[i])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// visible returns text with everything that a terminal would act on, or that
// is not text, spelled as an escape: one line that shows what is there.
func visible(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return asWritten.Replace(quoted[1 : len(quoted)-1])
}

// asWritten takes back what only a quoted text needs.
var asWritten = strings.NewReplacer(`\\`, `\`, `\"`, `"`)
