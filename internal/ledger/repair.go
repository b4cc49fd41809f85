package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/proc"
	"weft/taskspec"
)

// A Repair is what is done about a damaged record: it is removed with everything that
// belongs to it, which would be useless without it, or dangerous: a request of a task
// without a record counts as written by hand.
type Repair struct {
	Damage
	// Instead replaces the record if its content is known from elsewhere, or can be left
	// out; nil if not.
	Instead *broker.Record
	// Records and Messages are removed with it.
	Records  []broker.Record
	Messages []broker.Message
}

// Running returns the task that may be running although its record is damaged; empty for
// any other repair. The caller ends its processes.
func (p *Repair) Running() (tid string) {
	if p.Record.Kind == Kind && slices.Contains(liveStates, p.Record.State) {
		tid = p.Record.Key
	}
	return tid
}

// PrepareRepair finds what belongs to a damaged record.
func PrepareRepair(r broker.Reader, d Damage) (p *Repair, err error) {
	p = &Repair{Damage: d}
	if d.Record.Kind == Kind {
		return p, p.gather(r)
	}
	again := rebuild[d.Record.Kind]
	if again == nil {
		return p, nil
	}
	instead, err := again(r, d.Record)
	if unreadable(err) || err == nil && Check(instead) != nil {
		return p, nil
	}
	p.Instead = &instead
	return p, err
}

