package observe

import (
	"context"
	"errors"
	"fmt"

	"weft/broker"
)

// A Monitor copies the messages of one queue to another, in order and each exactly once:
// one transaction writes the copies and the cursor. It may be killed at any time; the next
// one of the same name and queues continues from the cursor. Several may run at the same
// time and share the work.
//
// From, To and Broker are required. To move messages instead of copying them use [Consume]
// with MoveTo, or [broker.Queue.MoveAll]; these need no cursor.
//
// The cursor is a record of the kind [CursorKind], whose key is "FROM>TO", or "FROM>TO
// NAME", and whose rank is the id of the last message that was decided about. It stays when
// the monitor ends; [Monitor.Forget] deletes it. Loading the dump of a project leaves
// cursors out.
type Monitor struct {
	Broker *broker.Broker
	From   string // may be a view
	To     string // copies get new ids there
	Name   string // distinguishes monitors of the same two queues
	// Keep selects what is copied; nil copies all. It is called outside the transaction,
	// once for each message or, if the process was killed or another monitor was first,
	// more often.
	Keep Filter
	// New makes a monitor without a cursor start with the next message that is written, not
	// with the oldest one.
	New bool
}

// CursorKind is the kind of the records in which monitors record their progress.
const CursorKind = "cursor"

// batchMessages and batchBytes bound what is copied in one transaction, because other
// writers wait meanwhile.
const (
	batchMessages = 256
	batchBytes    = 1 << 20
)

// Run copies the messages that are there and those that arrive until ctx ends, and returns
// ctx's error, or the first of [Monitor.Forward].
func (m *Monitor) Run(ctx context.Context) error {
	w, err := m.Broker.Listen(m.From)
	if err != nil {
		return fmt.Errorf("monitor %q: %w", m.From, err)
	}
	defer w.Close()
	for {
		n, err := m.Forward(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx) // no matter where that was noticed
		}
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if err := w.Wait(ctx); err != nil {
			return err
		}
	}
}

// Forward decides about the next messages, up to 256 of them or about 1 MiB, copies those
// it keeps in one transaction, and returns how many it has decided about. 0 means that
// there are no new ones now.
//
// Errors wrap those of [broker.Queue.Write], [broker.ErrSameQueue] or [broker.ErrView].
// After an error it can be called again, and still copies nothing twice.
func (m *Monitor) Forward(ctx context.Context) (int, error) {
	for {
		n, err := m.forward(ctx)
		if errors.Is(err, errOvertaken) {
			continue // another monitor has copied these; read the cursor again
		}
		if err != nil {
			return 0, fmt.Errorf("monitor %q: %w", m.From, err)
		}
		return n, nil
	}
}

// errOvertaken means that another monitor has moved the cursor.
var errOvertaken = errors.New("overtaken by another monitor")

func (m *Monitor) forward(ctx context.Context) (seen int, err error) {
	if m.From == m.To {
		return 0, broker.ErrSameQueue
	}
	old, err := m.cursor(ctx)
	if err != nil {
		return 0, err
	}
	next := old
	var bodies []string
	size := 0
	from := m.Broker.Queue(m.From)
	for msg, err := range from.Messages(ctx, broker.Select{After: broker.ID(old.Rank), Limit: batchMessages}) {
		if err != nil {
			return 0, err
		}
		seen++
		next.Rank = int64(msg.ID)
		if m.Keep.wants(msg) {
			bodies = append(bodies, msg.Body)
		}
		if size += len(msg.Body); size >= batchBytes {
			break
		}
	}
	if seen == 0 {
		return 0, nil
	}
	return seen, m.Broker.Update(ctx, func(tx *broker.Tx) error {
		swapped, err := tx.SwapRecord(old, next)
		if err == nil && !swapped {
			err = errOvertaken
		}
		if err != nil {
			return err
		}
		for _, body := range bodies {
			if _, err := tx.Write(m.To, body); err != nil {
				return err
			}
		}
		return nil
	})
}

// cursor returns the record of the monitor's progress, and creates it if there is none.
func (m *Monitor) cursor(ctx context.Context) (broker.Record, error) {
	r, err := m.Broker.Record(ctx, CursorKind, m.key())
	if !errors.Is(err, broker.ErrNotFound) {
		return r, err
	}
	first := broker.Record{Kind: CursorKind, Key: m.key()}
	if m.New {
		info, err := m.Broker.Info(ctx)
		if err != nil {
			return broker.Record{}, err
		}
		first.Rank = int64(info.LastID)
	}
	err = m.Broker.Update(ctx, func(tx *broker.Tx) (err error) {
		if r, err = tx.Record(CursorKind, m.key()); errors.Is(err, broker.ErrNotFound) {
			r = first
			return tx.PutRecord(r)
		}
		return err
	})
	return r, err
}

// key returns the key of the monitor's record. Queue names contain no '>' and no space.
func (m *Monitor) key() string {
	key := m.From + ">" + m.To
	if m.Name != "" {
		key += " " + m.Name
	}
	return key
}

// Forget deletes the monitor's cursor; it is no error if there is none. A monitor that runs
// afterwards starts anew.
func (m *Monitor) Forget(ctx context.Context) error {
	err := m.Broker.Update(ctx, func(tx *broker.Tx) error { return tx.DeleteRecord(CursorKind, m.key()) })
	if err != nil {
		return fmt.Errorf("forget monitor %q: %w", m.From, err)
	}
	return nil
}
