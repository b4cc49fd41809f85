package ledger

import (
	"cmp"
	"errors"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// FindOrphans finds records that have lost what they belong to: names that were claimed by
// tasks that do not run, and requests in the index that are gone. Weft leaves none; messages may
// have been deleted, or loaded, by hand.
func FindOrphans(r broker.Reader) (orphans []broker.Record, err error) {
	for e, err := range endpoints.each(r, 0) {
		if err != nil {
			return nil, err
		}
		task, err := r.Record(Kind, e.TID)
		if err != nil && !errors.Is(err, broker.ErrNotFound) {
			return nil, err
		}
		if task.State != string(taskspec.StatusRunning) {
			orphans = append(orphans, broker.Record{Kind: endpointKind, Key: e.Name})
		}
	}
	for i, err := range index.each(r, 0) {
		if err != nil {
			return nil, err
		}
		there, err := i.belongs(r)
		if err != nil {
			return nil, err
		}
		if !there {
			orphans = append(orphans, broker.Record{Kind: indexKind, Key: i.tid})
		}
	}
	return orphans, nil
}

// belongs reports whether what is in the index is there: a request that waits, or a task
// that has been admitted and has not ended.
func (i indexed) belongs(r broker.Reader) (bool, error) {
	if strings.HasPrefix(i.lane, laneAdmitted) {
		t, err := tasks.get(r, i.tid)
		if unreadable(err) {
			return !errors.Is(err, broker.ErrNotFound), nil // repair decides
		}
		return err == nil && t.isIndexed(), err
	}
	id, err := broker.ParseID(i.tid)
	if err != nil {
		return false, err
	}
	request, err := r.Messages(WaitingRequests, broker.Select{ID: id})
	return len(request) > 0, err
}

// DropOrphans removes what [FindOrphans] finds and counts it.
func DropOrphans(tx *broker.Tx) (int, error) {
	orphans, err := FindOrphans(tx)
	for _, rec := range orphans {
		if rec.Kind == indexKind {
			err = cmp.Or(err, dropIndexed(tx, rec.Key))
			continue
		}
		err = cmp.Or(err, tx.DeleteRecord(rec.Kind, rec.Key))
	}
	return len(orphans), err
}

// A Counts counts the tasks that have not ended.
type Counts struct {
	Queued  int
	Pending int // of these, delayed
	Running int
	// ConsumerGone are running tasks whose consumers are dead. While there is a manager
	// they are about to be marked lost.
	ConsumerGone []string
	// RequestGone are waiting tasks whose requests are gone. They wait for ever.
	RequestGone []string
}

// CountUnfinished counts the tasks that have not ended.
func CountUnfinished(r broker.Reader) (c Counts, err error) {
	latest, err := latestManager(r)
	if err != nil {
		return c, err
	}
	for t, err := range tasks.each(r, 0, string(taskspec.StatusCreated)) {
		if err != nil {
			return c, err
		}
		c.Queued++
		if t.NotBefore != 0 {
			c.Pending++
		}
		request, err := r.Messages(t.requests(), broker.Select{ID: t.Number()})
		if err != nil {
			return c, err
		}
		if len(request) == 0 {
			c.RequestGone = append(c.RequestGone, t.TID)
		}
	}
	for t, err := range tasks.each(r, 0, liveStates...) {
		if err != nil {
			return c, err
		}
		c.Running++
		if t.Look(latest) == Lost {
			c.ConsumerGone = append(c.ConsumerGone, t.TID)
		}
	}
	return c, nil
}
