//go:build linux

package weft_test

import (
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestUntrustedProject serves a project that the user did not create: until the user
// trusts it, no task that waited there runs, neither in a process nor inline. What the
// user submits runs.
func TestUntrustedProject(t *testing.T) {
	t.Parallel()
	p := newProject(t, programVariable+"=1", "WEFT_DURABILITY=normal")
	var old []string
	err := p.open().Broker().Update(p.ctx, func(tx *broker.Tx) error {
		old = nil
		parent := ""
		delayed := shell("exit 0")
		delayed.Delay = time.Millisecond
		for _, spec := range []*taskspec.Spec{shell("exit 0"), inline("add", "a", 1, "b", 2), delayed, shell("exit 0")} {
			tid, _, err := ledger.Submit(tx, ledger.Submission{Spec: spec, Item: "{}", Dir: p.dir, Parent: parent}, time.Now())
			if err != nil {
				return err
			}
			old = append(old, tid)
			if len(old) == 3 {
				parent = tid // the last is nested
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Without the state folder it counts as another user's project.
	p.env = append(p.env, "XDG_STATE_HOME="+t.TempDir())
	u := p.user()
	u.call(call{Do: "look"})
	u.line()
	p.serving()
	for _, spec := range []*taskspec.Spec{inline("add", "a", 1, "b", 2), shell("exit 0"), inline("add", "a", 3, "b", 4), shell("exit 0")} {
		u.call(call{Do: "run", Spec: spec})
		u.accepted()
		if got := u.line(); got.Status != taskspec.StatusCompleted {
			t.Errorf("its own task: %+v", got)
		}
	}
	for _, tid := range old {
		if was := p.task(tid); was.Status != taskspec.StatusCreated {
			t.Errorf("task %s, which was there: %s", tid, was.Status)
		}
	}
	u.call(call{Do: "trust"})
	u.line()
	for _, tid := range old {
		if got := p.awaitEnd(tid); got.Status != taskspec.StatusCompleted {
			t.Errorf("task %s: %s, %s", tid, got.Status, got.Error)
		}
	}
}
