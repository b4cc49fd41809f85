package manager

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/taskspec"
)

// wired submits a task that takes its item from a queue.
func (p *project) wired(t *testing.T, parent, queue string) (tid string) {
	t.Helper()
	s := &taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "/bin/cat"}}
	s.IO.Inputs = map[string]string{"inbox": queue}
	return p.submission(t, ledger.Submission{Spec: s, Dir: p.root, Parent: parent})
}

// A task that waits for a queue holds no slot, and one that another task has made
// needs none when there is an item for it.
func TestWiredTasks(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.manage(t, func(o *Options) { o.MaxTasks = 1 })
	waits := p.wired(t, "", "raw.data")
	up, on := newGate(t), newGate(t)
	parent := p.submit(t, "", "echo up >$1; read line <$2", up.Path, on.Path)
	up.Read() // the only slot is its own
	child := p.wired(t, parent, "raw.data")
	first := p.write(t, "raw.data", "a")
	if got := p.wantEnd(t, child, completed); got.Message.String() != first {
		t.Errorf("the child has worked on %v, want %s", got.Message, first)
	}
	second := p.write(t, "raw.data", "b")
	if got := p.task(t, waits); got.Status != taskspec.StatusCreated {
		t.Errorf("a task that needs a slot is %s", got.Status)
	}
	on.Open(1)
	p.wantEnd(t, parent, completed)
	if got := p.wantEnd(t, waits, completed); got.Message.String() != second {
		t.Errorf("the other has worked on %v, want %s", got.Message, second)
	}
}

// A manager hears the queues that tasks wait for, and those only.
func TestInputsHeard(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	bells, err := p.b.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer bells.Close()
	d := newLoop(Options{Broker: p.b, Root: p.root, Log: slog.New(slog.DiscardHandler)})
	d.Waiters[engine.Requests] = bells
	heard := func(want ...string) {
		t.Helper()
		if _, err := d.readRequests(t.Context(), 9, false); err != nil {
			t.Fatal(err)
		}
		for _, queue := range []string{"a", "b"} {
			if d.inputs[queue] != slices.Contains(want, queue) {
				t.Errorf("hears %v, want %v", d.inputs, want)
			}
			p.write(t, queue, "item")
			select {
			case <-bells.C():
				if !slices.Contains(want, queue) {
					t.Errorf("hears %s", queue)
				}
			default:
				if slices.Contains(want, queue) {
					<-bells.C()
				}
			}
			if _, err := p.b.Queue(queue).Read(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	heard()
	waits := p.wired(t, "", "b")
	heard("b")
	p.wired(t, "", "a")
	heard("a", "b")
	if err := p.b.Update(t.Context(), func(tx *broker.Tx) error {
		_, err := ledger.End(tx, waits, ledger.CommandStop, time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	heard("a")
}
