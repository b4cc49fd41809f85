//go:build linux

package weft_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestHistoryLogWindow runs tasks in a project with a long history, in which
// nobody may look for their ends from the oldest event on: one that fails, and
// one that is stopped.
func TestHistoryLogWindow(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	err := c.Broker().Update(t.Context(), func(tx *broker.Tx) error {
		for range 5000 {
			if _, err := tx.Write(ledger.Log, `{"event":"poll_report","tid":"1000000000000000000"}`); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	client, failed := p.run(weft.Command("false"))
	if l := client.answer(); l.Status != taskspec.StatusFailed {
		t.Errorf("the answer is %+v, want that it failed", l)
	}
	client, stopped := p.run(shell("sleep 1000"))
	task, err := c.Task(t.Context(), stopped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := task.Stop(p.ctx); err != nil {
		t.Fatal(err)
	}
	if l := client.answer(); l.Status != taskspec.StatusCancelled {
		t.Errorf("the answer is %+v, want that it was stopped", l)
	}
	if task, err = c.Task(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	var events []string
	for e, err := range task.Events(t.Context(), false) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e.Name)
	}
	want := []string{"task_initialized", "task_spawning", "work_started", "work_failed"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("events of the failed task (-want +got):\n%s", diff)
	}
}
