//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// twins is a task that ignores SIGTERM as its child does. Both write their pids.
// Run again, it ends when proceed is opened.
const twins = `trap "" TERM
if [ "$WEFT_EPOCH" = 2 ]; then echo again >"$1"; read -r line <"$2"; echo second; exit; fi
(read -r pid rest </proc/self/stat; echo child $pid >"$1"; sleep 1001) &
echo parent $$ >"$1"; sleep 1002`

// TestStaleHandOff stops the consumer of a task, has the task end in every way
// that the manager sees to, and hands in afterwards what the consumer would have
// reported: the tree is gone, and the report changes nothing, not even when the
// task runs again.
func TestStaleHandOff(t *testing.T) {
	for _, do := range []string{"stop", "kill", "timeout"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, "WEFT_DURABILITY=normal")
			u := p.user()
			var tell, proceed *waittest.FIFO
			var tid string
			var tree []proc.Identity
			var lost *ledger.Task
			waittest.InTime(t, time.Second, func(timeout time.Duration) bool {
				tell, proceed = p.fifo("tell "+timeout.String()), p.fifo("proceed "+timeout.String())
				spec := shell(twins, tell.Path, proceed.Path)
				spec.StopGrace = new(100 * time.Millisecond)
				if do == "timeout" {
					spec.Timeout = timeout
				}
				u.call(call{Do: "submit", Spec: spec})
				tid = u.accepted()
				if tree = p.members(tell, tid, 2); tree == nil {
					return false
				}
				tree = append(tree, p.task(tid).Consumer)
				p.signal(tree[2], syscall.SIGSTOP)
				if do != "timeout" {
					u.call(call{Do: do, TID: tid})
					u.line()
				}
				lost = p.awaitEnd(tid)
				return do != "timeout" || lost.Status != taskspec.StatusTimeout // its consumer still ended it
			})
			if lost.Status != taskspec.StatusFailed || lost.Error != "lost: consumer process died" {
				t.Errorf("the task ended as %+v", lost)
			}
			for _, id := range tree {
				if id.Alive() {
					t.Errorf("process %d is left", id.PID)
				}
			}

			late := &ledger.HandOff{
				TID: tid, Epoch: lost.Epoch, Seq: lost.Seq + 1, Process: tree[0], Outcome: taskspec.Exited(0, ""),
				Output: ledger.Output{Form: ledger.FormText, Size: 5}, Result: []byte("late\n"), Ended: time.Now(),
			}
			p.refuses(late)
			task, err := p.open().Task(p.ctx, tid)
			if err != nil {
				t.Fatal(err)
			}
			if err := task.Retry(p.ctx); err != nil {
				t.Fatal(err)
			}
			tell.Read() // it runs again
			p.refuses(late)
			proceed.Open(1)
			if got := p.awaitEpoch(tid, 2); got.Status != taskspec.StatusCompleted {
				t.Errorf("the second time: %+v", got)
			}
			p.refuses(late)
			u.call(call{Do: "result", TID: tid})
			if got := u.line(); got.Output != "second\n" {
				t.Errorf("the result: %+v", got)
			}
		})
	}
}

// refuses hands in a report that comes too late, and proves that nothing has
// changed.
func (p *project) refuses(late *ledger.HandOff) {
	p.t.Helper()
	before, messages := p.task(late.TID), p.held()
	err := p.project.Broker().Update(p.ctx, func(tx *broker.Tx) error { return ledger.Finish(tx, late, nil) })
	if !errors.Is(err, ledger.ErrStale) {
		p.t.Errorf("a report that comes too late: %v", err)
	}
	after, messagesAfter := p.task(late.TID), p.held()
	if before.Process == (proc.Identity{}) && after.Process != late.Process {
		before.Process = after.Process // the manager has recorded it meanwhile, as it does for a task that runs
	}
	if diff := cmp.Diff(before, after, cmpopts.IgnoreUnexported(ledger.Task{})); diff != "" {
		p.t.Errorf("it changed the task (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(messages, messagesAfter); diff != "" {
		p.t.Errorf("it changed messages (-before +after):\n%s", diff)
	}
}

// awaitEpoch waits until the task has ended for the nth time.
func (p *project) awaitEpoch(tid string, n int) *ledger.Task {
	p.t.Helper()
	ends := 0
	p.await(fmt.Sprintf("end %d of task %s", n, tid), func(e ledger.Event) bool {
		if e.TID == tid && e.Status.Terminal() {
			ends++
		}
		return ends == n
	})
	return p.task(tid)
}
