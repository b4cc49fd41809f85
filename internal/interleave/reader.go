package interleave

import (
	"encoding/binary"
	"io"
	"time"
)

// A State is what there is of a task's output at some time. The sizes must have been looked
// up before the size of the index: then at most one stream of a task that runs has more
// than the index says, which is the newest.
type State struct {
	Sizes [streams]int64
	Index io.ReaderAt // nil if there is none
	// IndexSize is how long the index is, in bytes.
	IndexSize int64
	// Rest is when that was read of which the index says nothing.
	Rest time.Time
	// ValueLast means that, without an index, standard error comes first.
	ValueLast bool
}

// A Segment is a part of a stream, to be read next.
type Segment struct {
	Stream    int
	Off, Size int64
	Time      time.Time // when the first of it was read, to a second
}

// A Reader tells in which order the output of a task is to be read. The zero value begins at
// the beginning.
type Reader struct {
	// Off is how far each stream has been read. What lies before is skipped.
	Off [streams]int64

	indexed [streams]int64 // how much of each stream the index has told of
	at      int64          // how far the index has been read
	micros  int64          // the time of the last piece
	buf     []byte         // of the index, from at on
}

// Next returns the next segment that is there; more is false if there is none.
func (r *Reader) Next(s State) (seg Segment, more bool) {
	for {
		p, ok := r.piece(s)
		if !ok {
			break
		}
		end := min(r.indexed[p.stream]+p.size, s.Sizes[p.stream])
		r.indexed[p.stream] += p.size
		if seg := (Segment{p.stream, r.Off[p.stream], end - r.Off[p.stream], time.UnixMicro(r.micros)}); seg.Size > 0 {
			r.Off[p.stream] = end
			return seg, true
		}
	}
	order := [streams]int{Stdout, Stderr}
	if s.ValueLast {
		order = [streams]int{Stderr, Stdout}
	}
	for _, stream := range order {
		if size := s.Sizes[stream] - r.Off[stream]; size > 0 {
			seg = Segment{stream, r.Off[stream], size, s.Rest}
			r.Off[stream] = s.Sizes[stream]
			return seg, true
		}
	}
	return Segment{}, false
}

// piece reads the next piece of the index.
func (r *Reader) piece(s State) (piece, bool) {
	if s.Index == nil {
		return piece{}, false
	}
	p, n := decode(r.buf)
	if have := r.at + int64(len(r.buf)); n == 0 && have < s.IndexSize && len(r.buf) < 2*binary.MaxVarintLen64 {
		more := make([]byte, min(4<<10, s.IndexSize-have))
		got, _ := s.Index.ReadAt(more, have) // the rest comes in the order of the streams
		r.buf = append(r.buf, more[:got]...)
		p, n = decode(r.buf)
	}
	if n == 0 {
		return piece{}, false
	}
	r.buf, r.at = r.buf[n:], r.at+int64(n)
	r.micros += p.since
	return p, true
}
