// Package notify wakes other processes when a queue has changed.
//
// A bell is a small file. There are [Channels] of them in one folder, and the name
// of a queue says which one is its own ([Channel]). Whoever has committed a change
// writes one byte to the bells of the queues it touched; whoever waits is told of
// that by the kernel and then looks in the store. Nobody has to know who waits,
// nobody registers anywhere, and an idle waiter costs nothing.
//
// A bell is a hint. Several names share one, and many rings in a row are heard as
// one, so a waiter may be woken for nothing, but it is not left asleep: a ring
// that comes after [Notifier.Listen] or [Listener.Add] has returned is heard. If
// somebody deletes a bell, those who wait for it may learn of that 5 s later, and
// are woken then. What no waiting can promise (a ringer is killed between its
// commit and its ring) is left to the slow look that every waiter takes anyway.
//
// On Linux the bells are named pipes that nobody reads; elsewhere they are
// ordinary files, watched through fsnotify. Where the system refuses either, a
// [Notifier] polls a number that its owner supplies.
package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Channels is the number of bells in a folder. Among ten names, two share a bell with
// a chance of one in five; that costs a needless look, nothing more.
const Channels = 256

// ErrClosed is returned by everything that is used after its Close.
var ErrClosed = errors.New("notify: already closed")

var errNoPoll = errors.New("notify: no Poll was given")

// The first of the bells are for Weft's own queues. Those who wait for these, the
// manager above all, are not woken by what tasks write to theirs.
const (
	ownChannels = 64
	ownPrefix   = "weft."
)

// Channel says which bell the queue called name has, from 0 to [Channels]-1. Every
// process that uses a folder must agree on it, so it never changes: the 32-bit
// FNV-1a hash of the name, its halves combined with XOR, modulo how many bells there
// are for such names.
func Channel(name string) int {
	const offset, prime = 2166136261, 16777619 // FNV's own for 32 bits
	h := uint32(offset)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * prime
	}
	h ^= h >> 16
	if strings.HasPrefix(name, ownPrefix) {
		return int(h % ownChannels)
	}
	return ownChannels + int(h%(Channels-ownChannels))
}

// Poll reports a number that changes when anything may have happened in the
// store, like SQLite's data_version. A Set calls it only while watching bells
// is refused, never twice at a time, and not any more once Close has returned. An
// error counts as a change, so that those who wait look for themselves.
type Poll func() (uint64, error)

// Notifier is the bells of one folder, as one process uses them. Create it with
// [Open]; all its methods may be called concurrently.
type Notifier struct {
	dir       string
	poll      Poll
	deaf      bool
	lookAgain time.Duration // how often it looks whether its bells are still in the folder

	mu        sync.Mutex
	closed    bool
	done      chan struct{}
	running   sync.WaitGroup
	listeners map[*Listener]struct{}
	byChannel [Channels]map[*Listener]int // for how many of its names a listener hears this bell
	watch     watcher                     // nil before the first Listen, while polling, and after Close
	polling   bool                        // a goroutine polls, because of refusal
	refusal   error                       // why the last attempt to watch failed
}

const lookAgain = 5 * time.Second

// Open names the folder of the bells. It creates the folder with mode 0700 if it
// is missing (not its parents) and otherwise opens nothing and starts nothing,
// so it is cheap for a process that may never ring. A dir that is a symbolic
// link is refused. With a nil poll, listeners that cannot watch are woken every
// 50 ms.
//
// The caller closes the Set.
func Open(dir string, poll Poll) (*Notifier, error) {
	dir, err := filepath.Abs(dir) // a later chdir must not move the bells
	if err != nil {
		return nil, fmt.Errorf("open bells: %w", err)
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(dir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			info, err = os.Lstat(dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bells: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open bells: %s is not a folder", dir)
	}
	if poll == nil {
		poll = func() (uint64, error) { return 0, errNoPoll }
	}
	return &Notifier{
		dir:       dir,
		poll:      poll,
		lookAgain: lookAgain,
		done:      make(chan struct{}),
		listeners: make(map[*Listener]struct{}),
	}, nil
}

// errForeign is why nothing is watched where there may be no bells of ours.
var errForeign = errors.New("the bells belong to somebody else")

// Deaf returns a Set without bells, for who may only read: it rings nothing, and
// its listeners poll.
func Deaf(poll Poll) *Notifier {
	return &Notifier{poll: poll, deaf: true, done: make(chan struct{}), listeners: make(map[*Listener]struct{})}
}

// Mode says how the Set hears: "pipes", "fsnotify", or "poll: " followed by the
// reason why watching was refused. It is "none" while nothing has listened yet,
// and after Close.
func (s *Notifier) Mode() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.watch != nil:
		return watcherName
	case s.refusal != nil && !s.closed:
		return "poll: " + s.refusal.Error()
	default:
		return "none"
	}
}

// Close ends all listeners, waits for the goroutines of the Set and closes its
// descriptors. A second Close does nothing.
func (s *Notifier) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for l := range s.listeners {
		l.end()
	}
	var err error
	if s.watch != nil {
		err = s.watch.close()
		s.watch = nil
	}
	close(s.done)
	s.mu.Unlock()
	s.running.Wait()
	return err
}
