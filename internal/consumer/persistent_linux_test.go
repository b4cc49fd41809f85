package consumer

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// watcher is a persistent task that runs a script for each item.
func (d *fakeManager) watcher(script string, args ...string) *ledger.Assignment {
	a := d.shell(script, args...)
	a.Work.Persistent, a.Inbox = true, ledger.QueuesOf(a.TID).Inbox
	return a
}

// next is what the manager says after the hand-off seq; no body is no item.
func next(seq int, body ...string) Order {
	n := &Next{Seq: seq}
	for _, b := range body {
		n.Item = &ledger.Item{Message: broker.ID(100 + seq), Body: b}
	}
	return Order{Next: n}
}

// item waits for the end of an item.
func (d *fakeManager) item() *ledger.HandOff {
	d.Helper()
	for {
		switch r := d.report(); {
		case r.Item != nil:
			return r.Item
		case r.Started == nil:
			d.Fatalf("consumer says %+v", r)
		}
	}
}

// TestDuty: one process for each item, whatever the last one came to.
func TestDuty(t *testing.T) {
	t.Parallel()
	waittest.InTime(t, 300*time.Millisecond, func(timeout time.Duration) bool { return newFakeManager(t).duty(timeout) })
}

// duty reports whether the timeout of an item was over for the slow one only.
func (d *fakeManager) duty(timeout time.Duration) bool {
	t := d.T
	a := d.watcher(`cat; echo "$WEFT_MESSAGE_ID $*"; test "$1" != slow || sleep 1000; exit ${1:-0}`)
	a.Work.Timeout, a.Work.StopGrace, a.Work.OutputSizeLimitMB = timeout, new(time.Duration), new(50.0/(1<<20))
	d.send(Order{Task: a}, permit(), next(0))
	for i, test := range []struct {
		item   string
		want   taskspec.Outcome
		output string
	}{
		{"text", taskspec.Exited(0, ""), "text101 \n"},
		{`{"stdin":"in","args":[3,"x"]}`, taskspec.Exited(3, ""), "in102 3 x\n"},
		{`{"args":5}`, taskspec.Rejected("read work item: args: want a list of strings and numbers"), ""},
		{`{"args":["slow"]}`, taskspec.TimedOut(timeout), "104 slow\n"},
		{"{}", taskspec.Exited(0, ""), "105 \n"},
	} {
		o := next(i, test.item)
		o.Next.Item.Message++
		d.send(o)
		h := d.item()
		if h.Outcome.Status == taskspec.StatusTimeout && string(h.Result) != "104 slow\n" {
			d.giveUp(h)
			return false
		}
		if h.Seq != i+1 || h.Item != broker.ID(101+i) || h.Outcome.Status != test.want.Status || h.Outcome.Error != test.want.Error || string(h.Result) != test.output {
			t.Errorf("item %s ended as %+v, %q", test.item, h, h.Result)
		}
	}
	// A large output has a file of its own, until the hand-off says otherwise.
	d.send(next(5, strings.Repeat("x", 100)))
	h := d.item()
	if h.Outcome.Status == taskspec.StatusTimeout {
		d.giveUp(h)
		return false
	}
	if h.Output.Form != ledger.FormFile || !slices.Equal(d.outputs(), []string{a.TID + ".1.105.out"}) {
		t.Errorf("large output is %+v; files %v", h.Output, d.outputs())
	}
	d.send(next(6), Order{End: RequestStop})
	if h := d.finished(); h.Seq != 7 || h.Item != 0 || h.Outcome.Status != taskspec.StatusCancelled {
		t.Errorf("the task ended as %+v", h)
	}
	d.send(Order{Ack: 7})
	d.run(d.task("true")) // it takes other tasks
	if got := d.outputs(); len(got) != 1 {
		t.Errorf("files %v", got)
	}
	return true
}

// giveUp stops a persistent task that has handed an item off.
func (d *fakeManager) giveUp(h *ledger.HandOff) {
	d.Helper()
	d.send(next(h.Seq), Order{End: RequestStop})
	d.send(Order{Ack: d.finished().Seq})
}

