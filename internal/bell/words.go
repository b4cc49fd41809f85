package bell

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	// fileName is the name of the one file in the folder.
	fileName = "words"
	// doubt is the word after those of the bells. It is struck when those who use
	// the file have to see whether it still is the one in the folder.
	doubt     = Count
	wordCount = Count + 1
	fileSize  = 4 * wordCount
)

// tries is how often the file is opened again that somebody keeps deleting
// before that is reported as an error. Once is enough unless two delete it in turn.
const tries = 4

// values are what the words of a file were at some time.
type values [wordCount]uint32

// words is the file of the bells as a process has it open: a word of 32 bits for
// each bell, in the machine's byte order. A ring changes its word; what a word
// was before and is then means nothing.
type words struct {
	path  string
	file  *os.File
	info  os.FileInfo
	place place // where strike finds the file
	users int   // guarded by the board
}

// openWords opens the file in dir. It makes the folder and the file if they are
// missing, and gives back words that somebody has cut off.
func openWords(dir string) (*words, error) {
	w := &words{path: filepath.Join(dir, fileName)}
	if err := w.create(dir); err != nil {
		return nil, err
	}
	var err error
	switch w.info, err = w.file.Stat(); {
	case err != nil:
	case !w.info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file", w.path)
	case w.info.Size() < fileSize:
		err = w.fill()
	}
	if err == nil {
		w.place, err = findPlace(w.file)
	}
	if err != nil {
		w.file.Close() // nothing to lose
		return nil, err
	}
	return w, nil
}

func (w *words) create(dir string) (err error) {
	for range tries {
		w.file, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE|openFlags, 0o600)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return fmt.Errorf("folder %s is deleted again and again", dir)
}

// fill gives all words random values. If another process does so too, or rings
// in between, the words change once more, which wakes somebody for nothing. They
// do not begin at 0 so that nobody takes the words of a new file, or of one that
// was cut off, for those he has seen.
func (w *words) fill() error {
	raw := make([]byte, 0, fileSize)
	for range wordCount {
		raw = binary.NativeEndian.AppendUint32(raw, rand.Uint32())
	}
	_, err := w.file.WriteAt(raw, 0)
	return err
}

// read gives the words as they are now. If the file was cut off that is io.EOF.
//
// A word that changes meanwhile may come out as a mixture of both values. Then it
// differs from the word, so whoever waits for it to change looks again at once.
func (w *words) read() (values, error) {
	var raw [fileSize]byte
	if _, err := w.file.ReadAt(raw[:], 0); err != nil {
		return values{}, err
	}
	var v values
	for i := range v {
		v[i] = binary.NativeEndian.Uint32(raw[4*i:])
	}
	return v, nil
}

// intact reports whether the file is still the one in the folder, and whole.
func (w *words) intact() bool {
	info, err := os.Lstat(w.path)
	return err == nil && os.SameFile(info, w.info) && info.Size() >= fileSize
}

func (w *words) close() error {
	return errors.Join(w.place.close(), w.file.Close())
}
