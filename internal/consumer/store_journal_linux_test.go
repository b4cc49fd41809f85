package consumer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// endsWell fails the test unless the consumer ends without an error.
func (d *fakeManager) endsWell() {
	d.Helper()
	if err := d.ended(); err != nil {
		d.Errorf("consumer ended with %v", err)
	}
}

func TestIdleConsumerLeaves(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*fakeManager){
		"at once":      func(*fakeManager) {},
		"after a task": func(d *fakeManager) { d.run(d.task("true")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			before(d)
			d.link.Close()
			d.endsWell()
			// It has not even opened a store.
			if exists, err := sqlite.Exists(d.dir); exists || err != nil {
				t.Errorf("there is a store: %v %v", exists, err)
			}
		})
	}
}

// A manager that dies between assignment and permission has committed the
// reservation or not. The store knows.
func TestManagerDiesBeforePermission(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(s *store, j *ledger.Job, a *ledger.Assignment)
		runs      bool
	}{
		"committed":     {func(s *store, j *ledger.Job, a *ledger.Assignment) { s.dispatch(j, s.self) }, true},
		"not committed": {func(*store, *ledger.Job, *ledger.Assignment) {}, false},
		"committed for another epoch": {func(s *store, j *ledger.Job, a *ledger.Assignment) {
			s.dispatch(j, s.self)
			a.Epoch = 2
		}, false},
		// The next manager was faster.
		"committed for another consumer": {func(s *store, j *ledger.Job, a *ledger.Assignment) {
			s.dispatch(j, proc.Identity{PID: s.self.PID, Ticks: s.self.Ticks + 1, Boot: s.self.Boot})
		}, false},
		"stopped": {func(s *store, j *ledger.Job, a *ledger.Assignment) {
			s.update(func(tx *broker.Tx) error {
				_, err := ledger.End(tx, j.TID, ledger.CommandStop, time.Now())
				return err
			})
		}, false},
		"lost": {func(s *store, j *ledger.Job, a *ledger.Assignment) {
			s.dispatch(j, s.self)
			s.update(func(tx *broker.Tx) error { return ledger.MarkLost(tx, j.TID, 1, time.Now()) })
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			mark := filepath.Join(t.TempDir(), "ran")
			j, a := s.submit("touch $1; echo done", mark)
			test.meanwhile(s, j, a)
			before := s.record(a.TID)
			d.send(Order{Task: a})
			d.link.Close()
			d.endsWell()
			if _, err := os.Stat(mark); errors.Is(err, os.ErrNotExist) == test.runs {
				t.Errorf("ran: %v, want %v", !test.runs, test.runs)
			}
			if test.runs {
				s.wantEnd(a.TID, taskspec.Exited(0, ""), "done\n")
			} else if got := s.record(a.TID); got.Status != before.Status {
				t.Errorf("task is %s, was %s", got.Status, before.Status)
			}
		})
	}
}

const untilTold = `trap 'echo bye; over=1' TERM; trap over=1 USR1; echo up >$1
	(read line <$2; kill -USR1 $$) & while [ -z "$over" ]; do sleep 0.02; done; echo done`

// TestTimeoutAlone: the time of a task is over when its manager has died.
func TestTimeoutAlone(t *testing.T) {
	t.Parallel()
	waittest.InTime(t, 500*time.Millisecond, func(timeout time.Duration) bool {
		d := newFakeManager(t)
		s := d.store()
		up, on := newFIFO(t), newFIFO(t)
		j, a := s.submit(untilTold, up.Path, on.Path)
		a.Work.Timeout = timeout
		d.send(Order{Task: a}, s.dispatch(j, d.self))
		_, over := d.begun(up)
		d.link.Close()
		d.endsWell()
		if over == nil {
			s.wantEnd(a.TID, taskspec.TimedOut(timeout), "bye\ndone\n")
		}
		return over == nil
	})
}

// TestManagerDiesDuringWork: the consumer finishes alone, and obeys what is
// written to its task.
func TestManagerDiesDuringWork(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit   func(*ledger.Assignment)
		then   func(s *store, tid string, on *waittest.FIFO)
		want   taskspec.Outcome
		output []string
	}{
		"goes on": {nil, func(s *store, tid string, on *waittest.FIFO) { on.Open(1) }, taskspec.Exited(0, ""), []string{"done\n"}},
		"stop": {nil, func(s *store, tid string, _ *waittest.FIFO) { s.command(tid, "stop") },
			taskspec.Stopped(), []string{"bye\ndone\n"}},
		"kill": {nil, func(s *store, tid string, _ *waittest.FIFO) { s.command(tid, `{"command":"KILL","request_id":"k"}`) },
			taskspec.Killed(), []string{""}},
		"ping, then stop": {nil, func(s *store, tid string, _ *waittest.FIFO) {
			s.command(tid, "PING")
			waittest.Until(s, "what the test waits for", func() bool { return len(s.bodies(ledger.QueuesOf(tid).ControlOut)) == 1 })
			s.command(tid, "STOP")
		}, taskspec.Stopped(), []string{"bye\ndone\n"}},
		"stops with its manager": {func(a *ledger.Assignment) { a.Work.OnManagerLoss = taskspec.LossStop }, func(*store, string, *waittest.FIFO) {},
			taskspec.Stopped(), []string{"bye\ndone\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			up, on := newFIFO(t), newFIFO(t)
			j, a := s.submit(untilTold, up.Path, on.Path)
			if test.edit != nil {
				test.edit(a)
			}
			d.send(Order{Task: a}, s.dispatch(j, d.self))
			up.Read()
			d.link.Close()
			test.then(s, a.TID, on)
			d.endsWell()
			s.wantEnd(a.TID, test.want, test.output...)
			if left := d.outputs(); left != nil {
				t.Errorf("files are left: %q", left)
			}
		})
	}
}

