package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ballastBytes is the room reserved for a full disk: even deleting needs room in the log,
// and 4 MiB hold about a thousand pages of it.
const ballastBytes = 4 << 20

// A ballast is a file whose only purpose is to be deleted when the disk is
// full, so that work in progress can still be recorded and cleaned up.
type ballast struct{ path string }

func newBallast(dir string) *ballast { return &ballast{filepath.Join(dir, "ballast")} }

// make makes the file, unless it exists. A store works without it; if there is no room,
// none is reserved.
func (b *ballast) make() error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create ballast: %w", err)
	}
	if err = errors.Join(allocate(f, ballastBytes), f.Close()); err == nil {
		return nil
	}
	if err := os.Remove(b.path); err != nil {
		return fmt.Errorf("remove ballast: %w", err)
	}
	for _, noRoom := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, noRoom) {
			return nil
		}
	}
	return fmt.Errorf("fill ballast: %w", err)
}

// release deletes the file and reports whether it existed.
func (b *ballast) release() bool { return os.Remove(b.path) == nil }
