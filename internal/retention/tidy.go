// Package retention removes what a project need not keep: tasks that have ended, when they
// are too old, too many or hold too much output, with all that belongs to them, and what
// nothing refers to. Transactions are small, so that others wait for some milliseconds.
package retention

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

const (
	// eventsAtOnce is how many events one transaction removes.
	eventsAtOnce = 10_000
	// tasksAtOnce is how many tasks one transaction looks at; the record of one may hold 64
	// KiB of its standard error.
	tasksAtOnce = 100
	// keysAtOnce is how many keys one transaction looks at.
	keysAtOnce = 1000
	// environmentsAtOnce is how many environments are looked at together: it bounds the keys
	// in memory.
	environmentsAtOnce = 10_000
)

// A Report says what was removed. Sizes are in bytes.
type Report struct {
	Dir                                        string // of the project
	Events, Tasks, Keys, Environments, Records int
	Files                                      int
	FileBytes                                  int64
	UnknownFiles                               int
	StoreBefore, StoreAfter                    int64
	LogBefore, LogAfter                        int64
}

// A pass removes what exceeds the bounds.
type pass struct {
	b      *broker.Broker
	dir    string
	keep   ledger.Retention
	now    time.Time
	report Report
}

// Tidy removes what exceeds the bounds, and what is not referred to any more, and then
// compacts the store of the project whose folder is dir. The report says what was done before
// an error.
func Tidy(ctx context.Context, b *broker.Broker, dir string, keep ledger.Retention) (Report, error) {
	p := &pass{b: b, dir: dir, keep: keep, now: time.Now(), report: Report{Dir: dir}}
	before, err := b.Info(ctx)
	if err != nil {
		return p.report, err
	}
	p.report.StoreBefore, p.report.LogBefore = before.Bytes, before.Log
	if err := p.all(ctx); err != nil {
		return p.report, err
	}
	orphans, err := broker.Update(ctx, b, ledger.DropOrphans)
	p.report.Records += orphans
	if err == nil {
		err = b.Compact(ctx)
	}
	if err != nil {
		return p.report, err
	}
	after, err := b.Info(ctx)
	p.report.StoreAfter, p.report.LogAfter = after.Bytes, after.Log
	return p.report, err
}

