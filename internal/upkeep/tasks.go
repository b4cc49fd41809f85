package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"weft/broker"
	"weft/internal/ledger"
	"weft/manager"
	"weft/taskspec"
)

// countUnfinished counts the tasks that have not ended.
func countUnfinished(ctx context.Context, b *broker.Broker) (ledger.Counts, error) {
	counts, err := broker.View(ctx, b, ledger.CountUnfinished)
	if err != nil || len(counts.ConsumerGone) == 0 {
		return counts, err
	}
	// A consumer may have reported the end of its task, and gone, since the
	// state of the store that was counted. It is dead now, so a task that
	// still runs is deserted.
	var deserted []string
	for _, tid := range counts.ConsumerGone {
		rec, err := b.Record(ctx, ledger.Kind, tid)
		if err != nil {
			return counts, err
		}
		if !taskspec.Status(rec.State).Terminal() {
			deserted = append(deserted, tid)
		}
	}
	counts.ConsumerGone = deserted
	return counts, nil
}

// examineManager looks at the manager.
func examineManager(ctx context.Context, x *examination) ([]Finding, error) {
	counts, err := x.counts()
	if err != nil {
		return nil, err
	}
	// After the counting: a manager does not leave while there is work.
	running, err := manager.Running(x.Dir)
	if err != nil {
		return nil, err
	}
	if !running {
		unfinished := counts.Queued + counts.Running
		switch err := x.CanRun(); {
		case errors.Is(err, errors.ErrUnsupported):
			return note("none: "+err.Error(), "")
		case err != nil:
			return problem("none can be started: "+err.Error(), "")
		case unfinished > 0:
			return problem(fmt.Sprintf("none for the unfinished tasks (%d)", unfinished), "weft manager start")
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
	case m.Build != x.Build:
		return note(fmt.Sprintf("%s, of build %q; this program is %q", found, m.Build, x.Build), "weft manager stop, so that the next is of this build")
	}
	return fine(found)
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
		found = append(found, Finding{State: Bad, Found: "run without a consumer, which has died: " + firstOf(c.ConsumerGone),
			Advice: "weft manager start, which reports them as lost"})
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

// examineLeftovers counts what [Tidy] would remove.
func examineLeftovers(ctx context.Context, x *examination) ([]Finding, error) {
	environments, records := 0, 0
	err := x.Broker.View(ctx, func(r broker.Reader) error {
		orphans, err := ledger.FindOrphans(r)
		if err != nil {
			return err
		}
		records, environments = len(orphans), 0
		for after := int64(0); ; {
			keys, next, err := ledger.UnusedEnvironments(r, after, environmentsAtOnce)
			if err != nil {
				return err
			}
			environments += len(keys)
			if next == 0 {
				return nil
			}
			after = next
		}
	})
	if err != nil {
		return nil, err
	}
	files, bytes := 0, int64(0)
	o, err := openOutputs(x.Project)
	if err == nil && o != nil {
		defer o.close()
		_, err = o.unused(ctx, func(file fs.FileInfo) error {
			files++
			bytes += file.Size()
			return nil
		})
	}
	switch {
	case err != nil:
		return nil, err
	case environments+records+files == 0:
		return fine("none")
	}
	return note(fmt.Sprintf("environments: %d; records: %d; files: %d (%s)", environments, records, files, megabytes(bytes)), runTidy)
}
