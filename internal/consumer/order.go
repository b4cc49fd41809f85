package consumer

import (
	"os"
	"sync"
	"time"

	"weft/internal/interleave"
	"weft/internal/ledger"
	"weft/internal/project"
)

const (
	// indexInRecord is how long an index may be, in bytes, that is stored in the task's
	// record; a longer one stays in its file.
	indexInRecord = 4 << 10
	// maxIndex bounds an index, in bytes. What comes later has no order and no time: a task
	// that changes the stream with each byte would write more index than output.
	maxIndex = 64 << 20
)

// An order is the order in which the streams of a task are written, and when. While the
// task runs, its index is in a file, but only once it tells more than the streams do.
type order struct {
	path    string // of the file of the index; empty: there is no index
	streams []*output

	mu       sync.Mutex
	recorder interleave.Recorder
	file     *os.File
	written  int // bytes of the index in the file
	stays    bool
	err      error
}

// join returns the order of two streams, which nothing was written to yet.
func join(stdout, stderr *output) *order {
	d := &order{streams: []*output{stdout, stderr}}
	for i, o := range d.streams {
		o.order, o.stream = d, i
	}
	return d
}

// note records that n bytes of a stream have come. The caller holds the lock.
func (d *order) note(stream, n int) {
	if d.path == "" || n == 0 || len(d.recorder.Closed()) > maxIndex {
		return
	}
	d.recorder.Add(stream, n, time.Now())
	if d.streams[0].immediate {
		d.write(d.recorder.Closed())
	}
}

// write writes the rest of the index to its file. What it tells of is in the files of the
// streams by now, as far as they could be written.
func (d *order) write(index []byte) {
	if len(index) == d.written || d.err != nil {
		return
	}
	if d.file == nil {
		if d.file, d.err = project.CreateOutput(d.path); d.err != nil {
			return // the streams are whole without it
		}
	}
	n, err := d.file.Write(index[d.written:])
	d.written += n
	d.err = err
}

// immediate has both streams written to their files from now on. The caller holds the lock.
func (d *order) immediate() {
	for _, o := range d.streams {
		if o.immediate = true; len(o.buf) > 0 {
			o.flush()
		}
	}
	d.write(d.recorder.Closed())
}

// describe stores the index in the hand-off, or keeps its file, once the streams have ended.
func (d *order) describe(h *ledger.HandOff) {
	d.mu.Lock()
	defer d.mu.Unlock()
	index := d.recorder.Finish(h.Ended)
	if len(index) <= indexInRecord {
		h.Output.Index = index
		return
	}
	if d.write(index); d.err == nil {
		d.stays, h.Output.IndexSize = true, int64(len(index))
	}
}

// discard removes the file of the index, unless it stays. d may be nil: a consumer whose
// persistent task waits has no output.
func (d *order) discard() {
	if d == nil || d.file == nil {
		return
	}
	d.file.Close()
	if !d.stays {
		_ = project.RemoveOutput(d.path) // else tidy removes it
	}
}
