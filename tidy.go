package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

const (
	// DefaultKeepEvents is how many events [System.Tidy] leaves in the log of
	// tasks: those of some 1,250 tasks, some 5 MB.
	DefaultKeepEvents = 5000
	// DefaultKeepTasks is how many tasks that have ended [System.Tidy] leaves:
	// some 2 MB.
	DefaultKeepTasks = 1000
	// DefaultKeepAge is how old events and ended tasks may be.
	DefaultKeepAge = 30 * 24 * time.Hour

	// eventsAtOnce is how many events one transaction removes: few enough that
	// other writers wait for a fraction of a second.
	eventsAtOnce = 10_000
	// forgetAtOnce is how many tasks one transaction looks at, likewise; the record
	// of one may hold 64 KiB of its standard error.
	forgetAtOnce = 200
	// environmentsAtOnce is how many environments one transaction looks at: it
	// bounds the keys in memory.
	environmentsAtOnce = 10_000
)

// TidyOptions are the choices of [System.Tidy]. The zero value is the default.
type TidyOptions struct {
	// KeepEvents is how many events stay in weft.log.tasks, the newest; 0 means
	// [DefaultKeepEvents], a negative number that there is no bound.
	KeepEvents int
	// KeepTasks is how many tasks that have ended stay, the newest; 0 means
	// [DefaultKeepTasks], a negative number that there is no bound.
	KeepTasks int
	// KeepAge is how old an event, or the end of a task, may be that stays; 0
	// means [DefaultKeepAge], a negative duration that there is no bound.
	KeepAge time.Duration
	// PendingResults also removes tasks whose results have not been consumed, or
	// whose work items their policies have kept, together with these. Otherwise such
	// tasks stay, whatever their age and number.
	PendingResults bool
}

// retention gives the options their defaults.
func (o TidyOptions) retention() ledger.Retention {
	keep := ledger.Retention{
		Events: cmp.Or(o.KeepEvents, DefaultKeepEvents),
		Tasks:  cmp.Or(o.KeepTasks, DefaultKeepTasks),
		Age:    cmp.Or(o.KeepAge, DefaultKeepAge),
		Force:  o.PendingResults,
	}
	keep.Events, keep.Tasks, keep.Age = max(keep.Events, 0), max(keep.Tasks, 0), max(keep.Age, 0)
	return keep
}

// A TidyReport says what [System.Tidy] has removed. Sizes are in bytes.
type TidyReport struct {
	Dir          string // the project's folder
	Events       int    // removed from weft.log.tasks
	Tasks        int    // that had ended, and whose records were removed
	Environments int    // snapshots of submitters' environments
	Records      int    // that had lost what they belonged to
	Files        int    // outputs and inputs of tasks
	FileBytes    int64  // the size of these
	UnknownFiles int    // other files among the outputs; they are left alone

	// The size of the store and of its log, before and after.
	StoreBefore, StoreAfter int64
	LogBefore, LogAfter     int64
}

// Tidy removes the oldest events of the log of tasks, the oldest tasks that have
// ended and whose results are consumed, and the environments, outputs and
// inputs that are not referred to any more; then it gives the room back to the file
// system and empties the log of the store. A task that was removed is unknown:
// see [ErrNoTask].
//
// Everything may go on meanwhile; at the end writers wait while the store is
// copied. Cancelling ctx, or killing the process, leaves the rest for the next
// time; the report says what was done before an error.
//
// Needed are: an environment while its task has not ended or may be run again,
// that is did not complete; an output until its result has been taken, or, if
// that went to a queue of the user's, until the task is removed; a
// standard input until its task has ended and kept no message. An input that no
// task names goes when it is 24 h old.
func (s System) Tidy(ctx context.Context, o TidyOptions) (TidyReport, error) {
	report := TidyReport{Dir: s.project.dir}
	if err := tidy(ctx, s.project, o.retention(), &report); err != nil {
		return report, fmt.Errorf("tidy project: %w", err)
	}
	return report, nil
}

func tidy(ctx context.Context, p *Project, keep ledger.Retention, report *TidyReport) error {
	if p.trust.foreign != nil {
		return p.trust.foreign
	}
	b := p.broker
	info, err := b.Info(ctx)
	if err != nil {
		return err
	}
	report.StoreBefore, report.LogBefore = info.Bytes, info.Log
	if report.Events, err = trimLog(ctx, b, keep); err != nil {
		return err
	}
	if report.Tasks, err = forgetTasks(ctx, b, keep); err != nil {
		return err
	}
	if report.Environments, err = dropEnvironments(ctx, b); err != nil {
		return err
	}
	err = b.Update(ctx, func(tx *broker.Tx) (err error) {
		report.Records, err = ledger.DropOrphans(tx)
		return err
	})
	if err != nil {
		return err
	}
	if err := removeFiles(ctx, p, report); err != nil {
		return err
	}
	if err := b.Compact(ctx); err != nil {
		return err
	}
	info, err = b.Info(ctx)
	report.StoreAfter, report.LogAfter = info.Bytes, info.Log
	return err
}

// trimLog removes the oldest events, some at a time, and counts them.
func trimLog(ctx context.Context, b *broker.Broker, keep ledger.Retention) (removed int, err error) {
	for now := time.Now(); ; {
		var before broker.ID
		err := b.View(ctx, func(r broker.Reader) (err error) {
			before, err = ledger.Expired(r, keep, now, eventsAtOnce)
			return err
		})
		if err != nil || before == 0 {
			return removed, err
		}
		n, err := b.Queue(ledger.Log).Delete(ctx, broker.Select{Before: before})
		removed += n
		if err != nil {
			return removed, err
		}
	}
}

// forgetTasks removes tasks that have ended, some at a time, and counts them.
func forgetTasks(ctx context.Context, b *broker.Broker, keep ledger.Retention) (removed int, err error) {
	var before int64
	err = b.View(ctx, func(r broker.Reader) (err error) {
		before, err = ledger.Outdated(r, keep.Tasks)
		return err
	})
	if err != nil {
		return 0, err
	}
	for now, after := time.Now(), int64(0); ; {
		var n int
		var next int64
		err := b.Update(ctx, func(tx *broker.Tx) (err error) {
			n, next, err = ledger.Forget(tx, keep, before, now, after, forgetAtOnce)
			return err
		})
		if err != nil {
			return removed, err
		}
		removed += n
		if next == 0 {
			return removed, nil
		}
		after = next
	}
}

// dropEnvironments removes the environments that no task needs, and counts
// them.
func dropEnvironments(ctx context.Context, b *broker.Broker) (removed int, err error) {
	for after := int64(0); ; {
		var n int
		var next int64
		err := b.Update(ctx, func(tx *broker.Tx) (err error) {
			n, next, err = ledger.DropEnvironments(tx, after, environmentsAtOnce)
			return err
		})
		if err != nil {
			return removed, err
		}
		removed += n
		if next == 0 {
			return removed, nil
		}
		after = next
	}
}

// removeFiles removes the outputs and inputs that are not needed.
func removeFiles(ctx context.Context, p *Project, report *TidyReport) error {
	o, err := openOutputs(p)
	if err != nil || o == nil {
		return err
	}
	defer o.close()
	report.UnknownFiles, err = o.unused(ctx, func(file fs.FileInfo) error {
		err := o.folder.Remove(file.Name())
		if errors.Is(err, fs.ErrNotExist) {
			return nil // its result was taken meanwhile
		}
		if err == nil {
			report.Files++
			report.FileBytes += file.Size()
		}
		return err
	})
	return err
}
