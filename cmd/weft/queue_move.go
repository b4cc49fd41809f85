package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"weft"
	"weft/broker"
)

type queueMoveCmd struct {
	Source      string `arg:"" complete:"queue" help:"The queue to take from, or @ and an alias."`
	Destination string `arg:"" complete:"queue" help:"The queue to put into, or @ and an alias."`
	selector
}

// Run moves messages.
func (c *queueMoveCmd) Run(a *app, p *weft.Project) (err error) {
	src, err := resolve(p, c.Source)
	if err != nil {
		return err
	}
	dst, err := resolve(p, c.Destination)
	if err != nil {
		return err
	}
	var moved spool
	defer func() { err = errors.Join(err, moved.close()) }()
	n := 0
	err = p.Broker().Update(context.Background(), func(tx *broker.Tx) error {
		// What is printed is written down before it can be read from its new
		// place, because then another process may take it.
		if err := moved.reset(); err != nil {
			return err
		}
		var failed error
		err := tx.Scan(src.Name(), c.selected, func(m broker.Message) bool {
			var line []byte
			if line, failed = a.line(m, c.Timestamps); failed == nil {
				failed = moved.write(line)
			}
			return failed == nil
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		n, err = tx.MoveAll(src.Name(), dst.Name(), c.selected)
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		return none(src)
	}
	return moved.copyTo(a.shown(c.Raw))
}

// A spool keeps what is to be printed later: in memory while it is short, in a
// temporary file when it is long.
type spool struct {
	short bytes.Buffer
	long  *os.File
}

// spoolBytes is how much of it is in memory.
const spoolBytes = 4 << 20

// reset empties the spool.
func (s *spool) reset() error {
	s.short.Reset()
	return s.close()
}

func (s *spool) write(p []byte) error {
	s.short.Write(p)
	if s.short.Len() < spoolBytes {
		return nil
	}
	if s.long == nil {
		f, err := os.CreateTemp("", "weft-move-")
		if err != nil {
			return fmt.Errorf("keep messages to print: %w", err)
		}
		s.long = f
		// Where an open file can lose its name, nothing is left if this process
		// is killed; elsewhere close removes it.
		_ = os.Remove(f.Name())
	}
	if _, err := s.short.WriteTo(s.long); err != nil {
		return fmt.Errorf("keep messages to print: %w", err)
	}
	return nil
}

// copyTo writes all that is in the spool to w.
func (s *spool) copyTo(w io.Writer) error {
	if s.long != nil {
		if _, err := s.long.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if _, err := io.Copy(w, s.long); err != nil {
			return err
		}
	}
	_, err := s.short.WriteTo(w)
	return err
}

// close removes the file, and with it what is in it.
func (s *spool) close() error {
	if s.long == nil {
		return nil
	}
	f := s.long
	s.long = nil
	err := f.Close()
	if removed := os.Remove(f.Name()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
