package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/retention"
	"weft/internal/title"
	"weft/taskspec"
)

// register records that this manager runs, and adopts the tasks that an earlier one left.
func (l *loop) register(ctx context.Context) error {
	var live []*ledger.Task
	var servers []*ledger.Server
	err := l.o.Broker.Update(ctx, func(tx *broker.Tx) (err error) {
		m := ledger.Manager{Process: l.self, Namespace: proc.Namespace(), Build: l.o.Build, Embedded: l.o.Embedded, Autostart: l.o.Autostart != nil, Folder: folderID(l.o.Dir), Slots: l.o.MaxTasks}
		if l.record, err = ledger.RegisterManager(tx, m, time.Now()); err != nil {
			return err
		}
		if live, err = ledger.LiveTasks(tx); err != nil {
			return err
		}
		servers, err = ledger.Servers(tx)
		return err
	})
	if err == nil {
		err = l.logDamages(ctx)
	}
	if err != nil {
		return fmt.Errorf("take over project: %w", err)
	}
	l.log = l.log.With("manager", l.record.TID)
	l.trust()
	l.log.Info("manager started", "pid", l.self.PID, "slots", l.o.MaxTasks, "survivors", len(live))
	if !l.o.Embedded {
		title.Set(title.Format(l.o.Root, taskspec.ShortTID(l.record.TID), "manager", ledger.ManagerRunning, ""))
	}
	for _, t := range live {
		switch {
		case t.Kind() == ledger.Pipeline:
			l.watchPipeline(t.TID)
		case l.record.Copied: // its processes belong to the original project
			l.markLost(task{t.TID, t.Epoch})
		case t.HasConsumer(): // else its server is watched
			l.adopt(t)
		}
	}
	l.watchServers(servers)
	return nil
}

// recentDamage is how many of the newest records of each kind a manager checks when it
// starts.
const recentDamage = 100

// logDamages logs the damaged records that the manager is concerned with.
func (l *loop) logDamages(ctx context.Context) error {
	return l.o.Broker.View(ctx, func(r broker.Reader) error {
		found, err := ledger.RecentDamage(r, recentDamage)
		for _, d := range found {
			l.logDamage(d.Err)
		}
		return err
	})
}

// lockCheck is the interval at which a manager checks that its lock is the project's.
const lockCheck = time.Second

// checkLeadership checks that the manager still leads the project. It returns errReplaced
// if another manager may lead, because the lock file is gone. If the project has been
// moved, consumers would not find it to record the ends of their tasks, so the tasks are
// stopped while the store is open; the next client starts a manager at the new place.
func (l *loop) checkLeadership(ctx context.Context, now time.Time) error {
	if l.stopping || now.Sub(l.lockChecked) < lockCheck {
		return nil
	}
	if l.lockChecked = now; l.lock.inPlace() {
		return nil
	}
	if l.record.Folder == folderID(l.o.Dir) {
		l.log.Warn("the lock of the manager was removed", "folder", l.o.Dir)
		return errReplaced
	}
	l.log.Warn("the project was moved or removed", "folder", l.o.Dir)
	return l.Stop(ctx)
}

// leave records that the manager exits, so that the next submitter starts another one.
func (l *loop) leave() error {
	err := l.o.Broker.Update(context.Background(), func(tx *broker.Tx) error {
		return l.record.Leave(tx, time.Now())
	})
	l.log.Info("manager stopped")
	if err == nil {
		l.flush()
	}
	return err
}

// flush removes what need not be kept, gives back the room, and moves the store's log into its
// file, for users that copy the file while no process uses it.
func (l *loop) flush() {
	ctx := context.Background()
	l.keeper.Last(ctx)
	if err := retention.Shrink(ctx, l.o.Broker); err != nil {
		l.log.Warn("leave the store's log as it is", "err", err)
	}
}

// leaveIdle records that the manager exits, unless there is work after all.
func (l *loop) leaveIdle() error {
	var left bool
	err := l.o.Broker.Update(context.Background(), func(tx *broker.Tx) (err error) {
		left, err = l.record.LeaveIdle(tx, l.Quarantined, time.Now())
		return err
	})
	if l.left = left && err == nil; l.left {
		l.log.Info("manager leaves: no work")
		l.flush()
	}
	return err
}
