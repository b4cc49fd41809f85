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

// notifyEnv makes the test binary a second process that notifies channels in that folder.
const notifyEnv = "WEFT_TEST_NOTIFY_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(notifyEnv); dir != "" {
		if err := notifyForParent(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// notifyForParent does what each line of its standard input says: it waits that many
// microseconds, changes the store and notifies the channel of a name. The store is a file
// next to the folder that holds the time of the last change.
//
// It answers nothing: a pipe that becomes readable would wake the parent's runtime, and
// synchronise a poll that is measured there with the notifications.
func notifyForParent(dir string) error {
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

// A process is a second process that notifies.
type process struct {
	in    io.Writer
	store *os.File
}

func startProcess(t testing.TB, dir string) *process {
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
	cmd.Env = append(os.Environ(), notifyEnv+"="+dir)
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
			t.Errorf("the notifying process: %v", err)
		}
		store.Close()
	})
	return &process{in, store}
}

// notify tells the process to notify after a pause.
func (r *process) notify(t testing.TB, pause time.Duration, name string) {
	t.Helper()
	if _, err := fmt.Fprintln(r.in, pause.Microseconds(), name); err != nil {
		t.Fatal(err)
	}
}

// changed returns the time of the last change of the store.
func (r *process) changed(t testing.TB) time.Time {
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

// newNotifier opens a Notifier on dir and checks at the end that closing it succeeds. It
// does not recheck its files, which would hide a lost notification.
func newNotifier(t testing.TB, dir string, poll Poll) *Notifier {
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

func notify(t testing.TB, s *Notifier, names ...string) {
	t.Helper()
	if err := s.Notify(names...); err != nil {
		t.Fatal(err)
	}
}

// awaitNotified waits for a notification.
func awaitNotified(t testing.TB, l *Listener) {
	t.Helper()
	select {
	case _, ok := <-l.C():
		if !ok {
			t.Fatal("C is closed, want a notification")
		}
	case <-time.After(waittest.Limit()):
		t.Fatal("no notification was received")
	}
}

// passed returns when a notification that the witness receives was passed to all other
// listeners of its Notifier.
func passed(t testing.TB, witness *Listener) {
	t.Helper()
	awaitNotified(t, witness)
	// All listeners of a channel are woken in one critical section, in any order.
	witness.notifier.mu.Lock()
	defer witness.notifier.mu.Unlock()
}

// pending reports, and takes, a notification that l has kept.
func pending(l *Listener) bool {
	select {
	case <-l.C():
		return true
	default:
		return false
	}
}

// sharing returns a name other than name with the same channel.
func sharing(name string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint("other", i); Channel(other) == Channel(name) {
			return other
		}
	}
}
