package notify

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weft/internal/waittest"
)

// ringerEnv makes the test binary a second process that rings in that folder.
const ringerEnv = "WEFT_TEST_RING_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ringerEnv); dir != "" {
		if err := ringForParent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// ringForParent does what each line of its standard input says: waits so many
// microseconds, changes the store and rings the bell of a name. The store is a
// file beside the folder, and has in it the time when the last change began.
//
// It answers nothing: a pipe that becomes readable would wake the parent's
// runtime, and put a poll that is measured there in step with the rings.
func ringForParent(dir string) error {
	s, err := Open(dir, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	store, err := os.OpenFile(storeFile(dir), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer store.Close()
	for {
		var micros int
		var name string
		if _, err := fmt.Scan(&micros, &name); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		until := time.Now().Add(time.Duration(micros) * time.Microsecond)
		time.Sleep(time.Until(until).Truncate(time.Millisecond))
		for time.Now().Before(until) {
			// An idle Go process sleeps whole milliseconds, in step with such a poll.
		}
		now := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
		if _, err := store.WriteAt(now, 0); err != nil {
			return err
		}
		if err := s.Notify(name); err != nil {
			return err
		}
	}
}

func storeFile(dir string) string { return dir + ".store" }

// ringer is a second process that rings.
type ringer struct {
	in    io.Writer
	store *os.File
}

func startRinger(t testing.TB, dir string) *ringer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	store, err := os.Create(storeFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), ringerEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the ringing process: %v", err)
		}
		store.Close()
	})
	return &ringer{in, store}
}

// ring tells the process to ring after a pause.
func (r *ringer) ring(t testing.TB, pause time.Duration, name string) {
	t.Helper()
	if _, err := fmt.Fprintln(r.in, pause.Microseconds(), name); err != nil {
		t.Fatal(err)
	}
}

// changed gives the time when the last change of the store began.
func (r *ringer) changed(t testing.TB) time.Time {
	t.Helper()
	var content [8]byte
	if _, err := r.store.ReadAt(content[:], 0); err != nil {
		t.Fatal(err)
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(content[:])))
}

func newFolder(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "bells")
}

// newSet opens a Set on dir and checks at the end that closing it succeeds. It does
// not look by itself whether its bells are there, which would hide a lost ring.
func newSet(t testing.TB, dir string, poll Poll) *Notifier {
	t.Helper()
	s, err := Open(dir, poll)
	if err != nil {
		t.Fatal(err)
	}
	s.recheck = 1000 * time.Hour
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func listen(t testing.TB, s *Notifier, names ...string) *Listener {
	t.Helper()
	l, err := s.Listen(names...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ring(t testing.TB, s *Notifier, names ...string) {
	t.Helper()
	if err := s.Notify(names...); err != nil {
		t.Fatal(err)
	}
}

// hears waits for a ring.
func hears(t testing.TB, l *Listener) {
	t.Helper()
	select {
	case _, ok := <-l.C():
		if !ok {
			t.Fatal("C is closed, want a ring")
		}
	case <-time.After(waittest.Limit()):
		t.Fatal("no ring was heard")
	}
}

// passed returns when a ring that the witness hears was passed on to all others
// of its Set.
func passed(t testing.TB, witness *Listener) {
	t.Helper()
	hears(t, witness)
	// All listeners of a bell are told in one critical section, in any order.
	witness.notifier.mu.Lock()
	defer witness.notifier.mu.Unlock()
}

// pending reports, and takes, a ring that l has kept.
func pending(l *Listener) bool {
	select {
	case <-l.C():
		return true
	default:
		return false
	}
}

// sharing gives a name other than name with the same bell.
func sharing(name string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint("other", i); Channel(other) == Channel(name) {
			return other
		}
	}
}
