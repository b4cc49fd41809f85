package weft

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

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

// weftPrefix begins the names of Weft's own queues.
const weftPrefix = "weft."

// Reserved reports whether a queue belongs to Weft or to a task or pipeline:
// weft.*, T<tid>.* and P<tid>.*.
func Reserved(queue string) bool {
	if strings.HasPrefix(queue, weftPrefix) {
		return true
	}
	owner, _, ok := strings.Cut(queue, ".")
	return ok && len(owner) == 1+fullTID && (owner[0] == 'T' || owner[0] == 'P') &&
		strings.Trim(owner[1:], "0123456789") == ""
}

// Broadcast writes a message to each queue that p matches, all in one transaction, and
// returns their names. Beside those that hold a message, the control queues of tasks
// and pipelines that run are there.
func (p *Project) Broadcast(ctx context.Context, pattern broker.Pattern, body string) ([]string, error) {
	return p.broker.Queues(pattern).Also(ledger.ControlQueues).Broadcast(ctx, body)
}

// WithoutReserved returns p without the queues that are [Reserved], for what is
// done to many queues at once, except those that p spells out: a pattern that
// begins with "weft.", "T" or "P" means the queues that begin so.
func WithoutReserved(p broker.Pattern) broker.Pattern {
	return p.Except(func(queue string) bool {
		spelled := queue[:1]
		if strings.HasPrefix(queue, weftPrefix) {
			spelled = weftPrefix
		}
		return Reserved(queue) && !strings.HasPrefix(p.Literal(), spelled)
	})
}

// ParseMoment reads a point in the order of messages as users write it:
//
//   - the id of a message: 19 digits
//   - a date, with a time or without: 2026-11-21, 20261121, 2026-11-21T14:03,
//     2026-11-21 14:03:07.250+01:00; UTC unless it says otherwise
//   - a time since 1970: up to 11 digits are seconds, 12 to 14 milliseconds,
//     and a number with s, ms or ns behind it is what it says; seconds and
//     milliseconds may have a fraction, as in 1795269780.25
//
// Spaces around it do not matter, nor does a T before an id. There are no signs. A time
// stands for the smallest id that a message could have then, which is never 0:
// that would be no bound. The error wraps [ErrMoment].
func ParseMoment(text string) (broker.ID, error) {
	t, ok := parseDate(strings.TrimSpace(text))
	if !ok {
		var id broker.ID
		if t, id, ok = parseNumber(strings.TrimSpace(text)); ok && id > 0 {
			return id, nil
		}
	}
	last := time.Unix(0, math.MaxInt64) // that an id can hold
	if !ok || t.After(last) {
		return 0, fmt.Errorf("%w %q: want a message id of 19 digits, a date like 2026-11-21 or 2026-11-21T14:03, or a "+
			"number since 1970: seconds (up to 11 digits), milliseconds (12 to 14), or with s, ms or ns behind it", ErrMoment, text)
	}
	if t.Before(time.Unix(0, 0)) {
		return 1, nil // nothing was written before
	}
	return max(1, broker.IDAt(t)), nil
}

// parseDate reads the forms that are dates. Eight digits that could be a date
// are one: as seconds they would be a day in 1970.
func parseDate(text string) (time.Time, bool) {
	text = strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{
		"2006-01-02", "20060102",
		"2006-01-02T15:04", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
		"2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// parseNumber reads the forms that are numbers: the id of a message, or a time
// and id 0. The unit of a number without one is given by the length of its whole part, which
// is right from 1973 to 2286.
func parseNumber(text string) (t time.Time, id broker.ID, ok bool) {
	number := strings.TrimRight(text, "mns")
	suffix := text[len(number):]
	digits, fraction, hasFraction := strings.Cut(number, ".")
	if tid, is := strings.CutPrefix(digits, "T"); is && len(tid) == 19 {
		digits = tid
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strings.Trim(digits+fraction, "0123456789") != "" { // a sign
		return t, 0, false
	}
	var unit time.Duration
	switch {
	case suffix == "" && len(digits) == 19 && !hasFraction:
		return t, max(1, broker.ID(n)), true
	case suffix == "s", suffix == "" && len(digits) <= 11:
		unit = time.Second
	case suffix == "ms", suffix == "" && len(digits) >= 12 && len(digits) <= 14:
		unit = time.Millisecond
	case suffix == "ns":
		unit = time.Nanosecond
	}
	if unit == 0 || n > math.MaxInt64/int64(unit) || hasFraction && (fraction == "" || unit == time.Nanosecond) {
		return t, 0, false
	}
	ns := n * int64(unit)
	for _, digit := range fraction { // exactly, to the nanosecond
		unit /= 10
		ns += int64(digit-'0') * int64(unit)
	}
	return time.Unix(0, ns), 0, ns >= 0
}
