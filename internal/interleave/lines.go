package interleave

import (
	"bytes"
	"regexp"
	"time"
)

// maxLine is how much of a line is in memory at once, in bytes.
const maxLine = 64 << 10

// Lines turn pieces of two streams into lines. A longer line than 64 KiB becomes several.
type Lines struct {
	Match *regexp.Regexp // the only lines that are wanted, without their ends; nil: all
	Tail  int            // of what there is at first, only so many lines, the last; 0: all
	Pass  func(stream int, line []byte, at time.Time) error
	Skip  func(stream, n int) // n bytes that are not wanted

	begun [streams]line // whose end has not come yet
	tail  []line
	calm  bool // what there was at first has been added
}

type line struct {
	stream int
	data   []byte
	at     time.Time
}

// Holds reports whether the beginning of a line of the stream waits for the rest.
func (l *Lines) Holds(stream int) bool { return len(l.begun[stream].data) > 0 }

// Add adds a piece.
func (l *Lines) Add(stream int, data []byte, at time.Time) error {
	for len(data) > 0 {
		b := &l.begun[stream]
		if len(b.data) == 0 {
			b.stream, b.at = stream, at
		}
		n := bytes.IndexByte(data, '\n') + 1
		whole := n > 0
		if !whole {
			n = len(data)
		}
		if room := maxLine - len(b.data); n >= room {
			n, whole = room, true
		}
		b.data = append(b.data, data[:n]...)
		data = data[n:]
		if whole {
			if err := l.end(stream); err != nil {
				return err
			}
		}
	}
	return nil
}

// end passes on the line of a stream that has begun, if it is wanted.
func (l *Lines) end(stream int) error {
	b := l.begun[stream]
	switch {
	case len(b.data) == 0:
		return nil
	case l.Match != nil && !l.Match.Match(bytes.TrimSuffix(b.data, []byte("\n"))):
		l.begun[stream].data = b.data[:0]
		l.Skip(stream, len(b.data))
		return nil
	case l.Tail > 0 && !l.calm:
		l.begun[stream] = line{}
		if l.tail = append(l.tail, b); len(l.tail) > l.Tail {
			l.Skip(l.tail[0].stream, len(l.tail[0].data))
			l.tail = l.tail[1:]
		}
		return nil
	}
	l.begun[stream].data = b.data[:0]
	return l.Pass(stream, b.data, b.at)
}

// CaughtUp tells that all that is there has been added. If all is true, nothing follows the
// lines that have begun.
func (l *Lines) CaughtUp(all bool) error {
	if all {
		for stream := range l.begun {
			if err := l.end(stream); err != nil {
				return err
			}
		}
	}
	tail := l.tail
	l.tail, l.calm = nil, true
	for _, b := range tail {
		if err := l.Pass(b.stream, b.data, b.at); err != nil {
			return err
		}
	}
	return nil
}
