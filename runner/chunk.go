package runner

import (
	"sync"
	"time"
	"unicode/utf8"

	"weft/internal/ledger"
)

const (
	// chunkBytes bounds the data of a hand-off of chunks. One must fit the
	// socket to a manager that does not read, in JSON: nothing that the consumer
	// has to say may wait behind it.
	chunkBytes = 64 << 10
	// chunkPause is the time between two hand-offs while each holds all there
	// is. Beyond chunkBytes in that time they follow one another at once.
	chunkPause = 50 * time.Millisecond
	// chunkShare is the part of a message's bound that the data of a chunk may
	// be: in JSON one byte of text may become six.
	chunkShare = 8
)

// A sender hands the output of a task on in chunks while it is produced. Only
// the end of the task waits for it; what it has not handed on yet is in the
// outputs, so that it needs no more memory than one hand-off.
type sender struct {
	tid     string
	epoch   int
	record  func(*ledger.Chunks) error // returns when it is durable, or never can be
	streams [2]chunked
	room    []byte
	seq     int // of the last hand-off

	more   chan struct{} // something has been written
	closed chan struct{} // nothing will be written any more
	loop   sync.WaitGroup
}

// newSender returns a sender for the outputs of a task, which it may read until
// finish has returned.
func newSender(a *Assignment, stdout, stderr *output, record func(*ledger.Chunks) error) *sender {
	return &sender{
		tid: a.TID, epoch: a.Epoch, record: record,
		streams: [2]chunked{{from: stdout, stream: ledger.Stdout}, {from: stderr, stream: ledger.Stderr}},
		room:    make([]byte, min(chunkBytes, a.MaxMessage/chunkShare)),
		more:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
}

// wake tells the sender that there is more. It never waits.
func (s *sender) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// start begins to hand on.
func (s *sender) start() { s.loop.Go(s.run) }

// finish hands on what is left of outputs that have been closed, and returns
// the sequence of the last hand-off.
func (s *sender) finish() (seq int) {
	close(s.closed)
	s.loop.Wait()
	return s.seq
}

func (s *sender) run() {
	pause := time.NewTimer(chunkPause)
	defer pause.Stop()
	for {
		select {
		case <-s.more:
		case <-s.closed:
		}
		for more := true; more; {
			var chunks []ledger.Chunk
			chunks, more = s.gather()
			if len(chunks) == 0 {
				continue
			}
			s.seq++
			if s.record(&ledger.Chunks{TID: s.tid, Epoch: s.epoch, Seq: s.seq, Chunks: chunks}) != nil {
				return // this attempt is over, or its project is gone
			}
		}
		if s.streams[0].final && s.streams[1].final {
			return
		}
		pause.Reset(chunkPause)
		select {
		case <-pause.C:
		case <-s.closed:
		}
	}
}

// gather fills the room with what the streams have, and says whether there may
// be more.
func (s *sender) gather() (chunks []ledger.Chunk, more bool) {
	room := s.room
	for i := range s.streams {
		// They take turns at being first, or one could keep the other out.
		c, ok := s.streams[(s.seq+i)%len(s.streams)].next(room)
		if ok {
			chunks = append(chunks, c)
			room = room[len(c.Data):]
		}
	}
	return chunks, len(room) < utf8.UTFMax
}

// A chunked is one stream and how far it has been handed on.
type chunked struct {
	from   *output
	stream ledger.Stream
	number int   // of the next chunk
	off    int64 // of the next chunk in the stream
	final  bool  // there is no next chunk
}

// next returns what has come, at most as much as there is room for.
func (c *chunked) next(room []byte) (chunk ledger.Chunk, ok bool) {
	if c.final {
		return chunk, false
	}
	data, end := c.from.piece(room, c.off)
	if !end {
		data = whole(data)
	}
	if len(data) == 0 && !end {
		return chunk, false
	}
	chunk = ledger.Chunk{Stream: c.stream, Number: c.number, Final: end, Data: data}
	c.number++
	c.off += int64(len(data))
	c.final = end
	return chunk, true
}

// whole is text without the character at its end that is cut in two.
func whole(text []byte) []byte {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}
