package control

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"weft/internal/ledger"
	"weft/internal/socket"
	"weft/taskspec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// runs is who runs one task.
type runs struct {
	tid string
	Waiters
	heard chan ledger.Command
}

func (r *runs) take(ctx context.Context, o Order, answer func(Answer)) {
	if o.TID == r.tid {
		done := r.Add(o.Command)
		r.heard <- o.Command
		Relay(ctx, done, answer)
	}
}

func serve(t *testing.T, dir, tid string) (*runs, *Server) {
	r := &runs{tid: tid, heard: make(chan ledger.Command, 10)}
	s, err := Serve(dir, r.take)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return r, s
}

// TestGive gives orders where two processes run tasks and one has been killed.
func TestGive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve(t, dir, "1")
	two, server := serve(t, dir, "2")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "run", prefix+"0"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()

	var orders sync.WaitGroup
	give := func(c ledger.Command, check func(Answer, error)) {
		orders.Go(func() { check(Give(t.Context(), dir, Order{TID: "2", Command: c})) })
		<-two.heard
	}
	give(ledger.CommandPause, func(a Answer, err error) {
		if err != nil || !a.Done || a.Outcome != nil {
			t.Errorf("pause: %+v, %v", a, err)
		}
	})
	two.OnPaused(true)
	orders.Wait()
	give(ledger.CommandPause, func(a Answer, err error) {
		if err != nil || !a.Done {
			t.Errorf("pause of what stands still: %+v, %v", a, err)
		}
	})
	orders.Wait()
	for _, c := range []ledger.Command{ledger.CommandStop, ledger.CommandResume} {
		give(c, func(a Answer, err error) {
			if err != nil || !a.Done || a.Outcome == nil || a.Outcome.Status != taskspec.StatusCancelled {
				t.Errorf("%s of what ends: %+v, %v", c, a, err)
			}
		})
	}
	two.Ended(taskspec.Stopped())
	orders.Wait()
	if _, err := Give(t.Context(), dir, Order{TID: "3", Command: ledger.CommandStop}); !errors.Is(err, ErrNobody) {
		t.Errorf("stop of what nobody runs: %v", err)
	}

	// Who serves ends while somebody waits, and one who waits goes.
	two.ended = nil
	give(ledger.CommandStop, func(_ Answer, err error) {
		if err == nil || errors.Is(err, ErrNobody) {
			t.Errorf("stop by who ends: %v", err)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	orders.Go(func() {
		if _, err := Give(ctx, dir, Order{TID: "2", Command: ledger.CommandStop}); !errors.Is(err, context.Canceled) {
			t.Errorf("stop by who goes: %v", err)
		}
	})
	<-two.heard
	cancel()
	server.Close()
	orders.Wait()
}

// TestGarbage has clients that say nothing, or anything, and others are served.
func TestGarbage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, _ := serve(t, dir, "1")
	r.Ended(taskspec.Stopped())
	entries, err := os.ReadDir(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{"", "{", "\x00\xff", `{"tid":5}`, "[]\n", strings.Repeat(" ", 2*maxOrder)} {
		c, err := socket.Dial(dir, entries[0].Name())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, said)
	}
	if a, err := Give(t.Context(), dir, Order{TID: "1", Command: ledger.CommandStop}); err != nil || !a.Done {
		t.Errorf("stop: %+v, %v", a, err)
	}
}

// TestUnknownOrder: what says no command is no order to anybody, also not to the manager,
// which is meant where no task is named.
func TestUnknownOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken := make(chan Order, 10)
	s, err := Serve(dir, func(_ context.Context, o Order, _ func(Answer)) { taken <- o })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries, err := os.ReadDir(filepath.Join(dir, "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []string{"{}", "null", `{"command":""}`, `{"command":"stop"}`, `{"order":"STOP"}`, `{"tid":"1"}`, `{"command":"PAUSE"}`, `{"command":"PING"}`} {
		c, err := socket.Dial(dir, entries[0].Name())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(c, said+"\n")
		if _, ended := io.ReadAll(c); err != nil || ended != nil {
			t.Error(err, ended)
		}
		c.Close()
	}
	if len(taken) > 0 {
		t.Errorf("took %+v", <-taken)
	}
}
