package weft

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"weft/internal/ledger"
)

// A follower copies one stream of a task while the task writes it. While the
// task runs, the stream is in a file, once it is long or lively; when the task
// has ended it is there, or in the result.
type follower struct {
	c      *Context
	tid    string
	stream ledger.Stream
	w      io.Writer // nil: nobody wants it

	file   *os.File
	copied int64
}

// copy writes what has come since the last time.
func (f *follower) copy(epoch int) error {
	if f.w == nil {
		return nil
	}
	if f.file == nil {
		file, err := os.Open(ledger.OutputFile(f.c.dir, f.tid, epoch, f.stream))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow task %s: %w", f.tid, err)
		}
		f.file = file
	}
	n, err := io.Copy(f.w, f.file)
	f.copied += n
	return err
}

// finish writes the rest of the stream of a task that has ended: from its file
// if it stays there, else from what whole returns.
func (f *follower) finish(l *ledger.Task, whole func() ([]byte, error), inFile bool) error {
	if f.w == nil {
		return nil
	}
	if inFile {
		if err := f.copy(l.Epoch); err != nil {
			return err
		}
		if f.file == nil {
			return fmt.Errorf("task %s: %w", f.tid, ErrTaken)
		}
		return nil
	}
	all, err := whole()
	if err != nil {
		return err
	}
	_, err = f.w.Write(all[min(f.copied, int64(len(all))):])
	return err
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
}
