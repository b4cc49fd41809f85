package consumer

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"weft/internal/interleave"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/monitor"
	"weft/taskspec"
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

	limit int64 // bytes that are kept of both; 0: all
	// over gets the violation, if that ends the task; it has room for one.
	over chan monitor.Violation

	mu       sync.Mutex
	kept     int64
	left     int64 // bytes that were left out, beyond the limit
	recorder interleave.Recorder
	file     *os.File
	written  int // bytes of the index in the file
	stays    bool
	err      error
}

// bound bounds what is kept, as the task's spec and the project say. What a stage passes on
// and the value of a function are not truncated: a part would be taken for all.
func (d *order) bound(a *ledger.Assignment) {
	l := a.Work.Limits
	if d.limit = int64(a.OutputMB) << 20; l.OutputMB != nil {
		d.limit = int64(*l.OutputMB * (1 << 20))
	}
	if l.OutputPolicy == taskspec.OutputKill || a.ForNextStage || a.Function != nil {
		d.over = make(chan monitor.Violation, 1)
	}
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

// cut returns what is to be kept of p, which is more than the limit allows from some time on.
// The caller holds the lock.
func (d *order) cut(p []byte) []byte {
	room := d.limit - d.kept
	if d.limit == 0 || int64(len(p)) <= room {
		d.kept += int64(len(p))
		return p
	}
	if d.left == 0 && d.over != nil {
		d.over <- monitor.Violation{Text: fmt.Sprintf("output > %s MB", d.megabytes()), AtOnce: true}
	}
	d.kept = d.limit
	d.left += int64(len(p)) - room
	return p[:room]
}

func (d *order) megabytes() string { return strconv.FormatFloat(float64(d.limit)/(1<<20), 'f', -1, 64) }

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
	if h.Output.LeftOut = d.left; d.left > 0 && d.over == nil {
		note := fmt.Sprintf("output is cut at %s MB: %d more bytes were left out", d.megabytes(), d.left)
		h.Outcome.Error = strings.TrimPrefix(h.Outcome.Error+"; "+note, "; ")
	}
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
