package ledger

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// interactive makes a task read its inbox.
func interactive(s *taskspec.Spec) { s.Interactive = true }

// Tasks that hold no slot do not wait for one behind those that do.
func TestWaitingSlotless(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	plain := p.submit()
	lines := p.submit(interactive)
	screen := p.submit(func(s *taskspec.Spec) { s.TTY = true })
	if diff := cmp.Diff([]string{lines, screen}, p.waiting(10, true), bare); diff != "" {
		t.Errorf("waiting for no slot (-want +got):\n%s", diff)
	}
	if p.prepare(plain).Slotless || !p.prepare(lines).Slotless || !p.prepare(screen).Slotless {
		t.Error("jobs hold slots, or none, by mistake")
	}
	p.run(lines)
	p.run(screen)
	if left := p.waiting(10, true); len(left) > 0 {
		t.Errorf("waiting after they were given out: %q", left)
	}
	// One that was written by hand is marked by nobody.
	text := string(must(json.Marshal(echo(interactive))))
	hand := p.write(Requests, text).String()
	if !p.prepare(hand).Slotless {
		t.Error("an interactive request that was written by hand holds a slot")
	}
	p.run(hand)
}

// Input is for tasks that read it, as long as they may.
func TestFeed(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	feed := func(tid, body string) error {
		return p.try(func(tx *broker.Tx) error { return WriteStdin(tx, tid, body) })
	}
	tid := p.submit(interactive)
	if err := feed(tid, "early"); err != nil {
		t.Error(err)
	}
	p.run(tid)
	if err := feed(tid, "late"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"early", "late"}, p.bodies(QueuesOf(tid).Inbox)); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	if err := p.finish(&HandOff{TID: tid, Epoch: 1, Seq: 1, Outcome: taskspec.Exited(0, ""), Output: Output{Form: FormText}, Ended: at}); err != nil {
		t.Fatal(err)
	}
	if err := feed(tid, "too late"); !errors.Is(err, ErrNotRunning) {
		t.Errorf("feed a task that has ended: %v", err)
	}
	if left := p.bodies(QueuesOf(tid).Inbox); len(left) > 0 {
		t.Errorf("left in the inbox: %q", left)
	}
	deaf := p.submit()
	p.run(deaf)
	if err := feed(deaf, "x"); !errors.Is(err, ErrNotInteractive) {
		t.Errorf("feed a task that reads nothing: %v", err)
	}
	if err := feed("1763740800000000000", "x"); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("feed no task: %v", err)
	}
}
