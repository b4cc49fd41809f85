package bell

import (
	"fmt"
	"path/filepath"
	"sync"
)

// board keeps the file open that a process rings and listens with, and takes the
// next one when it was deleted.
type board struct {
	dir string

	mu     sync.Mutex
	words  *words // nil until it is needed
	closed bool
}

// use calls do with the file, again if that fails, or if the file was not the one
// in the folder, or not whole, by the time do was done. It gives the file that do
// has succeeded with; the caller releases it.
func (b *board) use(do func(*words) error) (*words, error) {
	var failure error
	for range tries {
		w, err := b.take()
		if err != nil {
			return nil, err
		}
		failure = do(w)
		// Only looking afterwards proves that the file was there meanwhile.
		intact := w.intact()
		if intact && failure == nil {
			return w, nil
		}
		if !intact {
			b.retire(w)
		}
		b.release(w)
	}
	if failure == nil {
		failure = fmt.Errorf("%s is deleted again and again", filepath.Join(b.dir, fileName))
	}
	return nil, failure
}

func (b *board) take() (*words, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	if b.words == nil {
		w, err := openWords(b.dir)
		if err != nil {
			return nil, err
		}
		b.words = w
	}
	b.words.users++
	return b.words, nil
}

// retire makes sure that w is not taken again. It strikes all its words, because
// those that listen with w, here and elsewhere, have to learn about the new file.
func (b *board) retire(w *words) {
	b.mu.Lock()
	first := b.words == w
	if first {
		b.words = nil
	}
	b.mu.Unlock()
	if !first {
		return
	}
	for word := range wordCount {
		// doubt comes first, so that whoever wakes finds it. A word that was cut
		// off cannot be struck; but then reading fails, which is as good.
		_ = w.strike((doubt + word) % wordCount)
	}
}

// release ends the use of w, and closes it if it is not to be taken again.
func (b *board) release(w *words) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w.users--
	if w.users == 0 && w != b.words {
		_ = w.close() // nothing to lose: the file is gone, or the Set is closed
	}
}

// close closes the file, or lets the last user do so.
func (b *board) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.words
	b.words, b.closed = nil, true
	if w == nil || w.users > 0 {
		return nil
	}
	return w.close()
}