// all removes all that exceeds the bounds, and what the removed have used.
func (p *pass) all(ctx context.Context) error {
	bytes, total, err := p.measure(ctx)
	if err != nil {
		return err
	}
	if err := p.tasks(ctx, bytes, total); err != nil {
		return err
	}
	for _, remove := range []func(context.Context) error{p.events, p.keys, p.managers, p.batches, p.environments, p.files} {
		if err := remove(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measure returns how much output is kept of a task that has ended, and of all together. It
// reads no task if that has no bound.
func (p *pass) measure(ctx context.Context) (bytes func(*ledger.Task) int64, total int64, err error) {
	if p.keep.Output == 0 {
		return func(*ledger.Task) int64 { return 0 }, 0, nil
	}
	inFiles := make(map[string]int64) // by TID
	o, err := openOutputs(p.b, p.dir)
	if err != nil {
		return nil, 0, err
	}
	if o != nil {
		defer o.close()
		err := o.each(func(file fs.FileInfo) error {
			if tid := ledger.TaskOfFile(file.Name()); tid != "" {
				inFiles[tid] += file.Size()
			}
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	bytes = func(t *ledger.Task) int64 { return inFiles[t.TID] + ledger.StoredOutput(t) }
	for after := int64(0); ; {
		var page []*ledger.Task
		next, err := broker.View(ctx, p.b, func(r broker.Reader) (next int64, err error) {
			page, next, err = ledger.Ended(r, after, tasksAtOnce)
			return next, err
		})
		if err != nil {
			return nil, 0, err
		}
		for _, t := range page {
			total += bytes(t)
		}
		if next == 0 {
			return bytes, total, nil
		}
		after = next
	}
}

// tasks removes the oldest tasks that have ended, as long as they exceed the bounds.
func (p *pass) tasks(ctx context.Context, bytes func(*ledger.Task) int64, total int64) error {
	ended, err := broker.View(ctx, p.b, ledger.CountEnded)
	if err != nil {
		return err
	}
	surplus := p.keep.Surplus(ended, total, p.now)
	o, err := openOutputs(p.b, p.dir)
	if err != nil {
		return err
	}
	if o != nil {
		defer o.close()
	}
	return inParts(func(after int64) (next int64, err error) {
		var gone ledger.Removed
		left := surplus
		err = p.b.Update(ctx, func(tx *broker.Tx) (err error) {
			left = surplus // the transaction may run again
			gone, next, err = ledger.Forget(tx, &left, bytes, after, tasksAtOnce)
			return err
		})
		if err != nil {
			return 0, err
		}
		surplus = left
		p.report.Tasks += gone.Tasks
		p.report.Events += gone.Events
		if o != nil {
			err = o.remove(gone.Files, &p.report)
		}
		return next, err
	})
}

// events removes the oldest events that exceed the bounds: tasks that have not ended have
// written them, or managers.
func (p *pass) events(ctx context.Context) error {
	var old time.Time
	if p.keep.Age > 0 {
		old = p.now.Add(-p.keep.Age)
	}
	for {
		before, err := broker.View(ctx, p.b, func(r broker.Reader) (broker.ID, error) {
			return ledger.Expired(r, p.keep.Events(), old, eventsAtOnce)
		})
		if err != nil || before == 0 {
			return err
		}
		n, err := p.b.Queue(ledger.Log).Delete(ctx, broker.Select{Before: before})
		p.report.Events += n
		if err != nil {
			return err
		}
	}
}

// keys removes the keys that are too old.
func (p *pass) keys(ctx context.Context) error {
	if p.keep.Keys == 0 {
		return nil
	}
	return p.drop(ctx, &p.report.Keys, func(tx *broker.Tx, after int64) (n int, next int64, err error) {
		return ledger.DropKeys(tx, p.now.Add(-p.keep.Keys), after, keysAtOnce)
	})
}

// managers removes the records of those that came too long ago and have left.
func (p *pass) managers(ctx context.Context) error {
	if p.keep.Age == 0 {
		return nil
	}
	return p.drop(ctx, new(int), func(tx *broker.Tx, after int64) (n int, next int64, err error) {
		return ledger.DropManagers(tx, p.now.Add(-p.keep.Age), after, keysAtOnce)
	})
}

// batches removes the records of those whose tasks are gone.
func (p *pass) batches(ctx context.Context) error {
	return p.drop(ctx, &p.report.Records, func(tx *broker.Tx, after int64) (n int, next int64, err error) {
		return ledger.DropBatches(tx, after, keysAtOnce)
	})
}

// drop removes records, some in each transaction, and adds to dropped how many.
func (p *pass) drop(ctx context.Context, dropped *int, some func(tx *broker.Tx, after int64) (n int, next int64, err error)) error {
	return inParts(func(after int64) (next int64, err error) {
		n := 0
		err = p.b.Update(ctx, func(tx *broker.Tx) (err error) {
			n, next, err = some(tx, after)
			return err
		})
		*dropped += n
		return next, err
	})
}

// environments removes those that no task needs. Looking for them reads tasks, which is done
// before others have to wait.
func (p *pass) environments(ctx context.Context) error {
	return inParts(func(after int64) (next int64, err error) {
		var keys []string
		var newest int64
		err = p.b.View(ctx, func(r broker.Reader) (err error) {
			keys, newest, next, err = ledger.UnusedEnvironments(r, after, environmentsAtOnce)
			return err
		})
		if err != nil || len(keys) == 0 {
			return next, err
		}
		n, err := broker.Update(ctx, p.b, func(tx *broker.Tx) (int, error) { return ledger.DropEnvironments(tx, keys, newest) })
		p.report.Environments += n
		return next, err
	})
}

// files removes the outputs and inputs that are not needed.
func (p *pass) files(ctx context.Context) error {
	o, err := openOutputs(p.b, p.dir)
	if err != nil || o == nil {
		return err
	}
	defer o.close()
	p.report.UnknownFiles, err = o.unused(ctx, func(file fs.FileInfo) error { return o.removeFile(file, &p.report) })
	return err
}

// inParts calls remove with where the call before has come to, until that is 0.
func inParts(remove func(after int64) (next int64, err error)) error {
	for after := int64(0); ; {
		next, err := remove(after)
		if err != nil || next == 0 {
			return err
		}
		after = next
	}
}

// RemoveTask removes a task that has ended, with all that belongs to it. Errors wrap
// [broker.ErrNotFound] or [ledger.ErrNotEnded], or say why the task is needed.
func RemoveTask(ctx context.Context, b *broker.Broker, dir, tid string) error {
	o, err := openOutputs(b, dir)
	if err != nil {
		return err
	}
	if o != nil {
		defer o.close()
	}
	for {
		var gone ledger.Removed
		all := false
		err := b.Update(ctx, func(tx *broker.Tx) (err error) {
			gone, all, err = ledger.Remove(tx, tid)
			return err
		})
		if err == nil && o != nil {
			err = o.remove(gone.Files, new(Report))
		}
		if err != nil || all {
			return err
		}
	}
}

// Leftovers are what nothing refers to.
type Leftovers struct {
	Environments, Records, Files int
	FileBytes                    int64
}

// FindLeftovers counts what [Tidy] would remove whatever the bounds are.
func FindLeftovers(ctx context.Context, b *broker.Broker, dir string) (found Leftovers, err error) {
	err = b.View(ctx, func(r broker.Reader) error {
		orphans, err := ledger.FindOrphans(r)
		if err != nil {
			return err
		}
		found = Leftovers{Records: len(orphans)}
		return inParts(func(after int64) (int64, error) {
			keys, _, next, err := ledger.UnusedEnvironments(r, after, environmentsAtOnce)
			found.Environments += len(keys)
			return next, err
		})
	})
	if err != nil {
		return found, err
	}
	o, err := openOutputs(b, dir)
	if err != nil || o == nil {
		return found, err
	}
	defer o.close()
	_, err = o.unused(ctx, func(file fs.FileInfo) error {
		found.Files++
		found.FileBytes += file.Size()
		return nil
	})
	return found, err
}

// remove removes files by their names, those that exist, and counts them.
func (o *outputs) remove(names []string, report *Report) error {
	for _, name := range names {
		info, err := o.folder.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = o.removeFile(info, report)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeFile removes a file and counts it, unless another process was faster.
func (o *outputs) removeFile(file fs.FileInfo, report *Report) error {
	err := o.folder.Remove(file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		report.Files++
		report.FileBytes += file.Size()
	}
	return err
}