// TestDutyEnds: a task that is told to end ends at once if it waits, and with its
// item if it works.
func TestDutyEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		order Request
		works bool
		want  taskspec.Status
		item  broker.ID
	}{
		"stop, waits": {RequestStop, false, taskspec.StatusCancelled, 0},
		"kill, waits": {RequestKill, false, taskspec.StatusKilled, 0},
		"stop, works": {RequestStop, true, taskspec.StatusCancelled, 100},
		"kill, works": {RequestKill, true, taskspec.StatusKilled, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			up := newFIFO(t)
			d.send(Order{Task: d.watcher(`echo up > $1; sleep 1000`, up.Path)}, permit(), next(0))
			if test.works {
				d.send(next(0, "item"))
				up.Read()
			}
			d.send(Order{End: test.order})
			if h := d.finished(); h.Seq != 1 || h.Item != test.item || h.Outcome.Status != test.want {
				t.Errorf("the task ended as %+v", h)
			}
			d.send(Order{Ack: 1})
		})
	}
}

// An item that comes together with the order to end is not begun.
func TestDutyGivenTooLate(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	up, on := newFIFO(t), newFIFO(t)
	d.send(Order{Task: d.watcher(`echo up > $1; read go < $2`, up.Path, on.Path)}, permit(), next(0, "first"))
	up.Read()
	on.Open(1)
	if h := d.item(); h.Outcome.Status != taskspec.StatusCompleted {
		t.Fatalf("item ended as %+v", h)
	}
	d.send(Order{End: RequestStop}, next(1, "second"))
	if h := d.finished(); h.Seq != 2 || h.Item != 0 {
		t.Errorf("the task ended as %+v", h)
	}
	d.send(Order{Ack: 2})
}

// TestDutyHolds: between two items the task stands still when it is told to; an item
// that it has been given waits.
func TestDutyHolds(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	paused := func(want bool) {
		t.Helper()
		if r := d.report(); r.Paused == nil || *r.Paused != want {
			t.Fatalf("consumer says %+v, want paused: %v", r, want)
		}
	}
	d.send(Order{Task: d.watcher("cat")}, permit(), next(0), Order{Pause: new(true)})
	paused(true)
	d.send(next(0, "item"), Order{Pause: new(false)})
	paused(false) // before the item has ended
	if h := d.item(); string(h.Result) != "item" {
		t.Errorf("item ended as %+v", h)
	}
	d.send(next(1), Order{End: RequestKill})
	d.finished()
	d.send(Order{Ack: 2})
}

// keep submits a persistent task, which is dispatched, and returns its assignment.
func (s *store) keep(script string, args ...string) *ledger.Assignment {
	s.Helper()
	spec := &taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "sh", Args: []any{"-c", script, "sh"}, Persistent: true}}
	for _, arg := range args {
		spec.Args = append(spec.Args, arg)
	}
	j, a := s.submitSpec(spec)
	a.Work.Persistent, a.Inbox = true, j.Inbox
	s.send(Order{Task: a}, s.dispatch(j, s.self))
	return a
}

// give puts an item into the inbox.
func (s *store) give(a *ledger.Assignment, body string) {
	s.Helper()
	if _, err := s.b.Queue(a.Inbox).Write(context.Background(), body); err != nil {
		s.Fatal(err)
	}
}

// turn carries out a turn as a manager would.
func (s *store) turn(a *ledger.Assignment, done *ledger.HandOff) (n *Next) {
	s.Helper()
	n = &Next{}
	if done != nil {
		n.Seq = done.Seq
	}
	s.update(func(tx *broker.Tx) (err error) {
		n.Item, _, err = ledger.TakeItem(tx, ledger.ItemRequest{TID: a.TID, Epoch: 1, Done: done}, time.Now())
		return err
	})
	return n
}

