package upkeep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/ledger"
	"weft/internal/retention"
	"weft/manager"
	"weft/taskspec"
)

// countUnfinished counts the tasks that have not ended.
func countUnfinished(ctx context.Context, b *broker.Broker) (ledger.Counts, error) {
	counts, err := broker.View(ctx, b, ledger.CountUnfinished)
	if err == nil {
		counts.ConsumerGone, err = stillLost(ctx, b, counts.ConsumerGone)
	}
	return counts, err
}

// stillLost returns those of the tasks that have not ended. A consumer may have reported the
// end of its task, and gone, since the state of the store in which the tasks were found. It is
// dead now, so a task that still runs is lost.
func stillLost(ctx context.Context, b *broker.Broker, tids []string) (lost []string, err error) {
	for _, tid := range tids {
		rec, err := b.Record(ctx, ledger.Kind, tid)
		if err != nil {
			return nil, err
		}
		if !taskspec.Status(rec.State).Terminal() {
			lost = append(lost, tid)
		}
	}
	return lost, nil
}

// examineManager looks at the manager.
func examineManager(ctx context.Context, x *examination) ([]Finding, error) {
	counts, err := broker.CountRecords(ctx, x.Broker, ledger.Kind)
	if err != nil {
		return nil, err
	}
	// After the counting: a manager does not leave while there is work.
	running, err := manager.Running(x.Dir)
	if err != nil {
		return nil, err
	}
	if !running {
		unfinished := 0
		for _, status := range taskspec.Unfinished() {
			unfinished += counts[string(status)]
		}
		switch err := x.CanRun(); {
		case errors.Is(err, errors.ErrUnsupported):
			return note("none: "+err.Error(), "")
		case err != nil:
			return problem("no manager can be started: "+err.Error(), "")
		case unfinished > 0:
			return problem(fmt.Sprintf("no manager for the unfinished tasks (%d)", unfinished), "weft manager start")
		}
		return fine("none: the next task starts one")
	}
	rec, err := x.Broker.Record(ctx, ledger.ManagerKind, ledger.CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return fine("one is just starting")
	}
	if err != nil {
		return nil, err
	}
	m, err := ledger.DecodeManager(rec)
	if err != nil {
		return fine("running; its record is damaged")
	}
	found := fmt.Sprintf("running (pid %d)", m.Process.PID)
	if m.Elsewhere() {
		found = fmt.Sprintf("running (pid %d in another pid namespace)", m.Process.PID)
	}
	switch {
	case m.Gone():
		return fine("the last one is leaving, or one is just starting")
	case m.CheckProtocol() != nil:
		return problem(m.CheckProtocol().Error(), "weft manager stop")
	}
	trouble, advice, unheard := ManagerTrouble(ctx, x.Dir, m)
	switch {
	case trouble != "":
		return problem(trouble, advice)
	case unheard != nil && ctx.Err() == nil && time.Since(time.Unix(0, m.Started)) > slowStart:
		return problem(fmt.Sprintf("the manager (pid %d) does not answer", m.Process.PID), "weft manager stop --force, after which running tasks go on")
	case m.Build != x.Build:
		return note(fmt.Sprintf("%s, of build %q; this program is %q", found, m.Build, x.Build), "weft manager stop, so that the next is of this build")
	}
	return fine(found)
}

// slowStart is how long a manager may take until it answers for the first time.
const slowStart = 10 * time.Second

// ManagerTrouble returns what keeps a running manager from its work, and what to do about it;
// both are empty if nothing is known to. The error says why it could not be asked.
func ManagerTrouble(ctx context.Context, dir string, m *ledger.Manager) (found, advice string, err error) {
	var a control.Answer
	stopped := m.IsStopped()
	if !stopped {
		a, err = control.Give(ctx, dir, control.Order{Command: ledger.CommandStatus})
		stopped = err != nil && m.IsStopped() // since
	}
	pid := m.Process.PID
	switch {
	case stopped:
		return fmt.Sprintf("the manager (pid %d) is stopped", pid), fmt.Sprintf("kill -CONT %d lets it go on", pid), nil
	case err == nil && a.Problem != "":
		return fmt.Sprintf("the manager (pid %d) cannot go on", pid), a.Problem, nil
	}
	return "", "", err
}

