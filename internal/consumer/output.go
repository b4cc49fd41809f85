package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"weft/internal/disk"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

const (
	// inMemory is how much of a stream is kept in memory. Beyond it, or once a task has run
	// for liveAfter, the stream goes to its file, where followers can read it. Most tasks
	// end before either.
	inMemory  = 64 << 10
	liveAfter = 20 * time.Millisecond
	// stderrTail is how much of the end of the standard error is kept in the task's record.
	stderrTail = 64 << 10
	// previewBytes is how much of a large output its message quotes.
	previewBytes = 1 << 10
	// roomStep is how many bytes of a stream are written between two checks that the
	// reserve of the store remains free.
	roomStep = 256 << 10
	// fullRetry is the longest pause between attempts to write to a full disk.
	fullRetry = time.Second
)

// An output keeps one stream of a task. It never makes the task wait for a reader, only for
// a full disk.
type output struct {
	path    string
	notify  func()          // notifies followers of new output
	abandon <-chan struct{} // closed when a full disk is no longer waited for

	order     *order // of both streams of the task; its lock guards the fields below
	stream    int
	immediate bool // write to the file from now on
	buf       []byte
	file      *os.File
	size      int64
	inFile    int64 // of the stream; buf follows it
	room      int64 // the file may grow to this size without another check
	closed    bool
	tail      []byte
	digest    hash.Hash // of what is in the file; nil before the first write
	err       error     // why the file is incomplete

	changed chan struct{} // closed when there is more, or the stream ends; nil: no reader waits
}

func newOutput(path string, notify func(), abandon <-chan struct{}) *output {
	o := &output{path: path, notify: notify, abandon: abandon}
	o.order = &order{streams: []*output{o}}
	return o
}

// Write keeps the next piece of the stream; it never fails.
func (o *output) Write(p []byte) (int, error) {
	o.add(p)
	return len(p), nil
}

// String returns the end of a standard error.
func (o *output) String() string { return string(o.tail) }

func (o *output) add(p []byte) {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	if o.tail = append(o.tail, p...); len(o.tail) > 2*stderrTail {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-stderrTail:]...)
	}
	p = o.order.cut(p)
	o.order.note(o.stream, len(p))
	o.size += int64(len(p))
	o.buf = append(o.buf, p...)
	if !o.immediate && len(o.buf) > inMemory {
		o.order.immediate()
	}
	if o.immediate && len(o.buf) > 0 {
		o.flush()
	}
}

// live makes the stream visible to followers from now on.
func (o *output) live() {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	o.order.immediate()
}

// OutputsWait reports whether large outputs wait, as on a full disk: the remaining room is
// for the store, which must record how tasks end.
func OutputsWait(s disk.Space) bool { return s.Free < min(16<<20, s.Total/16)+roomStep }

// errReserved is the error of writing a large output into that reserve.
var errReserved = fmt.Errorf("the rest is kept for the store: %w", syscall.ENOSPC)

// checkRoom returns errReserved if the stream must not take more room. A short stream
// always may: recording it takes as much.
func (o *output) checkRoom() error {
	end := o.inFile + int64(len(o.buf))
	if end <= max(o.room, inMemory) {
		return nil
	}
	if space, known := disk.SpaceIn(filepath.Dir(o.path)); known && OutputsWait(space) {
		return errReserved
	}
	o.room = end + roomStep
	return nil
}

// flush moves the buffer to the file. While the disk is full it retries until there is room
// or the task is being ended: a task that prints has to wait, but its output is not lost.
func (o *output) flush() {
	for pause := 10 * time.Millisecond; o.err == nil; pause = min(2*pause, fullRetry) {
		err := o.checkRoom()
		if err == nil {
			err = o.write()
		}
		if err == nil {
			o.notify()
			o.wakeReaders()
			return
		}
		if !noSpace(err) {
			o.err = err
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-o.abandon:
			timer.Stop()
			o.err = err
		}
	}
	o.buf = o.buf[:0]
}

// write appends the buffer to the file and keeps what did not fit.
func (o *output) write() (err error) {
	if o.digest == nil {
		o.digest = sha256.New()
	}
	if o.file == nil {
		if o.file, err = project.CreateOutput(o.path); err != nil {
			return err
		}
	}
	n, err := o.file.Write(o.buf)
	o.digest.Write(o.buf[:n])
	o.inFile += int64(n)
	o.buf = append(o.buf[:0], o.buf[n:]...)
	return err
}

// piece returns the part of the stream at off, at most as large as room. end reports that
// the stream ends there.
func (o *output) piece(room []byte, off int64) (p []byte, end bool) {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	has := o.inFile + int64(len(o.buf))
	n := 0
	switch {
	case off < o.inFile:
		want := int(min(int64(len(room)), o.inFile-off))
		if n, _ = o.file.ReadAt(room[:want], off); n < want {
			has = off + int64(n) // the file has been truncated
		}
	case off < has:
		n = copy(room, o.buf[off-o.inFile:])
	}
	return room[:n], o.closed && off+int64(n) >= has
}

