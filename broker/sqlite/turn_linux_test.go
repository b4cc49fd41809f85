package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/internal/waittest"
)

// waitRole writes one message, args[1], when it is told to.
func waitRole(args []string) error {
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	say("ready")
	if err := pause(); err != nil {
		return err
	}
	if _, err := b.Queue("q").Write(context.Background(), args[1]); err != nil {
		return err
	}
	return b.Close()
}

// hogRole writes without a pause until it is told to stop.
func hogRole(args []string) error {
	b, err := Open(args[0], Options{Durability: Normal})
	if err != nil {
		return err
	}
	enough, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel() // also if the parent is gone
		_ = pause()
	}()
	for enough.Err() == nil {
		if _, err := b.Queue("q").Write(context.Background(), "x"); err != nil {
			return err
		}
	}
	return b.Close()
}

// TestTurns lets processes come one after the other while the store is locked,
// and kills the first: the others get the store in the order in which they came.
func TestTurns(t *testing.T) {
	t.Parallel()
	const processes = 12
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	cs := make([]*child, processes)
	for i := range cs {
		cs[i] = start(t, "wait", dir, strconv.Itoa(i))
		cs[i].expect("ready")
	}
	must(t, b.Update(t.Context(), func(*broker.Tx) error {
		for i, c := range cs {
			c.tell()
			awaitTickets(t, dir, i+1)
		}
		must(t, cs[0].cmd.Process.Kill())
		if err := cs[0].end(); err == nil {
			t.Error("the first was not killed")
		}
		awaitTickets(t, dir, processes-1)
		return nil
	}))
	for _, c := range cs[1:] {
		c.finish()
	}
	order := bodies(t, b, "q")
	must(t, b.Close())
	if len(order) != processes-1 {
		t.Fatalf("%q wrote, want all but 0", order)
	}
	// On a machine that stands still for a second, one may go past the others.
	wrong := 0
	for i := range order {
		for j := range i {
			before, err := strconv.Atoi(order[j])
			must(t, err)
			after, err := strconv.Atoi(order[i])
			must(t, err)
			if before > after {
				wrong++
			}
		}
	}
	if wrong > processes {
		t.Errorf("they wrote in the order %q", order)
	}
	check(t, dir)
}

// TestTurnIsOver lets a process write, transaction after transaction, while another
// one waits or nobody does.
func TestTurnIsOver(t *testing.T) {
	t.Parallel()
	const short = time.Millisecond
	begin := time.Now()
	after := func(d time.Duration) time.Time { return begin.Add(d) }
	for _, tt := range []struct {
		name  string
		turns turns
		waits bool
		want  bool
	}{
		{"it has written for a slice", turns{ended: after(-short), began: after(-slice)}, true, true},
		{"nobody waits", turns{ended: after(-short), began: after(-slice)}, false, false},
		{"it has written for less", turns{ended: after(-short), began: after(short - slice)}, true, false},
		{"it has paused", turns{ended: after(-slice), began: after(-10 * slice)}, true, false},
		{"it has never written", turns{}, true, false},
		{"those that wait are stuck", turns{ended: after(-short), began: after(-slice), trusted: after(short)}, true, false},
		{"they were stuck", turns{ended: after(-short), began: after(-slice), trusted: after(-short)}, true, true},
	} {
		tt.turns.dir = t.TempDir()
		if tt.waits {
			defer takeTicket(tt.turns.dir).leave()
		}
		if got := tt.turns.over(begin); got != tt.want {
			t.Errorf("%s: its turn is over: %t, want %t", tt.name, got, tt.want)
		}
		if next := begin.Add(short); tt.want && tt.turns.over(next) {
			t.Errorf("%s: the next turn is over at once", tt.name)
		}
	}
}

// TestTurnOfOthers lets a process write without a pause. It waits as soon as
// another one wants to go first; and it goes past that one if it does nothing.
func TestTurnOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	c := start(t, "hog", dir)
	first, err := openFolder(dir)
	must(t, err)
	must(t, unix.Flock(first, unix.LOCK_EX))
	awaitTickets(t, dir, 2)
	written := len(bodies(t, b, "q"))
	waittest.Until(t, "another message", func() bool { return len(bodies(t, b, "q")) > written })
	must(t, unix.Close(first))
	c.tell()
	c.finish()
	must(t, b.Close())
	check(t, dir)
}

// TestTurnGivenUp waits behind another process, and gives up.
func TestTurnGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, err := Open(dir, Options{})
	must(t, err)
	defer holder.Close()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	first, err := openFolder(dir)
	must(t, err)
	must(t, unix.Flock(first, unix.LOCK_EX))
	must(t, holder.Update(t.Context(), func(*broker.Tx) error {
		ctx, cancel := context.WithCancel(t.Context())
		end := make(chan error, 1)
		go func() { _, err := b.Queue("q").Write(ctx, "never"); end <- err }()
		awaitTickets(t, dir, 2)
		cancel()
		if err := waittest.Await(t, "the end of a caller who gives up", end); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		return nil
	}))
	must(t, unix.Close(first))
	awaitTickets(t, dir, 0)
	if n := len(bodies(t, b, "q")); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
}

// awaitTickets waits until n processes have a ticket to wait for the
// store in dir.
func awaitTickets(t *testing.T, dir string, n int) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(dir, &st))
	waittest.Until(t, fmt.Sprintf("%d tickets", n), func() bool {
		text, err := os.ReadFile("/proc/locks")
		must(t, err)
		taken := 0
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, " FLOCK ") && strings.Contains(line, fmt.Sprintf(":%d ", st.Ino)) {
				taken++
			}
		}
		return taken == n
	})
}
