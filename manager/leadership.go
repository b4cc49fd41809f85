package manager

import (
	"context"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/title"
	"weft/taskspec"
)

// register records that there is a manager, and looks what an earlier one left.
func (l *loop) register(ctx context.Context) error {
	var live []*ledger.Task
	err := l.o.Broker.Update(ctx, func(tx *broker.Tx) (err error) {
		m := ledger.Manager{Process: l.self, Namespace: proc.Namespace(), Build: l.o.Build, Embedded: l.o.Embedded, Autostart: l.o.Autostart != nil, Folder: folderID(l.o.Dir), Slots: l.o.MaxTasks}
		if l.record, err = ledger.RegisterManager(tx, m, time.Now()); err != nil {
			return err
		}
		if live, err = ledger.LiveTasks(tx); err != nil {
			return err
		}
		l.foundServers, err = ledger.Servers(tx)
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
		case t.Pipeline:
			l.watchPipeline(t.TID)
		case l.record.Copied: // its processes are none of ours
			l.pending.lost = append(l.pending.lost, task{t.TID, t.Epoch})
		case t.Inline == "": // else its server is watched
			l.adopt(t)
		}
	}
	l.watchServers(l.foundServers)
	return nil
}

// recentDamage is how many of the newest records of each kind a manager looks at when
// it arrives.
const recentDamage = 100

// logDamages logs the records that are damaged, as far as the manager has to do with
// them.
func (l *loop) logDamages(ctx context.Context) error {
	return l.o.Broker.View(ctx, func(r broker.Reader) error {
		found, err := ledger.RecentDamage(r, recentDamage)
		for _, d := range found {
			l.logDamage(d.Err)
		}
		return err
	})
}

// placeLook is how often a manager makes sure that its lock is the project's.
const placeLook = time.Second

// stay looks whether the manager still leads the project. It returns errReplaced if
// another one may lead by now, because the file of the lock is gone. If the project
// has been moved, consumers would not find it to record the ends of their tasks, so
// these are stopped while the store is open; whoever comes to the new place starts a
// manager there.
func (l *loop) stay(ctx context.Context, now time.Time) error {
	if l.stopping || now.Sub(l.placed) < placeLook {
		return nil
	}
	if l.placed = now; l.lock.inPlace() {
		return nil
	}
	if l.record.Folder == folderID(l.o.Dir) {
		l.log.Warn("the lock of the manager was removed", "folder", l.o.Dir)
		return errReplaced
	}
	l.log.Warn("the project was moved or removed", "folder", l.o.Dir)
	return l.beginStop(ctx)
}

// leave records that the manager leaves, so that whoever submits starts
// another one.
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

// flush leaves the store's file whole for whoever copies it while nobody works.
func (l *loop) flush() {
	if err := broker.Flush(context.Background(), l.o.Broker); err != nil {
		l.log.Warn("leave the store's log as it is", "err", err)
	}
}

// leaveIdle records that the manager leaves unless there is work after all.
func (l *loop) leaveIdle() (left bool, err error) {
	err = l.o.Broker.Update(context.Background(), func(tx *broker.Tx) (err error) {
		left, err = l.record.LeaveIdle(tx, l.quarantined, time.Now())
		return err
	})
	if left {
		l.log.Info("manager leaves: no work")
		l.flush()
	}
	return left, err
}
