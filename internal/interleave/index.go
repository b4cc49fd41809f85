// Package interleave knows the order in which the two streams of a task were written. The
// streams themselves are stored apart, as they are; an index beside them says which bytes
// of which stream followed which, and when they were read.
package interleave

import (
	"encoding/binary"
	"time"
)

// The streams, as the index numbers them.
const (
	Stdout = iota
	Stderr
	streams
)

// sameTime is how long what comes on one stream belongs to the same piece: the times of an
// index are not finer.
const sameTime = time.Second

// A Recorder makes an index. An index is a sequence of pieces, two varints each: the size
// in bytes, shifted, with the stream in the lowest bit; and the microseconds since the
// piece before, or since 1970.
type Recorder struct {
	closed []byte // the pieces that are complete
	pieces int    // of them
	stream int
	size   int64     // of the open piece
	began  time.Time // likewise
	last   int64     // when the last closed piece began
}

// Add records n bytes of a stream.
func (r *Recorder) Add(stream, n int, now time.Time) {
	if r.size > 0 && (stream != r.stream || now.Sub(r.began) >= sameTime) {
		r.close()
	}
	if r.size == 0 {
		r.stream, r.began = stream, now
	}
	r.size += int64(n)
}

func (r *Recorder) close() {
	r.closed = binary.AppendUvarint(r.closed, uint64(r.size)<<1|uint64(r.stream))
	r.closed = binary.AppendVarint(r.closed, r.began.UnixMicro()-r.last)
	r.last = r.began.UnixMicro()
	r.size = 0
	r.pieces++
}

// Closed returns the part of the index that does not change any more.
func (r *Recorder) Closed() []byte { return r.closed }

// Finish returns the whole index of a task that ended at that time; nil if there is no
// need for one, because one stream was written within a second of the end.
func (r *Recorder) Finish(ended time.Time) []byte {
	if r.pieces == 0 && (r.size == 0 || ended.Sub(r.began) < sameTime) {
		return nil
	}
	if r.size > 0 {
		r.close()
	}
	return r.closed
}

// A piece is an entry of an index.
type piece struct {
	stream int
	size   int64
	since  int64 // the piece before, in microseconds
}

// decode reads the first piece of data. n is 0 if that is not whole, or no piece.
func decode(data []byte) (p piece, n int) {
	head, n := binary.Uvarint(data)
	if n <= 0 {
		return p, 0
	}
	since, m := binary.Varint(data[n:])
	if m <= 0 || head>>1 == 0 || head>>1 > 1<<62 {
		return p, 0
	}
	return piece{int(head & 1), int64(head >> 1), since}, n + m
}
