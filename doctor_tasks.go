package weft

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

// examineTasks looks at the manager, at the tasks that have not ended, and at
// what is left of those that have.
func examineTasks(ctx context.Context, p *Project) []Finding {
	census, err := takeCensus(ctx, p.broker)
	if err != nil {
		return unknown("tasks", err)
	}
	// After the census: a manager does not leave while there is work.
	running, err := manager.Running(p.dir)
	if err != nil {
		return unknown("manager", err)
	}
	found := []Finding{examineManager(ctx, p, running, census.Queued+census.Running)}
	found = append(found, examineCensus(census, running)...)
	found = append(found, examineServices(ctx, p)...)
	return append(found, examineLeftovers(ctx, p))
}

// takeCensus counts the tasks that have not ended.
func takeCensus(ctx context.Context, b *broker.Broker) (census ledger.Counts, err error) {
	err = b.View(ctx, func(r broker.Reader) (err error) {
		census, err = ledger.CountUnfinished(r)
		return err
	})
	if err != nil || len(census.ConsumerGone) == 0 {
		return census, err
	}
	// A consumer may have reported the end of its task, and gone, since the
	// state of the store that the census saw. It is dead now, so a task that
	// still runs is deserted.
	var deserted []string
	for _, tid := range census.ConsumerGone {
		rec, err := b.Record(ctx, ledger.Kind, tid)
		if err != nil {
			return census, err
		}
		if !taskspec.Status(rec.State).Terminal() {
			deserted = append(deserted, tid)
		}
	}
	census.ConsumerGone = deserted
	return census, nil
}

// examineManager looks at the manager, where so many tasks have not ended.
func examineManager(ctx context.Context, p *Project, running bool, unfinished int) Finding {
	const check = "manager"
	if !running {
		switch err := canRun(); {
		case errors.Is(err, errors.ErrUnsupported):
			return note(check, "none: "+err.Error(), "")
		case err != nil:
			return problem(check, "none can be started: "+err.Error(), "")
		case unfinished > 0:
			return problem(check, fmt.Sprintf("none for the unfinished tasks (%d)", unfinished), "weft manager start")
		}
		return fine(check, "none: the next task starts one")
	}
	rec, err := p.broker.Record(ctx, ledger.ManagerKind, ledger.CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return fine(check, "one is just starting")
	}
	if err != nil {
		return problem(check, err.Error(), "")
	}
	m, err := ledger.DecodeManager(rec)
	if err != nil {
		return fine(check, "running; its record is damaged")
	}
	found := fmt.Sprintf("running (pid %d)", m.Process.PID)
	if m.Elsewhere() {
		found = fmt.Sprintf("running (pid %d in another pid namespace)", m.Process.PID)
	}
	switch {
	case m.Gone():
		return fine(check, "the last one is leaving, or one is just starting")
	case m.CheckProtocol() != nil:
		return problem(check, m.CheckProtocol().Error(), "weft manager stop")
	case m.Build != build():
		return note(check, fmt.Sprintf("%s, of build %q; this program is %q", found, m.Build, build()),
			"weft manager stop, so that the next is of this build")
	}
	return fine(check, found)
}

// examineCensus looks at the tasks that have not ended.
func examineCensus(c ledger.Counts, managed bool) []Finding {
	const check = "tasks"
	var found []Finding
	if len(c.ConsumerGone) > 0 && !managed {
		found = append(found, problem(check, "run without a consumer, which has died: "+firstOf(c.ConsumerGone),
			"weft manager start, which reports them as lost"))
	}
	if len(c.RequestGone) > 0 {
		found = append(found, problem(check, "wait, but somebody has deleted their requests: "+firstOf(c.RequestGone),
			"weft task stop "+taskspec.ShortTID(c.RequestGone[0])))
	}
	if len(found) == 0 {
		text := fmt.Sprintf("%d running, %d queued", c.Running, c.Queued)
		if c.Pending > 0 {
			text += fmt.Sprintf(" (of them, %d wait for their time)", c.Pending)
		}
		found = append(found, fine(check, text))
	}
	return found
}

// examineServices looks at the services, if there are any, and at what is
// quarantined because the project is not trusted.
func examineServices(ctx context.Context, p *Project) (found []Finding) {
	const check = "services"
	trust, err := p.TrustStatus(ctx)
	if err != nil {
		return unknown("trust", err)
	}
	if text := trust.String(); text != "" {
		found = append(found, note("trust", text, "look at them, then weft trust"))
	}
	services, err := p.Services(ctx)
	if err != nil {
		return append(found, unknown(check, err)...)
	}
	live := 0
	for _, s := range services {
		switch {
		case s.Status != "" && !s.Status.Terminal():
			live++
		case s.unfit:
			found = append(found, problem(check, s.File+": "+s.Problem, ""))
		}
	}
	if live > 0 {
		found = append(found, fine(check, fmt.Sprintf("%d of %d running", live, len(services))))
	}
	return found
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

// examineLeftovers counts what System.Tidy would remove.
func examineLeftovers(ctx context.Context, p *Project) Finding {
	const check = "leftovers"
	environments, records := 0, 0
	err := p.broker.View(ctx, func(r broker.Reader) error {
		orphans, err := ledger.FindOrphans(r)
		if err != nil {
			return err
		}
		records, environments = orphans.Count(), 0
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
		return problem(check, err.Error(), "")
	}
	files, bytes, err := countUnused(ctx, p)
	if err != nil {
		return problem(check, err.Error(), "")
	}
	if environments+records+files == 0 {
		return fine(check, "none")
	}
	return note(check, fmt.Sprintf("environments: %d; records: %d; files: %d (%s)", environments, records, files, megabytes(bytes)), runTidy)
}

// countUnused counts the outputs and inputs that are not needed, and their bytes.
func countUnused(ctx context.Context, p *Project) (files int, bytes int64, err error) {
	o, err := openOutputs(p)
	if err != nil || o == nil {
		return 0, 0, err
	}
	defer o.close()
	_, err = o.unused(ctx, func(file fs.FileInfo) error {
		files++
		bytes += file.Size()
		return nil
	})
	return files, bytes, err
}
