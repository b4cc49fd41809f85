package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A disk measures what one fsync costs, in the way in which SQLite's log pays
// for it: a page is written over an older one, then the file is synced.
type disk struct {
	file *os.File
	page []byte
	next int64
}

// diskPages is how many pages are written in turns: as many as SQLite's log has
// between two checkpoints.
const diskPages = 1000

// openDisk makes the file. The caller closes the disk.
func openDisk(dir string) (*disk, error) {
	d := &disk{page: make([]byte, 4096)}
	var err error
	if d.file, err = os.Create(filepath.Join(dir, "fsync")); err != nil {
		return nil, err
	}
	_, err = d.file.Write(make([]byte, diskPages*len(d.page)))
	if err = errors.Join(err, d.file.Sync()); err != nil {
		return nil, errors.Join(err, d.file.Close())
	}
	return d, nil
}

// sync writes a page and syncs it. It returns milliseconds.
func (d *disk) sync() (float64, error) {
	d.page[0]++
	begin := time.Now()
	if _, err := d.file.WriteAt(d.page, d.next*int64(len(d.page))); err != nil {
		return 0, fmt.Errorf("write page: %w", err)
	}
	if err := unix.Fsync(int(d.file.Fd())); err != nil {
		return 0, fmt.Errorf("sync page: %w", err)
	}
	d.next = (d.next + 1) % diskPages
	return milliseconds(time.Since(begin)), nil
}

func (d *disk) close() error { return d.file.Close() }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
