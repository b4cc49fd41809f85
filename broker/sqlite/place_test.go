package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"weft/broker"
)

// TestPlace has the file of an open store removed, replaced and moved. What is
// written afterwards must not be acknowledged where nobody will ever read it, and
// no connection may make a file.
func TestPlace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("who has a file open is told by /proc")
	}
	t.Parallel()
	remove := func(t *testing.T, dir string) {
		for _, end := range []string{"", "-wal", "-shm"} {
			must(t, os.Remove(filepath.Join(dir, Name+end)))
		}
	}
	put := func(t *testing.T, dir string) {
		other := filepath.Join(t.TempDir(), "other")
		b, err := Open(other, Options{})
		must(t, err)
		must(t, b.Close())
		must(t, os.Rename(filepath.Join(other, Name), filepath.Join(dir, Name)))
	}
	for name, test := range map[string]struct {
		do   func(t *testing.T, dir string)
		gone bool
	}{
		"nothing":        {func(*testing.T, string) {}, false},
		"removed":        {remove, true},
		"folder removed": {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, true},
		"replaced":       {func(t *testing.T, dir string) { remove(t, dir); put(t, dir) }, true},
		"renamed over":   {put, true},
		"put aside": {func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, Name), filepath.Join(dir, "old")))
		}, true},
		"taken elsewhere": {func(t *testing.T, dir string) {
			must(t, os.Rename(filepath.Join(dir, Name), filepath.Join(t.TempDir(), Name)))
		}, true},
		"moved": {func(t *testing.T, dir string) { must(t, os.Rename(dir, filepath.Join(t.TempDir(), "new"))) }, false},
		"moved and replaced": {func(t *testing.T, dir string) {
			must(t, os.Rename(dir, filepath.Join(t.TempDir(), "new")))
			must(t, os.Mkdir(dir, 0o700))
			put(t, dir)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			s, err := open(dir, Options{})
			must(t, err)
			b := broker.New(s, broker.Options{})
			defer b.Close()
			_, err = b.Queue("q").Write(t.Context(), "x")
			must(t, err)
			test.do(t, dir)
			before, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			s.place.checked.Store(-int64(time.Hour)) // so that the next use looks
			for range 2 {
				if _, err := b.Queue("q").Write(t.Context(), "x"); errors.Is(err, broker.ErrGone) != test.gone || !test.gone && err != nil {
					t.Errorf("write: error %v, want that it is gone: %t", err, test.gone)
				}
			}
			if _, err := b.Queue("q").Peek(t.Context()); errors.Is(err, broker.ErrGone) != test.gone {
				t.Errorf("peek: error %v, want that it is gone: %t", err, test.gone)
			}
			if _, err := s.readers.open(); errors.Is(err, broker.ErrGone) != (name != "nothing") {
				t.Errorf("another connection: error %v", err)
			}
			after, err := os.ReadDir(dir)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if test.gone && len(after) != len(before) {
				t.Errorf("the folder holds %v, and held %v", after, before)
			}
		})
	}
}

// TestFlush copies the file alone after a flush, while others have the store open.
func TestFlush(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	other, err := Open(dir, Options{})
	must(t, err)
	defer other.Close()
	_, err = other.Queue("q").Write(t.Context(), "x")
	must(t, err)
	must(t, broker.Flush(t.Context(), b))
	if info, err := os.Stat(filepath.Join(dir, Name+"-wal")); err != nil || info.Size() != 0 {
		t.Errorf("the log: %v, %v", info, err)
	}
}
