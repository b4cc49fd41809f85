package ledger

import (
	"errors"

	"weft/broker"
	"weft/taskspec"
)

// store reads records and messages: a broker.Reader or a *broker.Tx.
type store interface {
	recordLister
	Record(kind, key string) (broker.Record, error)
	Messages(queue string, sel broker.Select) ([]broker.Message, error)
}

// Orphans are records that have lost what they belong to. Weft leaves none; messages may
// have been deleted, or loaded, by hand.
type Orphans struct {
	Endpoints []string // names that were claimed by tasks that do not run
	Indexed   []string // requests that are gone and still in the index, by TID
}

// Count returns the number of orphans.
func (o Orphans) Count() int { return len(o.Endpoints) + len(o.Indexed) }

// FindOrphans finds the orphans.
func FindOrphans(r store) (o Orphans, err error) {
	claimed, err := endpoints.list(r, broker.RecordSelect{})
	if err != nil {
		return o, err
	}
	for _, e := range claimed {
		task, err := r.Record(Kind, e.TID)
		if err != nil && !errors.Is(err, broker.ErrNotFound) {
			return o, err
		}
		if task.State != string(taskspec.StatusRunning) {
			o.Endpoints = append(o.Endpoints, e.Name)
		}
	}
	for i, err := range index.each(r, 0) {
		if err != nil {
			return o, err
		}
		id, err := broker.ParseID(i.tid)
		if err != nil {
			return o, err
		}
		request, err := r.Messages(WaitingRequests, broker.Select{ID: id})
		if err != nil {
			return o, err
		}
		if len(request) == 0 {
			o.Indexed = append(o.Indexed, i.tid)
		}
	}
	return o, nil
}

// DropOrphans removes what [FindOrphans] finds and counts it.
func DropOrphans(tx *broker.Tx) (int, error) {
	o, err := FindOrphans(tx)
	if err != nil {
		return 0, err
	}
	for _, name := range o.Endpoints {
		if err := tx.DeleteRecord(endpointKind, name); err != nil {
			return 0, err
		}
	}
	for _, tid := range o.Indexed {
		if err := tx.DeleteRecord(indexKind, tid); err != nil {
			return 0, err
		}
	}
	return o.Count(), nil
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
		if t.Kind() != Pipeline && !t.Consumer.Alive() {
			c.ConsumerGone = append(c.ConsumerGone, t.TID)
		}
	}
	return c, nil
}