// TestDutyAlone: the manager dies while the task waits, while it works, and before
// it has answered a hand-off, which it has recorded or not. Every item is worked on
// once, in order, and the task ends when it is told to.
func TestDutyAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		until func(s *store, a *ledger.Assignment, up, on *waittest.FIFO)
		hold  bool
	}{
		"before it begins": {func(*store, *ledger.Assignment, *waittest.FIFO, *waittest.FIFO) {}, false},
		"waits":            {func(s *store, a *ledger.Assignment, _, _ *waittest.FIFO) { s.send(next(0)) }, false},
		"works": {func(s *store, a *ledger.Assignment, up, on *waittest.FIFO) {
			s.give(a, "early")
			s.send(Order{Next: s.turn(a, nil)})
			up.Read()
		}, false},
		"reserved, not told": {func(s *store, a *ledger.Assignment, _, _ *waittest.FIFO) {
			s.give(a, "early")
			s.turn(a, nil)
		}, false},
		"not recorded": {func(s *store, a *ledger.Assignment, up, on *waittest.FIFO) {
			s.give(a, "early")
			s.give(a, "second")
			s.send(Order{Next: s.turn(a, nil)})
			up.Read()
			on.Open(1)
			s.item()
		}, false},
		"recorded, not told": {func(s *store, a *ledger.Assignment, up, on *waittest.FIFO) {
			s.give(a, "early")
			s.give(a, "second")
			s.send(Order{Next: s.turn(a, nil)})
			up.Read()
			on.Open(1)
			s.turn(a, s.item())
		}, false},
		"holds": {func(s *store, a *ledger.Assignment, _, _ *waittest.FIFO) {
			s.send(next(0))
			s.command(a.TID, "PAUSE")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			up, on := newFIFO(t), newFIFO(t)
			signed := t.TempDir() + "/signed"
			a := s.keep(`read item; echo "$item" >> $3; echo up > $1; read go < $2; echo done "$item"`, up.Path, on.Path, signed)
			test.until(s, a, up, on)
			d.link.Close()
			for range 9 {
				on.Open(1)
			}
			if test.hold {
				waittest.Until(t, "what the test waits for", func() bool { return s.record(a.TID).Paused })
			}
			s.give(a, "late")
			if test.hold {
				s.command(a.TID, "PING") // it is answered meanwhile
				waittest.Until(t, "what the test waits for", func() bool { return len(s.bodies(ledger.QueuesOf(a.TID).ControlOut)) == 2 })
				if n := len(s.bodies(a.Inbox)); n != 1 {
					t.Errorf("%d items wait", n)
				}
				s.command(a.TID, "RESUME")
			}
			// In this order: one that is taken is in the record.
			waittest.Until(t, "what the test waits for", func() bool { return len(s.bodies(a.Inbox)) == 0 && s.record(a.TID).Message == 0 })
			s.command(a.TID, "STOP")
			d.endsWell()
			got := s.record(a.TID)
			text, err := os.ReadFile(signed)
			items := strings.Fields(string(text))
			if err != nil || got.Status != taskspec.StatusCancelled || got.Items.Done != int64(len(items)) || got.Items.Failed != 0 {
				t.Errorf("record is %+v, items %+v; worked on %q, %v", got, got.Items, items, err)
			}
			want := []string{"early", "second", "late"}
			if !slices.Equal(items, want[3-len(items):]) && !slices.Equal(items, []string{"early", "late"}) {
				t.Errorf("worked on %q", items)
			}
			results := s.bodies(ledger.QueuesOf(a.TID).Outbox)
			if len(results) != len(items) {
				t.Fatalf("results are %q", results)
			}
			for i, r := range results {
				if !strings.Contains(r, fmt.Sprintf(`"output":"done %s\n"`, items[i])) {
					t.Errorf("result %d is %s", i, r)
				}
			}
		})
	}
}

// TestDutyStopsOnLoss: a task that is to end with its manager ends when that has
// gone, and what it did before is recorded.
func TestDutyStopsOnLoss(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	s := d.store()
	j, a := s.submitSpec(&taskspec.Spec{Name: "cat", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "cat", Persistent: true}})
	a.Work.Persistent, a.Inbox, a.Work.OnManagerLoss = true, j.Inbox, taskspec.LossStop
	s.send(Order{Task: a}, s.dispatch(j, s.self))
	s.give(a, "one")
	s.give(a, "two")
	s.send(Order{Next: s.turn(a, nil)})
	s.item()
	d.link.Close()
	d.endsWell()
	if got := s.record(a.TID); got.Status != taskspec.StatusCancelled || got.Items.Done != 1 || got.Items.Failed != 0 {
		t.Errorf("record is %+v, items %+v", got, got.Items)
	}
	if got := s.bodies(a.Inbox); !slices.Equal(got, []string{"two"}) {
		t.Errorf("items left are %q", got)
	}
}
