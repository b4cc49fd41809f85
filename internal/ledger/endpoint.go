package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"weft/broker"
	"weft/taskspec"
)

// endpointKind is the kind of the records of named endpoints. Their key is the name, their
// state the queue.
const endpointKind = "endpoint"

// ErrClaimed is returned for the name of an endpoint that another task has.
var ErrClaimed = errors.New("endpoint is claimed")

// ErrNotRunning is returned for operations that need a running task.
var ErrNotRunning = errors.New("task is not running")

// An Endpoint is a name that a running task has given to a queue. It ends with the task.
type Endpoint struct {
	Name  string `json:"name"`
	Queue string `json:"queue"`
	TID   string `json:"tid"`
}

// Claim gives a name to a queue on behalf of a running task. Claiming a name again changes
// its queue.
func Claim(tx *broker.Tx, e Endpoint) error {
	for _, name := range []string{e.Name, e.Queue} {
		if err := broker.CheckName(name); err != nil {
			return err
		}
	}
	t, err := load(tx, e.TID)
	if err != nil {
		return err
	}
	if t.Status != taskspec.StatusRunning {
		return fmt.Errorf("%w: %s is %s", ErrNotRunning, taskspec.ShortTID(t.TID), t.Status)
	}
	other, err := putEndpoint(tx, t, e)
	switch {
	case err != nil:
		return err
	case other != "":
		return fmt.Errorf("%w by task %s", ErrClaimed, taskspec.ShortTID(other))
	case slices.Contains(t.Endpoints, e.Name):
		return nil
	}
	t.Endpoints = append(t.Endpoints, e.Name)
	return t.save(tx)
}

// putEndpoint gives a name to a queue, or returns the other task that has the name.
func putEndpoint(tx *broker.Tx, t *Task, e Endpoint) (holder string, err error) {
	switch other, err := EndpointOf(tx, e.Name); {
	case err == nil && other.TID != e.TID:
		return other.TID, nil
	case err != nil && !errors.Is(err, broker.ErrNotFound):
		return "", err
	}
	newest, err := tx.Records(endpointKind, broker.RecordSelect{Newest: true, Limit: 1})
	if err != nil {
		return "", err
	}
	rank := int64(1)
	if len(newest) > 0 {
		rank = newest[0].Rank + 1
	}
	return "", put(tx, broker.Record{Kind: endpointKind, Key: e.Name, State: e.Queue, Rank: rank}, e)
}

// nameInbox makes the task's name an endpoint of the inbox of a persistent task that is
// being dispatched. It does not if the name is not valid for an endpoint, or if another
// task has the name; it returns that task.
func nameInbox(tx *broker.Tx, t *Task) (holder string, err error) {
	if !t.traits().items || broker.CheckName(t.Name) != nil {
		return "", nil
	}
	holder, err = putEndpoint(tx, t, Endpoint{Name: t.Name, Queue: inboxOf(t), TID: t.TID})
	if damaged(err) {
		return "", nil // the owner of the name is not known
	}
	if holder == "" && err == nil {
		t.Endpoints = []string{t.Name}
	}
	return holder, err
}

// EndpointOf finds the endpoint with a name; the error wraps [broker.ErrNotFound] if no
// running task has it.
func EndpointOf(tx *broker.Tx, name string) (Endpoint, error) {
	return endpoints.get(tx, name)
}

// FindEndpoint is [EndpointOf] outside a transaction.
func FindEndpoint(ctx context.Context, b *broker.Broker, name string) (Endpoint, error) {
	rec, err := b.Record(ctx, endpointKind, name)
	if err != nil {
		return Endpoint{}, err
	}
	return endpoints.decode(rec)
}

// Endpoints returns all named endpoints in the order in which they were claimed.
func Endpoints(ctx context.Context, b *broker.Broker) (all []Endpoint, err error) {
	err = b.View(ctx, func(r broker.Reader) (err error) {
		all, err = endpoints.list(r, broker.RecordSelect{})
		return err
	})
	return all, err
}

var endpoints = table[Endpoint]{endpointKind, func(rec broker.Record) (e Endpoint, err error) {
	err = fields(rec, &e)
	if err == nil && (e.Name != rec.Key || e.Queue != rec.State) {
		err = errMismatch
	}
	return e, err
}}

// dropEndpoints removes the endpoints of the task.
func (t *Task) dropEndpoints(tx *broker.Tx) error {
	for _, name := range t.Endpoints {
		if err := tx.DeleteRecord(endpointKind, name); err != nil {
			return err
		}
	}
	t.Endpoints = nil
	return nil
}
