package weft

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"

	"weft/internal/interleave"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// An attemptOutput reads what an attempt at a task writes, both streams in the order in which
// they were written, while it runs and after it has ended. The streams are in files, once
// they are long or lively; when the attempt has ended they are there, or in the store.
type attemptOutput struct {
	t       *Task
	epoch   int // of the attempt
	files   [2]*os.File
	index   *os.File
	reader  interleave.Reader
	digest  hash.Hash // of standard output, as far as it was read from its beginning; nil if it was not
	skipped bool      // the reading did not begin at the beginning
	buf     []byte
}

// A pieceFunc gets a piece of a stream, and when it was read from the task, to a second.
type pieceFunc func(stream int, data []byte, at time.Time) error

// outputStreams are the streams, as package interleave numbers them.
var outputStreams = [2]ledger.Stream{interleave.Stdout: ledger.Stdout, interleave.Stderr: ledger.Stderr}

// begin begins to read an attempt, unless it is being read.
func (a *attemptOutput) begin(epoch int) {
	if a.epoch == epoch {
		return
	}
	again := a.epoch != 0
	a.close()
	a.epoch = epoch
	if again { // another attempt: from its beginning
		a.reader, a.skipped = interleave.Reader{}, false
	}
	a.digest = sha256.New()
}

// skip has the reading of an attempt begin at other places than the beginnings.
func (a *attemptOutput) skip(epoch int, off [2]int64) {
	a.begin(epoch)
	a.reader.Off, a.skipped = off, off != [2]int64{}
}

func (a *attemptOutput) close() {
	for _, f := range []*os.File{a.files[0], a.files[1], a.index} {
		if f != nil {
			f.Close()
		}
	}
	a.files, a.index = [2]*os.File{}, nil
}

// running passes on what the attempt that runs has written since the last time. That a file
// is there and cannot be opened is said when the task has ended.
func (a *attemptOutput) running(l *ledger.Task, piece pieceFunc) error {
	a.begin(l.Epoch)
	var s interleave.State
	for i, stream := range outputStreams {
		if err := a.open(&a.files[i], stream); err != nil || a.files[i] == nil {
			continue
		}
		info, err := a.files[i].Stat()
		if err != nil {
			return fmt.Errorf("follow task %s: %w", a.t.tid, err)
		}
		if s.Sizes[i] = info.Size(); s.Rest.Before(info.ModTime()) {
			s.Rest = info.ModTime()
		}
	}
	if err := a.openIndex(&s); err != nil {
		return err
	}
	return a.pieces(s, [2]io.ReaderAt{file(a.files[0]), file(a.files[1])}, piece)
}

// file is f, or a reader of nothing.
func file(f *os.File) io.ReaderAt {
	if f == nil {
		return bytes.NewReader(nil)
	}
	return f
}

// openIndex opens the file of the index, if there is one: see [interleave.State].
func (a *attemptOutput) openIndex(s *interleave.State) error {
	if err := a.open(&a.index, ledger.Index); err != nil || a.index == nil {
		return nil // the streams can be read without it
	}
	info, err := a.index.Stat()
	if err != nil {
		return fmt.Errorf("follow task %s: %w", a.t.tid, err)
	}
	s.Index, s.IndexSize = a.index, info.Size()
	return nil
}

// open opens a file of the attempt, if there is one, unless it is open.
func (a *attemptOutput) open(f **os.File, stream ledger.Stream) (err error) {
	if *f != nil {
		return nil
	}
	path := ledger.OutputFile(a.t.project.dir, a.t.tid, a.epoch, stream)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // of most tasks, which is found out at less cost
	}
	if *f, err = project.OpenOutput(path); err != nil {
		if *f = nil; errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("follow task %s: %w", a.t.tid, err)
	}
	return nil
}

// ended passes on the rest of the wanted streams of an attempt that has ended, as l tells.
// message finds the message that is, or stands for, its standard output. What one stream
// lacks does not keep the other back.
func (a *attemptOutput) ended(ctx context.Context, l *ledger.Task, wanted [2]bool, message func(context.Context, *Task, *ledger.Task) (string, error), piece pieceFunc) error {
	a.begin(l.Epoch)
	s := interleave.State{Rest: unixTime(l.Completed), ValueLast: isFunction(l)}
	from := [2]io.ReaderAt{bytes.NewReader(nil), bytes.NewReader(nil)}
	var lacks [2]error
	if wanted[0] {
		from[0], s.Sizes[0], lacks[0] = a.stdout(ctx, l, message)
	}
	if wanted[1] {
		from[1], s.Sizes[1], lacks[1] = a.stderr(l)
	}
	s.Index, s.IndexSize = bytes.NewReader(l.Output.Index), int64(len(l.Output.Index))
	if l.Output.IndexSize > 0 || l.Output.Form == ledger.FormNone {
		if err := a.openIndex(&s); err != nil {
			return err
		}
	}
	err := a.pieces(s, from, piece)
	if err == nil && l.Output.Digest != "" && wanted[0] && lacks[0] == nil && !a.skipped && hex.EncodeToString(a.digest.Sum(nil)) != l.Output.Digest {
		err = a.changed(l, ledger.Stdout)
	}
	return cmp.Or(err, lacks[0], lacks[1])
}

