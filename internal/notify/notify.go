// Package notify wakes other processes when a queue has changed.
//
// A channel is a small file. One folder has [Channels] of them, and the name of a queue
// determines its channel ([Channel]). A process that has committed a change writes one byte
// to the channels of the queues it changed; the kernel reports that to the processes that
// wait, which then read the store. The writer need not know which processes wait, none
// registers anywhere, and an idle waiter costs nothing.
//
// A notification is a hint. Several names share a channel, and many notifications in a row
// count as one, so a waiter may be woken for nothing; but none that follows the return of
// [Notifier.Listen] or [Listener.Add] is lost. If the file of a channel is deleted, its
// waiters may notice that only 5 s later, and are woken then. For a writer that is killed
// between its commit and its notification, every waiter also polls at longer intervals.
//
// On Linux the channels are named pipes that no process reads; elsewhere they are ordinary
// files, watched with fsnotify. If the system refuses either, a [Notifier] polls a number
// that its owner supplies.
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

// Channels is the number of channels in a folder. With ten names, two share a channel with
// a probability of one in five; that costs a needless read of the store, nothing more.
const Channels = 256

// ErrClosed is returned by all methods after Close.
var ErrClosed = errors.New("notify: already closed")

var errNoPoll = errors.New("notify: no Poll was given")

// The first channels are for Weft's own queues. So their waiters, above all the manager,
// are not woken by what tasks write to their queues.
const (
	ownChannels = 64
	ownPrefix   = "weft."
)

// Channel returns the channel of the queue with this name, from 0 to [Channels]-1. Every
// process that uses a folder must agree on it, so it never changes: the 32-bit FNV-1a hash
// of the name, its halves combined with XOR, modulo the number of channels for such names.
func Channel(name string) int {
	const offset, prime = 2166136261, 16777619 // the parameters of 32-bit FNV
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

// Poll reports a number that changes when anything may have changed in the store, like
// SQLite's data_version. A Notifier calls it only while it cannot watch channels, never
// twice at a time, and not after Close has returned. An error counts as a change, so that
// the waiters read the store.
type Poll func() (uint64, error)

// A Notifier is the channels of one folder, as one process uses them. [Open] makes one; all
// its methods may be called concurrently.
type Notifier struct {
	dir      string
	poll     Poll
	pollOnly bool
	recheck  time.Duration // how often it checks that the files it watches are still in the folder

	mu        sync.Mutex
	closed    bool
	done      chan struct{}
	running   sync.WaitGroup
	listeners map[*Listener]struct{}
	byChannel [Channels]map[*Listener]int // how many names of a listener share this channel
	watch     watcher                     // nil before the first Listen, while polling, and after Close
	polling   bool                        // a goroutine polls instead of watching
	refusal   error                       // why the last attempt to watch failed
}

const recheckInterval = 5 * time.Second

// Open opens the channels in the folder dir. It creates the folder with mode 0700 if it is
// missing (not its parents), and otherwise opens no files and starts no goroutines, so it
// is cheap for a process that may never notify. A dir that is a symbolic link is refused.
// With a nil poll, listeners that cannot watch are woken every 50 ms.
//
// The caller closes the Notifier.
func Open(dir string, poll Poll) (*Notifier, error) {
	dir, err := filepath.Abs(dir) // a later chdir must not change the folder
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
		recheck:   recheckInterval,
		done:      make(chan struct{}),
		listeners: make(map[*Listener]struct{}),
	}, nil
}

// errForeign is the reason for polling if channels may belong to another user.
var errForeign = errors.New("the bells belong to somebody else")

// PollOnly returns a Notifier without channels, for a process that may only read: it
// notifies nobody, and its listeners poll.
func PollOnly(poll Poll) *Notifier {
	return &Notifier{poll: poll, pollOnly: true, done: make(chan struct{}), listeners: make(map[*Listener]struct{})}
}

// Mode returns the means of notification: "pipes", "fsnotify", or "poll: " followed by the
// reason why watching was refused. It is "none" before the first Listen and after Close.
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

// Close ends all listeners, waits for the goroutines of the Notifier and closes its
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
