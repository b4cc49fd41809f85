package manager

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/broker"
	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/ledger"
	"weft/internal/waittest"
)

// call is what a client tells a manager; its build says how the manager fails.
func (p *project) call(build string) Call {
	return Call{Protocol: consumers.Protocol, Build: build, Root: p.root}
}

func (p *project) start(ctx context.Context, c Call) error {
	return Start(ctx, "/proc/self/exe", c, p.dir, p.b, func(string) {})
}

// Many clients that find no manager start one between them, and it works when
// they hear of it.
func TestStart(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			if err := p.start(t.Context(), p.call("v1")); err != nil {
				t.Error(err)
			}
			wantRunning(t, p.dir, true)
		})
	}
	clients.Wait()
	m := p.currentManager(t)
	if m.Status != ledger.ManagerRunning || m.Process.PID == os.Getpid() {
		t.Errorf("the manager is %+v", m)
	}
	p.wantEnd(t, p.submit(t, "", "true"), completed)
	recs := p.managers(t)
	p.write(t, ledger.ManagerControl, "STOP")
	if err := m.Process.Wait(waittest.Context(t)); err != nil {
		t.Fatal(err)
	}
	wantRunning(t, p.dir, false)
	if recs != 1 {
		t.Errorf("%d managers were started", recs)
	}
}

func TestStartFails(t *testing.T) {
	for name, test := range map[string]struct {
		build, executable string
		protocol          int
		want              string
	}{
		"it says why":         {"refuses", "/proc/self/exe", consumers.Protocol, "start manager: it is not my day"},
		"without a word":      {"mute", "/proc/self/exe", consumers.Protocol, "start manager: it ended without a word; see "},
		"always killed":       {"killed 1000", "/proc/self/exe", consumers.Protocol, "start manager: it was killed; see "},
		"another protocol":    {"v9", "/proc/self/exe", 99, `start manager: client has protocol 99 of build "v9", this program `},
		"no manager":          {"v1", "/bin/true", consumers.Protocol, "start manager: it ended without a word; see "},
		"no such program":     {"v1", "/no/such/program", consumers.Protocol, "start manager: fork/exec /no/such/program: no such file or directory"},
		"its own environment": {"tells", "/proc/self/exe", consumers.Protocol, `start manager: "" "" "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			// Not in parallel: a client that runs in a task has these.
			t.Setenv("WEFT_TID", "1763740800000000000")
			t.Setenv("OTHER", "x")
			p := newProject(t)
			c := Call{Protocol: test.protocol, Build: test.build, Root: p.root}
			err := Start(t.Context(), test.executable, c, p.dir, p.b, func(string) {})
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
			wantRunning(t, p.dir, false)
		})
	}
}

// A manager that is killed while it starts is started again.
func TestStartGoesOnAfterKills(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if err := p.start(t.Context(), p.call("killed 10")); err != nil {
		t.Fatal(err)
	}
	p.wantEnd(t, p.submit(t, "", "true"), completed)
	p.write(t, ledger.ManagerControl, "STOP")
	if err := p.currentManager(t).Process.Wait(waittest.Context(t)); err != nil {
		t.Fatal(err)
	}
}

// Cancelling ends the wait for a manager that does not get on.
func TestStartIsCancelled(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	over := errors.New("over")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, over)
	defer cancel()
	if err := p.start(ctx, p.call("hangs")); !errors.Is(err, over) {
		t.Errorf("got error %v, want %v", err, over)
	}
}

// Who waits for a manager that does not come up, or for somebody else who waits for it,
// is told why.
func TestStartSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	defer clients.Wait()
	told := make(chan string, 2)
	for range 2 {
		clients.Go(func() {
			err := Start(ctx, "/proc/self/exe", p.call("hangs"), p.dir, p.b, func(text string) { told <- text })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("start: %v", err)
			}
		})
	}
	var all strings.Builder
	for range 2 {
		select {
		case text := <-told:
			all.WriteString(text + "\n")
		case <-waittest.Context(t).Done():
			t.Fatalf("only %q was told", all.String())
		}
	}
	cancel()
	for _, want := range []string{"another process is starting the manager", ") was started and does not work yet"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("told %q, want %q", all.String(), want)
		}
	}
}

// managers counts the managers that the project has had.
func (p *project) managers(t *testing.T) (n int) {
	t.Helper()
	recs, err := p.b.Records(t.Context(), ledger.ManagerKind, broker.RecordSelect{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if !ledger.IsCurrent(r) {
			n++
		}
	}
	return n
}