// command writes a control message, as anybody may.
func (s *store) command(tid, body string) {
	s.Helper()
	if _, err := s.b.Queue(ledger.QueuesOf(tid).ControlIn).Write(context.Background(), body); err != nil {
		s.Fatal(err)
	}
}

func (s *store) bodies(queue string) (all []string) {
	s.Helper()
	for m, err := range s.b.Queue(queue).Messages(context.Background(), broker.Select{}) {
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, m.Body)
	}
	return all
}

// A consumer whose manager dies after the hand-off cannot know whether that was
// recorded, and hands off again.
func TestManagerDiesBeforeAcknowledgement(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(tx *broker.Tx, h *ledger.HandOff) error
		want      taskspec.Outcome
		output    []string
		fails     bool
	}{
		"not recorded": {func(*broker.Tx, *ledger.HandOff) error { return nil }, taskspec.Exited(0, ""), []string{"done\n"}, false},
		"recorded":     {func(tx *broker.Tx, h *ledger.HandOff) error { return ledger.Finish(tx, h, nil) }, taskspec.Exited(0, ""), []string{"done\n"}, false},
		"given up": {func(tx *broker.Tx, h *ledger.HandOff) error { return ledger.MarkLost(tx, h.TID, h.Epoch, time.Now()) },
			taskspec.Lost(), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			j, a := s.submit("echo done")
			d.send(Order{Task: a}, s.dispatch(j, d.self))
			h := d.finished()
			s.update(func(tx *broker.Tx) error { return test.meanwhile(tx, h) })
			d.link.Close()
			if err := d.ended(); (err != nil) != test.fails {
				t.Errorf("consumer ended with %v", err)
			}
			s.wantEnd(a.TID, test.want, test.output...)
		})
	}
}

// A manager may die when it has committed the end of one task and the
// beginning of the next together, and has told neither.
func TestManagerDiesBetweenTasks(t *testing.T) {
	t.Parallel()
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			j1, a1 := s.submit("echo one")
			j2, a2 := s.submit("echo two")
			d.send(Order{Task: a1}, s.dispatch(j1, d.self))
			h := d.finished()
			d.send(Order{Task: a2})
			if committed {
				s.update(func(tx *broker.Tx) error { return ledger.Finish(tx, h, nil) })
				s.dispatch(j2, d.self)
			}
			d.link.Close()
			d.endsWell()
			s.wantEnd(a1.TID, taskspec.Exited(0, ""), "one\n")
			if committed {
				s.wantEnd(a2.TID, taskspec.Exited(0, ""), "two\n")
			} else if got := s.record(a2.TID); got.Status != taskspec.StatusCreated {
				t.Errorf("the next task is %s", got.Status)
			}
		})
	}
}

// The folder of a project may be deleted under a task. Nothing is made again,
// and the consumer does not stay.
func TestProjectIsDeleted(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	s := d.store()
	up, on := newFIFO(t), newFIFO(t)
	j, a := s.submit("echo up >$1; read line <$2", up.Path, on.Path)
	d.send(Order{Task: a}, s.dispatch(j, d.self))
	up.Read()
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	d.link.Close()
	on.Open(1)
	if err := d.ended(); err == nil {
		t.Error("consumer ended as if all were well")
	} else if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("consumer ended with %v", err)
	}
	if exists, err := sqlite.Exists(d.dir); exists || err != nil {
		t.Errorf("there is a store: %v %v", exists, err)
	}
}

// When a consumer is killed, the kernel kills its task.
func TestConsumerIsKilled(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	up := newFIFO(t)
	d.send(Order{Task: d.shell("echo $$ >$1; exec sleep 1000", up.Path)}, permit())
	pid := up.Read()
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := d.ended(); err == nil {
		t.Error("consumer ended as if all were well")
	}
	// Whoever inherits the dead child reaps it, and tells nobody here.
	waittest.Until(t, "what the test waits for", func() bool { return gone(pid) })
}

// TestStoreGone has the store of a consumer removed before it opens it, while it
// opens it, and afterwards. It makes none.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), ledger.Dir)
	a := &storeJournal{task: &ledger.Assignment{TID: "1795320925719519232", WeftDir: dir}}
	defer a.close()
	if _, err := a.broker(); !errors.Is(err, errNoProject) {
		t.Errorf("before: %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the project was made: %v", err)
	}
	b, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	tries := 0
	err = a.retry(nil, func(*broker.Broker) error {
		if tries++; tries == 1 {
			for os.RemoveAll(dir) != nil {
			}
		}
		return broker.ErrGone
	})
	if !errors.Is(err, errNoProject) || tries != 1 || a.store != nil {
		t.Errorf("afterwards: %v after %d tries", err, tries)
	}
	a.forget(nil) // while it was opened
}