// close ends the stream; only after it the methods below may be called.
func (o *output) close() {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	o.closed = true
	o.wakeReaders()
}

// written returns the current length of the stream.
func (o *output) written() int64 {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	return o.inFile + int64(len(o.buf))
}

// more returns a channel that is closed when there is new output, or the stream has ended.
func (o *output) more() <-chan struct{} {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// wakeReaders wakes the readers that wait for more.
func (o *output) wakeReaders() {
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
}

// inline returns the whole stream if it is at most limit bytes.
func (o *output) inline(limit int64) ([]byte, bool) {
	if o.size > limit || o.err != nil {
		return nil, false
	}
	if o.file == nil {
		return o.buf, true
	}
	all := make([]byte, o.size)
	if n, err := o.file.ReadAt(all, 0); n < len(all) {
		o.err = fmt.Errorf("read output back: %w", err)
		return nil, false
	}
	return all, true
}

// keep writes the whole stream to its file, durably, and makes sure that the file has its
// name: the task, or a tidying process, may have removed it.
func (o *output) keep() error {
	if o.err == nil && (o.file == nil || len(o.buf) > 0) {
		o.err = o.write()
	}
	if o.err == nil {
		o.err = o.restore()
	}
	if o.err == nil {
		o.err = project.SyncOutput(o.path, o.file)
	}
	return o.err
}

func (o *output) restore() error {
	o.order.mu.Lock()
	defer o.order.mu.Unlock()
	file, err := project.RestoreOutput(o.path, o.file)
	if err == nil {
		o.file = file
	}
	return err
}

// discard removes the file, once its content is stored elsewhere.
func (o *output) discard() {
	if o.file != nil {
		_ = project.RemoveOutput(o.path) // else tidy removes it
	}
}

// result describes the task's output in the hand-off. A stream stays in its file if,
// written as a message, it does not fit into maxMessage bytes, if it is larger than limit,
// or if onlyText is set and it is no text.
func result(h *ledger.HandOff, stdout, stderr *output, limit int64, maxMessage int, onlyText bool) (kept []*output) {
	if !describeStdout(h, stdout, limit, maxMessage, onlyText) {
		kept = append(kept, stdout)
	}
	describeStderr(h, stderr)
	if h.Output.StderrTruncated() {
		_ = stderr.keep() // noted below
		kept = append(kept, stderr)
	}
	h.Output.InMemory = stdout.file == nil && stderr.file == nil
	noteIncomplete(h, stdout, stderr)
	return kept
}

// describeStdout returns false if the standard output stays in its file.
func describeStdout(h *ledger.HandOff, stdout *output, limit int64, maxMessage int, onlyText bool) (inline bool) {
	h.Output.Form, h.Output.Size = ledger.FormText, stdout.size
	all, fits := stdout.inline(min(limit, int64(maxMessage)))
	switch {
	case fits && utf8.Valid(all):
		h.Result = all
	case fits && !onlyText && len(all) <= maxMessage/4*3-bytesEnvelope:
		h.Result, h.Output.Form = all, ledger.FormBytes
	default:
		h.Output.Form = ledger.FormFile
		_ = stdout.keep() // noted below
		h.Output.Digest = hex.EncodeToString(stdout.digest.Sum(nil))
		h.Preview = stdout.preview()
		return false
	}
	return true
}

func describeStderr(h *ledger.HandOff, stderr *output) {
	h.Output.StderrSize = stderr.size
	h.Output.Stderr = taskspec.Tail(stderr.tail, stderrTail)
}

// noteIncomplete adds to the error which output could not be kept.
func noteIncomplete(h *ledger.HandOff, streams ...*output) {
	for _, o := range streams {
		if o.err != nil {
			h.Outcome.Error = strings.TrimPrefix(fmt.Sprintf("%s; output is incomplete: %v", h.Outcome.Error, o.err), "; ")
		}
	}
}

// bytesEnvelope is an upper bound of the JSON around a result in base64.
const bytesEnvelope = 256

// preview returns the beginning of the stream as text.
func (o *output) preview() string {
	if o.file == nil {
		return ""
	}
	head := make([]byte, previewBytes)
	n, _ := o.file.ReadAt(head, 0)
	for head = head[:n]; len(head) > 0 && !utf8.Valid(head) && len(head) > n-utf8.UTFMax; {
		head = head[:len(head)-1] // a character that is cut off
	}
	if !utf8.Valid(head) {
		return ""
	}
	return string(head)
}
