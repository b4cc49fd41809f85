package observe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/waittest"
)

// drain lets the monitor copy what there is.
func drain(t *testing.T, m *Monitor) {
	t.Helper()
	for {
		n, err := m.Forward(t.Context())
		must(t, err)
		if n == 0 {
			return
		}
	}
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    Monitor
		want []string
	}{
		{"all", Monitor{}, []string{"+a", "b", "+c", "d"}},
		{"some", Monitor{Keep: wanted}, []string{"+a", "+c"}},
		{"new ones", Monitor{New: true}, []string{"+c", "d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := opened(t)
			tt.m.Broker, tt.m.From, tt.m.To = b, "from", "to"
			write(t, b, "from", "+a", "b")
			drain(t, &tt.m)
			write(t, b, "from", "+c", "d")
			again := tt.m // another process
			drain(t, &again)
			if diff := cmp.Diff(tt.want, contents(t, b, "to")); diff != "" {
				t.Errorf("copied (-want +got):\n%s", diff)
			}
			if n := len(contents(t, b, "from")); n != 4 {
				t.Errorf("%d messages are left of 4", n)
			}
		})
	}
}

// TestMonitorForgets also checks that names keep monitors apart.
func TestMonitorForgets(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "from", "a")
	m := &Monitor{Broker: b, From: "from", To: "to"}
	must(t, m.Forget(t.Context()))
	drain(t, m)
	drain(t, &Monitor{Broker: b, From: "from", To: "to", Name: "second"})
	must(t, m.Forget(t.Context()))
	drain(t, m)
	drain(t, m)
	if diff := cmp.Diff([]string{"a", "a", "a"}, contents(t, b, "to")); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
}

func TestMonitorErrors(t *testing.T) {
	t.Parallel()
	b := opened(t)
	write(t, b, "q", "a")
	for name, tt := range map[string]struct {
		m    Monitor
		want error
	}{
		"same queue": {Monitor{From: "q", To: "q"}, broker.ErrSameQueue},
		"from":       {Monitor{From: "no good", To: "q"}, broker.ErrName},
		"to":         {Monitor{From: "q", To: "no good"}, broker.ErrName},
	} {
		tt.m.Broker = b
		if err := tt.m.Run(t.Context()); !errors.Is(err, tt.want) {
			t.Errorf("%s: error %v, want %v", name, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	m := Monitor{Broker: b, From: "q", To: "r", Keep: func(broker.Message) bool { cancel(reason); return true }}
	if err := m.Run(ctx); !errors.Is(err, reason) && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, reason)
	}
}

// TestMonitorsShare runs several monitors of one name at once.
func TestMonitorsShare(t *testing.T) {
	t.Parallel()
	const messages = 300
	b := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			m := Monitor{Broker: b, From: "from", To: "to"}
			if err := m.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	var want []string
	for i := range messages {
		want = append(want, fmt.Sprint(i))
		write(t, b, "from", want[i])
	}
	awaitCopies(t, b, 0, messages)
	cancel()
	work.Wait()
	if diff := cmp.Diff(want, contents(t, b, "to")); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
}

// awaitCopies waits until n messages with ids greater than after are in "to",
// and returns the id of the last.
func awaitCopies(t *testing.T, b *broker.Broker, after broker.ID, n int) broker.ID {
	t.Helper()
	ctx := waittest.Context(t)
	for m, err := range b.Queue("to").Watch(ctx, broker.WatchOptions{Peek: true, After: after, Limit: n}) {
		must(t, err)
		after = m.ID
	}
	return after
}

// monitorRole copies until it is killed.
func monitorRole(dir string) error {
	b, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	m := Monitor{Broker: b, From: "from", To: "to", Keep: func(m broker.Message) bool { return m.Body != "no" }}
	return m.Run(context.Background())
}

// TestKillMonitor kills a monitor again and again, each time when some of the
// messages have been copied that another goroutine writes. It makes 20 rounds,
// or 200 where WEFT_LONG is 1.
func TestKillMonitor(t *testing.T) {
	t.Parallel()
	rounds := 20
	if waittest.Long() {
		rounds = 200
	}
	dir := t.TempDir()
	b, err := sqlite.Open(dir, sqlite.Options{})
	must(t, err)
	defer b.Close()
	exe, err := os.Executable()
	must(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var want []string
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			bodies := []string{"no", fmt.Sprint(len(want)), fmt.Sprint(len(want) + 1)}
			if _, err := b.Queue("from").WriteAll(context.WithoutCancel(ctx), bodies); err != nil {
				t.Error(err)
				return
			}
			want = append(want, bodies[1:]...)
		}
	})
	var after broker.ID
	for range rounds {
		var stderr strings.Builder
		cmd := exec.CommandContext(t.Context(), exe)
		cmd.Env = append(os.Environ(), roleVariable+"="+dir)
		cmd.Stderr = &stderr
		must(t, cmd.Start())
		after = awaitCopies(t, b, after, 1+rand.IntN(100))
		must(t, cmd.Process.Kill())
		if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
			t.Fatalf("it was not killed: %v, %s", err, &stderr)
		}
	}
	cancel()
	writing.Wait()
	drain(t, &Monitor{Broker: b, From: "from", To: "to", Keep: func(m broker.Message) bool { return m.Body != "no" }})
	if diff := cmp.Diff(want, contents(t, b, "to")); diff != "" {
		t.Errorf("copied (-want +got):\n%s", diff)
	}
	t.Logf("%d rounds, %d messages", rounds, len(want))
}