// stdout finds the standard output of an attempt that has ended.
func (a *attemptOutput) stdout(ctx context.Context, l *ledger.Task, message func(context.Context, *Task, *ledger.Task) (string, error)) (io.ReaderAt, int64, error) {
	none := bytes.NewReader(nil)
	if l.Output.Form == ledger.FormNone {
		return a.left(interleave.Stdout)
	}
	if l.Output.Form != ledger.FormFile {
		body, err := message(ctx, a.t, l)
		if err != nil {
			return none, 0, err
		}
		all, err := decodeOutput(a.t, l, body)
		return bytes.NewReader(all), int64(len(all)), err
	}
	if err := a.open(&a.files[0], ledger.Stdout); err != nil {
		return none, 0, err
	}
	if a.files[0] == nil {
		if _, err := message(ctx, a.t, l); err != nil {
			return none, 0, err
		}
		path := ledger.OutputFile(a.t.project.dir, a.t.tid, l.Epoch, ledger.Stdout)
		return none, 0, fmt.Errorf("task %s: %w: %s (dumps hold no files)", a.t.tid, ErrNoOutput, path)
	}
	size, err := a.size(l, interleave.Stdout, l.Output.Size)
	return file(a.files[0]), size, err
}

// left finds what is left of a stream of an attempt that was lost, if anything is.
func (a *attemptOutput) left(stream int) (io.ReaderAt, int64, error) {
	if err := a.open(&a.files[stream], outputStreams[stream]); err != nil || a.files[stream] == nil {
		return bytes.NewReader(nil), 0, err
	}
	info, err := a.files[stream].Stat()
	if err != nil {
		return bytes.NewReader(nil), 0, err
	}
	return a.files[stream], info.Size(), nil
}

// stderr finds the standard error of an attempt that has ended. Its end is in the record,
// which is good enough where there is no more.
func (a *attemptOutput) stderr(l *ledger.Task) (io.ReaderAt, int64, error) {
	tail := l.Output.Stderr
	if l.Output.Form == ledger.FormNone {
		return a.left(interleave.Stderr)
	}
	if l.Output.StderrTruncated() {
		if err := a.open(&a.files[1], ledger.Stderr); err != nil {
			return bytes.NewReader(nil), 0, err
		}
		if a.files[1] != nil {
			size, err := a.size(l, interleave.Stderr, l.Output.StderrSize)
			return file(a.files[1]), size, err
		}
	}
	return bytes.NewReader(tail), int64(len(tail)), nil
}

// size is that of a stream's file. The error is [ErrOutputChanged] if the file has more than
// the task wrote, which may be without end.
func (a *attemptOutput) size(l *ledger.Task, stream int, wrote int64) (int64, error) {
	info, err := a.files[stream].Stat()
	if err != nil {
		return 0, fmt.Errorf("follow task %s: %w", a.t.tid, err)
	}
	if info.Size() > wrote {
		return 0, a.changed(l, outputStreams[stream])
	}
	return info.Size(), nil
}

func (a *attemptOutput) changed(l *ledger.Task, stream ledger.Stream) error {
	path := ledger.OutputFile(a.t.project.dir, a.t.tid, l.Epoch, stream)
	return fmt.Errorf("task %s: %w: %s", a.t.tid, ErrOutputChanged, path)
}

// pieceBytes is the most that is passed on at once.
const pieceBytes = 32 << 10

// pieces passes on what is there and was not yet.
func (a *attemptOutput) pieces(s interleave.State, from [2]io.ReaderAt, piece pieceFunc) error {
	for {
		seg, more := a.reader.Next(s)
		if !more {
			return nil
		}
		for end := seg.Off + seg.Size; seg.Off < end; {
			if a.buf == nil {
				a.buf = make([]byte, pieceBytes)
			}
			n, err := from[seg.Stream].ReadAt(a.buf[:min(int64(len(a.buf)), end-seg.Off)], seg.Off)
			if n == 0 && err != nil {
				if errors.Is(err, io.EOF) {
					break // the file was truncated
				}
				return fmt.Errorf("follow task %s: %w", a.t.tid, err)
			}
			if seg.Stream == interleave.Stdout {
				a.digest.Write(a.buf[:n])
			}
			if err := piece(seg.Stream, a.buf[:n], seg.Time); err != nil {
				return err
			}
			seg.Off += int64(n)
		}
	}
}

// isFunction reports whether a task that has begun calls a function.
func isFunction(l *ledger.Task) bool {
	work, err := l.Work()
	return err == nil && work.Type == taskspec.KindFunction
}
