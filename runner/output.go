package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"weft/internal/disk"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

const (
	// inMemory is how much of a stream is kept in memory. Beyond it, or once a
	// task has run for lively, the stream goes to its file, where others can
	// follow it. Most tasks are over before either.
	inMemory  = 64 << 10
	liveAfter = 20 * time.Millisecond
	// stderrTail is how much of the end of the standard error is kept in the
	// task's record.
	stderrTail = 64 << 10
	// previewBytes is how much of a large output its message quotes.
	previewBytes = 1 << 10
	// roomLook is how many bytes of a stream are written before it is made sure
	// again that the store keeps its room.
	roomLook = 256 << 10
	// fullRetry is the longest pause between attempts to write to a full disk.
	fullRetry = time.Second
)

// An output keeps one stream of a task. It never makes the task wait for a
// reader; only for the disk when that is full.
type output struct {
	path    string
	ring    func()          // tells followers that there is more
	abandon <-chan struct{} // closed when a full disk is no longer waited for

	mu        sync.Mutex
	immediate bool // write to the file from now on
	buf       []byte
	file      *os.File
	size      int64
	inFile    int64 // of the stream; what is in buf comes after it
	room      int64 // there was room for so much of it in the file
	closed    bool
	seen      int64 // the size when idle was last asked
	tail      []byte
	digest    hash.Hash // of what is in the file; nil before the first write
	err       error     // why the file is incomplete

	changed chan struct{} // closed when there is more, or no more; nil: nobody asks
}

func newOutput(path string, ring func(), abandon <-chan struct{}) *output {
	return &output{path: path, ring: ring, abandon: abandon}
}

// drain reads the stream to its end.
func (o *output) drain(r io.Reader) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		if n > 0 {
			o.add(chunk[:n])
		}
		if err != nil {
			return // the end, or the deadline that was set when the tree was dead
		}
	}
}

func (o *output) add(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.size += int64(len(p))
	if o.tail = append(o.tail, p...); len(o.tail) > 2*stderrTail {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-stderrTail:]...)
	}
	o.buf = append(o.buf, p...)
	if o.immediate || o.file != nil || len(o.buf) > inMemory {
		o.flush()
	}
}

// live makes the stream visible to followers from now on.
func (o *output) live() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.immediate = true
	if len(o.buf) > 0 {
		o.flush()
	}
}

// idle reports whether nothing has come since it was last asked, and nothing
// is being written.
func (o *output) idle() bool {
	if !o.mu.TryLock() {
		return false
	}
	defer o.mu.Unlock()
	idle := o.size == o.seen
	o.seen = o.size
	return idle
}

// OutputsWait reports whether large outputs wait, as on a full disk: what there is left
// is for the store, which must record how tasks end.
func OutputsWait(s disk.Space) bool { return s.Free < min(16<<20, s.Total/16)+roomLook }

// errReserved is what writing a large output then gives.
var errReserved = fmt.Errorf("the rest is kept for the store: %w", syscall.ENOSPC)

// checkRoom returns errReserved while a stream that goes on must not take more room. A
// short one may: to record it takes as much.
func (o *output) checkRoom() error {
	end := o.inFile + int64(len(o.buf))
	if end <= max(o.room, inMemory) {
		return nil
	}
	if space, known := disk.SpaceIn(filepath.Dir(o.path)); known && OutputsWait(space) {
		return errReserved
	}
	o.room = end + roomLook
	return nil
}

// flush moves what is in memory to the file. While the disk is full it tries
// again until there is room or somebody ends the task: a task that prints has
// to wait, but what it printed is not lost.
func (o *output) flush() {
	for pause := 10 * time.Millisecond; o.err == nil; pause = min(2*pause, fullRetry) {
		err := o.checkRoom()
		if err == nil {
			err = o.write()
		}
		if err == nil {
			o.ring()
			o.tell()
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

// piece returns what the stream has at off, at most as much as there is room
// for. end says that nothing follows, and that nothing will.
func (o *output) piece(room []byte, off int64) (p []byte, end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	has := o.inFile + int64(len(o.buf))
	n := 0
	switch {
	case off < o.inFile:
		want := int(min(int64(len(room)), o.inFile-off))
		if n, _ = o.file.ReadAt(room[:want], off); n < want {
			has = off + int64(n) // somebody has cut the file
		}
	case off < has:
		n = copy(room, o.buf[off-o.inFile:])
	}
	return room[:n], o.closed && off+int64(n) >= has
}

// close ends the stream; then the methods below may be called.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.tell()
}

// written is how long the stream is by now.
func (o *output) written() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inFile + int64(len(o.buf))
}

// more returns what is closed when a piece that follows, or the end, can be had
// that could not be had before.
func (o *output) more() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.changed
}

// tell wakes those who have asked for more.
func (o *output) tell() {
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

// keep puts the whole stream into its file, durably, and sees to it that the file
// is found by its name: the task, or somebody who tidies up, may have removed it.
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
	o.mu.Lock()
	defer o.mu.Unlock()
	file, err := project.RestoreOutput(o.path, o.file)
	if err == nil {
		o.file = file
	}
	return err
}

// discard removes the file, once what it held is safe elsewhere.
func (o *output) discard() {
	if o.file != nil {
		_ = project.RemoveOutput(o.path) // else tidy finds it
	}
}

// result describes the task's output for the hand-off. A stream that does not
// fit maxMessage bytes when written as a message, or is larger than limit, or is
// no text where only text will do, stays in its file.
func result(h *ledger.HandOff, stdout, stderr *output, limit int64, maxMessage int, onlyText bool) (kept []*output) {
	if !describeStdout(h, stdout, limit, maxMessage, onlyText) {
		kept = append(kept, stdout)
	}
	describeStderr(h, stderr)
	if h.Output.StderrTruncated() {
		_ = stderr.keep() // its error is reported below
		kept = append(kept, stderr)
	}
	h.Output.InMemory = stdout.file == nil && stderr.file == nil
	noteIncomplete(h, stdout, stderr)
	return kept
}

// describeStdout reports false if the standard output stays in its file.
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
		_ = stdout.keep() // its error is noted
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

// noteIncomplete says in the error what of the output could not be kept.
func noteIncomplete(h *ledger.HandOff, streams ...*output) {
	for _, o := range streams {
		if o.err != nil {
			h.Outcome.Error = strings.TrimPrefix(fmt.Sprintf("%s; output is incomplete: %v", h.Outcome.Error, o.err), "; ")
		}
	}
}

// bytesEnvelope is more than the JSON around a result in base64.
const bytesEnvelope = 256

// preview is the beginning of the stream as text.
func (o *output) preview() string {
	if o.file == nil {
		return ""
	}
	head := make([]byte, previewBytes)
	n, _ := o.file.ReadAt(head, 0)
	for head = head[:n]; len(head) > 0 && !utf8.Valid(head) && len(head) > n-utf8.UTFMax; {
		head = head[:len(head)-1] // a character cut in two
	}
	if !utf8.Valid(head) {
		return ""
	}
	return string(head)
}