// examineLost looks for tasks that are recorded as running and whose processes are dead. With
// a manager they are about to be recorded as lost.
func examineLost(ctx context.Context, x *examination) ([]Finding, error) {
	running, err := manager.Running(x.Dir)
	if err != nil {
		return nil, err
	}
	var lost []string
	if !running {
		lost, err = broker.View(ctx, x.Broker, ledger.LostTasks)
	}
	if err == nil {
		lost, err = stillLost(ctx, x.Broker, lost)
	}
	if err != nil || len(lost) == 0 {
		return nil, err
	}
	return problem(lostTasks(lost), recordLost)
}

// lostTasks names the tasks, and recordLost is what to do about them.
func lostTasks(tids []string) string {
	return "lost tasks, whose consumers have died: " + firstOf(tids)
}

const recordLost = "weft manager start, which records it"

// examineServices looks at the services.
func examineServices(ctx context.Context, x *examination) ([]Finding, error) { return x.Services(ctx) }

const (
	// recentFailures is how long a failure is worth a word, and failuresLooked how many of
	// them are counted, at least.
	recentFailures = 24 * time.Hour
	failuresLooked = 500
)

// examineFailures counts the tasks that have failed lately.
func examineFailures(ctx context.Context, x *examination) (found []Finding, err error) {
	err = x.Broker.View(ctx, func(r broker.Reader) error {
		n, whole, err := ledger.RecentFailures(r, time.Now().Add(-recentFailures), failuresLooked)
		if err != nil || n == 0 {
			found, _ = fine("none in the last 24 h")
			return err
		}
		text := counted(n, "task") + " failed in the last 24 h"
		if !whole {
			text = "at least " + text
		}
		found, _ = problem(text, "weft list --failed --since 1d")
		return nil
	})
	return found, err
}

// examineTasks looks at the tasks that have not ended.
func examineTasks(_ context.Context, x *examination) (found []Finding, err error) {
	c, err := x.counts()
	if err != nil {
		return nil, err
	}
	managed, err := manager.Running(x.Dir)
	if err != nil {
		return nil, err
	}
	if len(c.ConsumerGone) > 0 && !managed {
		found = append(found, Finding{State: Bad, Found: lostTasks(c.ConsumerGone), Advice: recordLost})
	}
	if len(c.RequestGone) > 0 {
		found = append(found, Finding{State: Bad, Found: "wait, but somebody has deleted their requests: " + firstOf(c.RequestGone),
			Advice: "weft task stop " + taskspec.ShortTID(c.RequestGone[0])})
	}
	if len(found) > 0 {
		return found, nil
	}
	text := fmt.Sprintf("%d running, %d queued", c.Running, c.Queued)
	if c.Pending > 0 {
		text += fmt.Sprintf(" (of them, %d wait for their time)", c.Pending)
	}
	return fine(text)
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// firstOf lists the first of the tasks by their short ids.
func firstOf(tids []string) string {
	const most = 3
	var ids []string
	for _, tid := range tids[:min(most, len(tids))] {
		ids = append(ids, taskspec.ShortTID(tid))
	}
	if more := len(tids) - len(ids); more > 0 {
		ids = append(ids, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(ids, ", ")
}

// examineLeftovers counts what tidying would remove.
func examineLeftovers(ctx context.Context, x *examination) ([]Finding, error) {
	found, err := retention.FindLeftovers(ctx, x.Broker, x.Dir)
	switch {
	case err != nil:
		return nil, err
	case found == retention.Leftovers{}:
		return fine("none")
	}
	return note(fmt.Sprintf("environments: %d; records: %d; files: %d (%s)",
		found.Environments, found.Records, found.Files, megabytes(found.FileBytes)), runTidy)
}
