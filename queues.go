package weft

import (
	"context"
	"errors"
	"fmt"
	"os"

	"weft/broker"
	"weft/internal/ledger"
)

// An Endpoint is a name that a running task has given to a queue, so that
// others find it without knowing the task's id. It ends with the task.
type Endpoint struct {
	Name  string `json:"name"`
	Queue string `json:"queue"`
	TID   string `json:"tid"` // of the task
}

// Endpoints are the named endpoints of a project.
type Endpoints struct{ project *Project }

// Endpoints gives access to the named endpoints.
func (p *Project) Endpoints() Endpoints { return Endpoints{p} }

// Claim gives a name to a queue until the task ends that this process belongs
// to, which it knows by its environment (WEFT_TID). An empty queue is the
// task's inbox. To claim a name again changes its queue.
//
// Errors wrap [ErrNotTask], [ErrClaimed], or [broker.ErrName] if name or queue
// is not what a queue could be called.
func (e Endpoints) Claim(ctx context.Context, name, queue string) error {
	tid := os.Getenv(ledger.EnvTID)
	if tid == "" {
		return fmt.Errorf("claim endpoint %q: %w: WEFT_TID is not set", name, ErrNotTask)
	}
	if queue == "" {
		queue = ledger.QueuesOf(tid).Inbox
	}
	err := e.project.broker.Update(ctx, func(tx *broker.Tx) error {
		return ledger.Claim(tx, ledger.Endpoint{Name: name, Queue: queue, TID: tid})
	})
	if errors.Is(err, broker.ErrNotFound) || errors.Is(err, ledger.ErrNotRunning) {
		err = fmt.Errorf("%w: %w", ErrNotTask, err)
	}
	if err != nil {
		return fmt.Errorf("claim endpoint %q: %w", name, err)
	}
	return nil
}

// Resolve finds the endpoint of that name. The error wraps [ErrNoEndpoint] if
// no running task has claimed it.
func (e Endpoints) Resolve(ctx context.Context, name string) (Endpoint, error) {
	found, err := ledger.FindEndpoint(ctx, e.project.broker, name)
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoEndpoint
	}
	if err != nil {
		return Endpoint{}, fmt.Errorf("resolve %q: %w", name, err)
	}
	return Endpoint(found), nil
}

// Write appends a message to the queue of the endpoint of that name, if a
// running task has claimed it at that time; else the error wraps
// [ErrNoEndpoint] and nothing is written.
func (e Endpoints) Write(ctx context.Context, name, body string) (queue string, id broker.ID, err error) {
	err = e.project.broker.Update(ctx, func(tx *broker.Tx) error {
		found, err := ledger.EndpointOf(tx, name)
		if err != nil {
			return err
		}
		queue = found.Queue
		id, err = tx.Write(queue, body)
		return err
	})
	if errors.Is(err, broker.ErrNotFound) {
		err = ErrNoEndpoint
	}
	if err != nil {
		return "", 0, fmt.Errorf("write to endpoint %q: %w", name, err)
	}
	return queue, id, nil
}

// List returns all endpoints, in the order in which they were claimed.
func (e Endpoints) List(ctx context.Context) (all []Endpoint, err error) {
	found, err := ledger.Endpoints(ctx, e.project.broker)
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	for _, f := range found {
		all = append(all, Endpoint(f))
	}
	return all, nil
}

// Broadcast writes a message to each queue that pattern matches, all in one transaction, and
// returns their names. Beside those that hold a message, the control queues of tasks
// and pipelines that run are there.
func (p *Project) Broadcast(ctx context.Context, pattern broker.Pattern, body string) ([]string, error) {
	return p.broker.Queues(pattern).Also(ledger.ControlQueues).Broadcast(ctx, body)
}