// gather collects what belongs to a task.
func (p *Repair) gather(r broker.Reader) error {
	tid := p.Record.Key
	for _, kind := range []string{indexKind, resultCopyKind} {
		rec, err := r.Record(kind, tid)
		if errors.Is(err, broker.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		p.Records = append(p.Records, rec)
	}
	for _, kind := range []string{attemptKind, itemFileKind} {
		recs, err := r.Records(kind, broker.RecordSelect{States: []string{tid}})
		if err != nil {
			return err
		}
		p.Records = append(p.Records, recs...)
	}
	id, err := broker.ParseID(tid)
	if err != nil {
		return nil // not a task of Weft's
	}
	for _, prefix := range []string{"T" + tid + ".", "P" + tid + ".", spawnPrefix, InlinePrefix} {
		queues, err := queuesBelow(r, prefix)
		if err != nil {
			return err
		}
		for _, queue := range queues {
			var sel broker.Select
			if isRequests(queue) {
				sel.ID = id
			}
			ms, err := r.Messages(queue, sel)
			if err != nil {
				return err
			}
			p.Messages = append(p.Messages, ms...)
		}
	}
	return nil
}

// Apply applies the repair. It returns false, and changes nothing, if the record is not as
// it was found.
func (p *Repair) Apply(tx *broker.Tx, now time.Time) (done bool, err error) {
	rec, err := tx.Record(p.Record.Kind, p.Record.Key)
	if errors.Is(err, broker.ErrNotFound) || err == nil && rec != p.Record {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, rec := range append(slices.Clone(p.Records), p.Record) {
		if rec.Kind == indexKind && p.Instead == nil {
			err = dropIndexed(tx, rec.Key)
		} else {
			err = tx.DeleteRecord(rec.Kind, rec.Key)
		}
		if err != nil {
			return false, err
		}
	}
	for _, m := range p.Messages {
		if _, err := tx.Delete(m.Queue, broker.Select{ID: m.ID}); err != nil {
			return false, err
		}
	}
	if p.Instead != nil {
		err = tx.PutRecord(*p.Instead)
	}
	switch {
	case err != nil:
		return false, err
	case p.Record.Kind == Kind:
		err = loseStage(tx, p.Record.Key, now)
	case p.Record.Kind == functionKind:
		err = unregister(tx, p.Record.Key)
	}
	// Wake waiters and watchers of the object at once.
	tx.Notify(OutboxOf(p.Record.Key))
	tx.Notify(ManagerControl)
	tx.Notify(WaitingRequests)
	tx.Notify(Services)
	return true, err
}

// unregister makes the programs that have this function register it again when they are run
// the next time.
func unregister(tx *broker.Tx, name string) error {
	all, err := Programs(tx)
	for _, h := range all {
		if err == nil && slices.ContainsFunc(h.Functions, func(f function.Description) bool { return f.Name == name }) {
			h.Digest = ""
			err = h.save(tx)
		}
	}
	return err
}

// loseStage ends the pipeline whose current stage has this id, and is gone.
func loseStage(tx *broker.Tx, tid string, now time.Time) error {
	live, err := LiveTasks(tx)
	if err != nil {
		return err
	}
	for _, t := range live {
		if stage := t.Plan.Current(); stage != nil && stage.TID == tid {
			o := taskspec.Lost()
			o.Error = "lost: its record was damaged"
			stage.Status = o.Status
			return t.conclude(tx, o.InStage(stage.Name), now.UnixNano(), Event{})
		}
	}
	return nil
}

// rebuild makes a record of a kind whose content is known from other records. An error that
// wraps [broker.ErrNotFound], or means that another record is damaged, says that it is not
// known.
var rebuild = map[string]func(broker.Reader, broker.Record) (broker.Record, error){
	batchKind:   rebuildBatch,
	keyKind:     rebuildKey,
	ManagerKind: rebuildManager,
	indexKind:   rebuildIndexed,
	serverKind:  rebuildServer,
	serviceKind: rebuildService,
}

// taskOf returns a task if its record says that the damaged one is of it.
func taskOf(r broker.Reader, tid string, is func(*Task) bool) (*Task, error) {
	t, err := tasks.get(r, tid)
	if err == nil && !is(t) {
		err = broker.ErrNotFound
	}
	return t, err
}

// rebuildKey makes the task the holder of its key again. The digests of its submission are
// lost.
func rebuildKey(r broker.Reader, rec broker.Record) (broker.Record, error) {
	t, err := taskOf(r, broker.ID(rec.Rank).String(), func(t *Task) bool { return t.Key == rec.Key })
	if err != nil {
		return rec, err
	}
	return withBody(rec, keyRecord{TID: t.TID})
}

// rebuildManager copies one of the two records of a manager to the other. If neither can be
// read, the latest manager's record keeps its id, and whether it has left.
func rebuildManager(r broker.Reader, rec broker.Record) (broker.Record, error) {
	key := CurrentManager
	if IsCurrent(rec) {
		key = broker.ID(rec.Rank).String()
	}
	other, err := r.Record(ManagerKind, key)
	if err == nil && other.Rank == rec.Rank && other.State == rec.State && Check(other) == nil {
		rec.Body = other.Body
		return rec, nil
	}
	if !IsCurrent(rec) {
		return rec, broker.ErrNotFound
	}
	return withBody(rec, Manager{TID: broker.ID(rec.Rank).String(), Status: rec.State})
}

// rebuildIndexed puts the request of a task into the index again.
func rebuildIndexed(r broker.Reader, rec broker.Record) (broker.Record, error) {
	t, err := taskOf(r, rec.Key, func(t *Task) bool { return t.isIndexed() })
	if err != nil {
		return rec, err
	}
	i := t.indexed(t.delay())
	return withBody(i.record(), indexBody{i.wait})
}

// rebuildServer takes the process from the key.
func rebuildServer(_ broker.Reader, rec broker.Record) (broker.Record, error) {
	s := Server{Started: rec.Rank}
	if _, err := fmt.Sscanf(rec.Key, "%d.%d.%s", &s.Process.PID, &s.Process.Ticks, &s.Process.Boot); err != nil || s.Process == (proc.Identity{}) {
		return rec, broker.ErrNotFound
	}
	return withBody(rec, s)
}

// rebuildService finds the latest task of a service. Its number of restarts is lost.
func rebuildService(r broker.Reader, rec broker.Record) (broker.Record, error) {
	t, err := taskOf(r, broker.ID(rec.Rank).String(), func(t *Task) bool { return t.Service == rec.Key })
	if err != nil {
		return rec, err
	}
	return withBody(rec, Service{Name: rec.Key, TID: t.TID})
}
