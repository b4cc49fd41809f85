//go:build !fsnotify

package bell

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const watcherName = "futex"

// alarm blocks a thread until a word changes. It waits with futex_waitv, which
// takes 128 words: those of all bells, and one to end the waiting.
type alarm struct {
	control atomic.Uint32 // it changes when the waiting has to end
	waiters [1 + Count]futexWaiter
	armed   []futexWaiter
	faults  int // in a row
}

// maxFaults is how many waits in a row may find that their words are gone. Each
// time the file was whole shortly before, so one is rare and this many mean that
// the kernel refuses for another reason.
const maxFaults = 100

func newAlarm(b *board) (*alarm, error) {
	if err := futexWaitAny(nil, unix.Timespec{}); !errors.Is(err, unix.EINVAL) {
		return nil, fmt.Errorf("futex_waitv: %w (it needs Linux 5.16, and a sandbox that lets it pass)", err)
	}
	w, err := b.use(shows)
	if err != nil {
		return nil, err
	}
	b.release(w)
	return &alarm{}, nil
}

// shows makes sure that reading the file shows what strikes change in its mapping.
// On some file systems that pass through to another machine or program it does
// not, and waiting would return at once, time and again.
func shows(w *words) error {
	before, err := w.read()
	if err != nil {
		return err
	}
	if err := w.strike(doubt); err != nil {
		return err
	}
	after, err := w.read()
	if err != nil {
		return err
	}
	if after[doubt] == before[doubt] {
		return fmt.Errorf("the file system of %s does not show in a file what changes in its mapping", w.path)
	}
	return nil
}

// arm sets what the next sleep waits for: that a word of bells is not what was
// seen, or a wake after arm.
func (a *alarm) arm(w *words, bells *bellSet, seen *values) {
	a.waiters[0] = futexWaiter{
		value: uint64(a.control.Load()),
		addr:  uint64(uintptr(unsafe.Pointer(&a.control))),
		flags: futex2U32 | futex2Private,
	}
	n := 1
	for bell := range bells.all() {
		a.waiters[n] = futexWaiter{
			value: uint64(seen[bell]),
			addr:  uint64(uintptr(w.place.word(bell))),
			flags: futex2U32,
		}
		n++
	}
	a.armed = a.waiters[:n]
}

// sleep blocks until what arm has set, or for lookAgain, or less if a signal comes.
// It reports whether the file may not be the one in the folder any more.
func (a *alarm) sleep() (inDoubt bool, err error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return false, fmt.Errorf("read clock: %w", err)
	}
	err = futexWaitAny(a.armed, unix.NsecToTimespec(now.Nano()+lookAgain.Nanoseconds()))
	runtime.KeepAlive(a) // the kernel had the address of control
	if err == unix.EFAULT {
		a.faults++
	} else {
		a.faults = 0
	}
	switch {
	case err == nil, err == unix.EAGAIN, err == unix.EINTR:
		return false, nil
	case err == unix.ETIMEDOUT, a.faults > 0 && a.faults < maxFaults:
		return true, nil
	}
	return false, fmt.Errorf("futex_waitv: %w", err)
}

// wake ends the sleep, or if there is none the one that was armed last.
func (a *alarm) wake() {
	a.control.Add(1)
	_ = futexWakeOne(unsafe.Pointer(&a.control)) // it cannot fail for a word of our own
}

func (a *alarm) close() {}
