package ledger

import (
	"errors"

	"weft/broker"
	"weft/taskspec"
)

// store is who knows both records and messages: a broker.Reader or a
// *broker.Tx.
type store interface {
	recordLister
	Record(kind, key string) (broker.Record, error)
	Messages(queue string, sel broker.Select) ([]broker.Message, error)
}

// Orphans are records that have lost what they belong to. Nothing in Weft
// makes them; somebody may have deleted messages by hand, or loaded them.
type Orphans struct {
	Endpoints []string // names that tasks have claimed which are not running
	Marks     []string // of nested requests that are gone, by their TIDs
}

// Count is how many there are.
func (o Orphans) Count() int { return len(o.Endpoints) + len(o.Marks) }

// FindOrphans looks for them.
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
	for rec, err := range each(r, nestedKind, 0, "") {
		if err != nil {
			return o, err
		}
		request, err := r.Messages(Requests, broker.Select{ID: broker.ID(rec.Rank)})
		if err != nil {
			return o, err
		}
		if len(request) == 0 {
			o.Marks = append(o.Marks, rec.Key)
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
	for _, tid := range o.Marks {
		if err := tx.DeleteRecord(nestedKind, tid); err != nil {
			return 0, err
		}
	}
	return o.Count(), nil
}

// A Counts counts the tasks that have not ended.
type Counts struct {
	Queued  int
	Pending int // of these, that wait for their time
	Running int
	// Deserted are tasks that run, as far as anybody knows, but whose consumer
	// is dead. While there is a manager they are on their way to be lost.
	ConsumerGone []string
	// Requestless are tasks that wait, but whose request is gone. They wait for
	// ever.
	RequestGone []string
}

// CountUnfinished counts them.
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
	for t, err := range tasks.each(r, 0, living...) {
		if err != nil {
			return c, err
		}
		c.Running++
		if !t.Pipeline && !t.Consumer.Alive() {
			c.ConsumerGone = append(c.ConsumerGone, t.TID)
		}
	}
	return c, nil
}
