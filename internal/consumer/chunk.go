package consumer

import (
	"sync"
	"time"
	"unicode/utf8"

	"weft/internal/ledger"
)

const (
	// chunkBytes bounds the data of one report of chunks. As JSON it must fit into the
	// socket of a manager that does not read: nothing else that the consumer has to report
	// may wait behind it.
	chunkBytes = 64 << 10
	// chunkPause is the pause between two reports as long as each holds all the output
	// there is. A stream that exceeds chunkBytes in that time is reported without pauses.
	chunkPause = 50 * time.Millisecond
	// chunkShare is the fraction of the message limit that the data of a chunk may fill: in
	// JSON, one byte of text may become six.
	chunkShare = 8
)

// A sender sends the output of a task in chunks while the task produces it. Only the end of
// the task waits for it. It reads what it has not sent yet from the outputs, so it needs
// memory for one report only.
type sender struct {
	tid     string
	epoch   int
	record  func(*ledger.Chunks) error // returns when the chunks are durable, or never can be
	streams [2]chunked
	room    []byte
	seq     int // of the last report

	more   chan struct{} // there is new output
	closed chan struct{} // the outputs are closed
	loop   sync.WaitGroup
}

// newSender returns a sender for the outputs of a task. It may read them until finish has
// returned.
func newSender(a *ledger.Assignment, stdout, stderr *output, record func(*ledger.Chunks) error) *sender {
	return &sender{
		tid: a.TID, epoch: a.Epoch, record: record,
		streams: [2]chunked{{from: stdout, stream: ledger.Stdout}, {from: stderr, stream: ledger.Stderr}},
		room:    make([]byte, min(chunkBytes, a.MaxMessage/chunkShare)),
		more:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
}

// wake tells the sender that there is new output. It never blocks.
func (s *sender) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// start starts sending.
func (s *sender) start() { s.loop.Go(s.run) }

// finish sends the rest of outputs that have been closed, and returns the sequence number
// of the last report.
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
				return // the attempt is over, or the project is gone
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

// gather fills the buffer from the streams, and reports whether there may be more.
func (s *sender) gather() (chunks []ledger.Chunk, more bool) {
	room := s.room
	for i := range s.streams {
		// The streams take turns at being first, or one could starve the other.
		c, ok := s.streams[(s.seq+i)%len(s.streams)].next(room)
		if ok {
			chunks = append(chunks, c)
			room = room[len(c.Data):]
		}
	}
	return chunks, len(room) < utf8.UTFMax
}

// A chunked is one stream and how far it has been sent.
type chunked struct {
	from   *output
	stream ledger.Stream
	number int   // of the next chunk
	off    int64 // of the next chunk in the stream
	final  bool  // there is no next chunk
}

// next returns the next chunk of the stream, at most as large as room.
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

// whole returns text without a character that is cut off at its end.
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
