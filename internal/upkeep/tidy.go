package upkeep

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

const (
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

// Tidied says what [Tidy] has removed. Sizes are in bytes.
type Tidied struct {
	Dir                                  string // of the project
	Events, Tasks, Environments, Records int
	Files                                int
	FileBytes                            int64
	UnknownFiles                         int
	StoreBefore, StoreAfter              int64
	LogBefore, LogAfter                  int64
}

// Tidy removes what the retention does not keep, and what is not referred to any more,
// and then compacts the store. The report says what was done before an error.
func Tidy(ctx context.Context, p Project, keep ledger.Retention) (report Tidied, err error) {
	report.Dir = p.Dir
	b, now := p.Broker, time.Now()
	before, err := b.Info(ctx)
	if err != nil {
		return report, err
	}
	report.StoreBefore, report.LogBefore = before.Bytes, before.Log
	if report.Events, err = trimLog(ctx, b, keep, now); err != nil {
		return report, err
	}
	last, err := broker.View(ctx, b, func(r broker.Reader) (int64, error) { return ledger.Outdated(r, keep.Tasks) })
	if err != nil {
		return report, err
	}
	report.Tasks, err = removeInParts(ctx, b, func(tx *broker.Tx, after int64) (int, int64, error) {
		return ledger.Forget(tx, keep, last, now, after, forgetAtOnce)
	})
	if err != nil {
		return report, err
	}
	report.Environments, err = removeInParts(ctx, b, func(tx *broker.Tx, after int64) (int, int64, error) {
		return ledger.DropEnvironments(tx, after, environmentsAtOnce)
	})
	if err != nil {
		return report, err
	}
	report.Records, err = removeInParts(ctx, b, func(tx *broker.Tx, _ int64) (removed int, next int64, err error) {
		removed, err = ledger.DropOrphans(tx)
		return removed, 0, err
	})
	if err != nil {
		return report, err
	}
	if err := removeFiles(ctx, p, &report); err != nil {
		return report, err
	}
	if err := b.Compact(ctx); err != nil {
		return report, err
	}
	after, err := b.Info(ctx)
	report.StoreAfter, report.LogAfter = after.Bytes, after.Log
	return report, err
}

// trimLog removes the oldest events, some at a time, and counts them.
func trimLog(ctx context.Context, b *broker.Broker, keep ledger.Retention, now time.Time) (removed int, err error) {
	for {
		before, err := broker.View(ctx, b, func(r broker.Reader) (broker.ID, error) {
			return ledger.Expired(r, keep, now, eventsAtOnce)
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

// removeInParts calls remove in one transaction after the other, each with where the
// one before it has come to, until that is 0. It counts what was removed.
func removeInParts(ctx context.Context, b *broker.Broker, remove func(tx *broker.Tx, after int64) (n int, next int64, err error)) (removed int, err error) {
	for after := int64(0); ; {
		var n int
		var next int64
		err := b.Update(ctx, func(tx *broker.Tx) (err error) {
			n, next, err = remove(tx, after)
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
func removeFiles(ctx context.Context, p Project, report *Tidied) error {
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
