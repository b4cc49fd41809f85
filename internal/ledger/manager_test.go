package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/proc"
	"weft/internal/protocol"
	"weft/taskspec"
)

func (p *project) arrive(self proc.Identity) (m *Manager) {
	p.Helper()
	p.update(func(tx *broker.Tx) (err error) {
		m, err = RegisterManager(tx, Manager{Process: self, Build: "v1"}, at)
		return err
	})
	return m
}

// current is the record of the latest manager.
func (p *project) current() *Manager {
	p.Helper()
	r, err := p.b.Record(ctx, ManagerKind, CurrentManager)
	if err != nil {
		p.Fatal(err)
	}
	if !IsCurrent(r) {
		p.Errorf("record %+v is not that of the latest manager", r)
	}
	m, err := DecodeManager(r)
	if err != nil {
		p.Fatal(err)
	}
	return m
}

func TestArriveAndLeave(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	m := p.arrive(consumer)
	want := &Manager{TID: broker.IDAt(at).String(), Status: "running", Process: consumer, Build: "v1", Protocol: protocol.Version, Started: at.UnixNano()}
	if diff := cmp.Diff(want, p.current(), bare); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	p.update(func(tx *broker.Tx) error { return m.Leave(tx, at) })
	want.Status, want.Stopped = "gone", at.UnixNano()
	if diff := cmp.Diff(want, p.current(), bare); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	// One record for the history, one where it is found.
	recs := p.state().Records[ManagerKind]
	if len(recs) != 2 || recs[0].Body != recs[1].Body || recs[0].Key != m.TID || recs[0].State != "gone" || IsCurrent(recs[0]) {
		t.Errorf("records are %+v", recs)
	}
	short := m.TID[9:]
	wantEvents := []Event{
		{Event: "manager_started", TID: m.TID, TIDShort: short, Timestamp: at.UnixNano(), TaskPID: consumer.PID},
		{Event: "manager_stopped", TID: m.TID, TIDShort: short, Timestamp: at.UnixNano(), TaskPID: consumer.PID},
	}
	if diff := cmp.Diff(wantEvents, p.history(""), bare); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A manager leaves for want of work only if there is none: that and its record
// are one transaction, so nobody submits to a manager that goes.
func TestLeaveIdle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		work func(*project)
		left bool
	}{
		"nothing":   {func(*project) {}, true},
		"a request": {func(p *project) { p.submit() }, false},
		"by hand":   {func(p *project) { p.write(Requests, "not even JSON") }, false},
		"a delay": {func(p *project) {
			p.submit(func(s *taskspec.Spec) { s.Delay = time.Minute })
		}, false},
		"waiting":    {func(p *project) { p.submit(wired) }, false},
		"running":    {func(p *project) { p.run(p.submit()) }, false},
		"other work": {func(p *project) { p.write("raw.data", "x") }, true},
		"finished": {func(p *project) {
			tid := p.submit()
			p.run(tid)
			if err := p.finish(handOff(tid, taskspec.Exited(0, ""))); err != nil {
				p.Fatal(err)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			m := p.arrive(consumer)
			test.work(p)
			before := p.state()
			var left bool
			p.update(func(tx *broker.Tx) (err error) { left, err = m.LeaveIdle(tx, 0, at); return err })
			if left != test.left {
				t.Errorf("left is %v", left)
			}
			if !left {
				p.unchanged(before)
				return
			}
			if got := p.current(); got.Status != "gone" || got.Stopped != at.UnixNano() {
				t.Errorf("record is %+v", got)
			}
			events := p.history(m.TID)
			if last := events[len(events)-1]; last.Event != "manager_idle_shutdown" {
				t.Errorf("event is %+v", last)
			}
		})
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	p.submit()
	running := p.submit()
	p.run(running)
	finished := p.submit()
	p.run(finished)
	if err := p.finish(handOff(finished, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	var live []*Task
	p.update(func(tx *broker.Tx) (err error) { live, err = LiveTasks(tx); return err })
	if diff := cmp.Diff([]*Task{p.task(running)}, live, bare); diff != "" {
		t.Errorf("live tasks (-want +got):\n%s", diff)
	}
}

// TestSuperseded has a second manager come while the first one, whose lock was
// removed, is still there. What is for the second one stays for it.
func TestSuperseded(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	first, second := p.arrive(consumer), p.arrive(consumer)
	p.update(func(tx *broker.Tx) error { return SendManagerControl(tx, CommandStop) })
	err := p.b.Update(t.Context(), func(tx *broker.Tx) error {
		_, err := first.ReadControl(tx, at)
		return err
	})
	if !errors.Is(err, ErrSuperseded) {
		t.Errorf("the first one obeys: %v", err)
	}
	p.update(func(tx *broker.Tx) error { return first.Leave(tx, at) })
	var orders []Command
	p.update(func(tx *broker.Tx) (err error) {
		if managed, err := Managed(tx); !managed || err != nil {
			t.Errorf("managed after the first one has left: %t, %v", managed, err)
		}
		orders, err = second.ReadControl(tx, at)
		return err
	})
	if len(orders) != 1 || orders[0] != CommandStop {
		t.Errorf("the second one obeys %v", orders)
	}
	p.update(func(tx *broker.Tx) error { return second.Leave(tx, at) })
	p.update(func(tx *broker.Tx) error {
		if managed, err := Managed(tx); managed || err != nil {
			t.Errorf("managed after both have left: %t, %v", managed, err)
		}
		return nil
	})
}

// Managers that left long ago are dropped, but for the latest one.
func TestDropManagers(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	for range 3 {
		m := p.arrive(consumer)
		p.update(func(tx *broker.Tx) error { return m.Leave(tx, at) })
	}
	drop := func(old time.Time) (n int) {
		p.update(func(tx *broker.Tx) (err error) { n, _, err = DropManagers(tx, old, 0, 9); return err })
		return n
	}
	if n := drop(at.Add(-time.Hour)); n != 0 {
		t.Errorf("%d managers that came later were dropped", n)
	}
	if n := drop(at.Add(time.Hour)); n != 3 {
		t.Errorf("%d managers were dropped", n)
	}
	if left := p.state().Records[ManagerKind]; len(left) != 1 || left[0].Key != CurrentManager {
		t.Errorf("left are %v", left)
	}
}
