package broker

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// LeasedPrefix and the name of a queue are the name of the queue that holds its leased and
// its delayed messages. There they can be looked at; who takes or moves one from there ends its lease.
const LeasedPrefix = "weft.leased."

// DefaultLease is how long a lease lasts if nothing else is said.
const DefaultLease = 30 * time.Second

// exhaustedAtOnce is how many messages one transaction at most takes out of the way to find
// one to deliver: others wait for it.
const exhaustedAtOnce = 100

// leaseKind is the kind of the records of leases. Their key is the message's id, their state
// its queue, and their rank when it is due, in nanoseconds since 1970: the end of its lease
// or delay. There is one for each message in the queue of leased messages.
const leaseKind = "lease"

// A holding is the body of such a record.
type holding struct {
	Token    string `json:"token,omitempty"` // of the lease; empty if nobody holds it
	Receives int    `json:"receives"`
}

// ReceiveOptions are the options of [Queue.Receive]. All receivers of one queue should use the same
// MaxReceives and DeadLetter.
type ReceiveOptions struct {
	// Lease is how long nobody else receives the message, unless [Lease.Extend] prolongs
	// it; 0 means [DefaultLease].
	Lease time.Duration
	// MaxReceives is how often a message is delivered at most: one that is due once more is
	// moved into the queue DeadLetter instead. 0 means no limit.
	MaxReceives int
	// DeadLetter is the queue for messages that have been received MaxReceives times; empty
	// means the queue's name with ".dead" appended.
	DeadLetter string
	// NoWait returns [ErrEmpty] if no message is due, instead of waiting for one.
	NoWait bool
}

// complete sets the defaults and checks the options of a receiver of queue.
func (o ReceiveOptions) complete(b *Broker, queue string) (ReceiveOptions, error) {
	if o.Lease < 0 {
		return o, fmt.Errorf("lease of %v: want more than 0", o.Lease)
	}
	if o.MaxReceives < 0 {
		return o, fmt.Errorf("%d receives at most: want 0 or more", o.MaxReceives)
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.DeadLetter == "" {
		o.DeadLetter = queue + ".dead"
	}
	err := checkMove(b, queue, LeasedPrefix+queue)
	if err == nil && o.MaxReceives > 0 {
		err = checkMove(b, queue, o.DeadLetter)
	}
	return o, err
}

// A Lease is a message that was received, and nobody else receives until the lease ends. It
// is a handle and safe for concurrent use.
type Lease struct {
	// Message is the message, with the queue it was received from.
	Message
	// Receives is how often it has been received, with this time: 1 or more.
	Receives int

	b     *Broker
	token string
}

// Receive delivers the message that has been due longest: a message is due when it is
// written, or when its delay, or the lease of its last receiver, ends. So what a receiver held when it died
// is delivered again, by whichever is alive, and a message that always fails
// lets the others pass. It is delivered at least once: finish with [Lease.Ack], give back
// with [Lease.Nack]. Order is that of the queue as long as nothing comes back.
//
// A leased or delayed message is not in the queue: other ways of reading do not find it, and
// see it only after it was moved back. See [LeasedPrefix]. Leases end by the system's clock;
// if that is set, they end early or late.
//
// Receive waits until a message is due; when ctx ends it returns ctx's error, and has received
// nothing. Errors wrap [ErrEmpty] (only with NoWait), [ErrName] (the queue's name may be too
// long for [LeasedPrefix]) or [ErrView].
func (q *Queue) Receive(ctx context.Context, o ReceiveOptions) (*Lease, error) {
	o, err := o.complete(q.b, q.name)
	if err != nil {
		return nil, wrap(q.name, "receive from", err)
	}
	var w *Waiter // made when there is something to wait for
	for {
		got, err := Update(ctx, q.b, func(tx *Tx) (received, error) { return receive(tx, q.name, o) })
		switch {
		case err != nil:
			return nil, wrap(q.name, "receive from", err)
		case got.lease != nil:
			return got.lease, nil
		case got.more:
			continue
		case o.NoWait:
			return nil, wrap(q.name, "receive from", ErrEmpty)
		case w == nil: // look again: something may have come before it listened
			if w, err = q.b.Listen(q.name); err != nil {
				return nil, wrap(q.name, "receive from", err)
			}
			defer w.Close()
			continue
		}
		if err := w.wait(ctx, time.Duration(min(int64(w.poll), got.next-q.b.options.Now().UnixNano()))); err != nil {
			return nil, err
		}
	}
}

// received is what one transaction of Receive has found.
type received struct {
	lease *Lease // nil if none is due
	more  bool   // there may be more: the transaction became too long
	next  int64  // without a lease: when the next message is due that is known, else the greatest
}

// receive is Receive inside a transaction.
func receive(tx *Tx, queue string, o ReceiveOptions) (received, error) {
	now := tx.b.options.Now().UnixNano()
	for range exhaustedAtOnce {
		held, err := tx.Records(leaseKind, RecordSelect{States: []string{queue}, Limit: 1})
		if err != nil {
			return received{}, err
		}
		sel, next := Select{Limit: 1}, int64(math.MaxInt64)
		isDue := false
		if len(held) > 0 {
			next = held[0].Rank
			if isDue = next <= now; isDue {
				sel.Before = ID(next) // an id is the time of writing
			}
		}
		ms, err := tx.Move(queue, LeasedPrefix+queue, sel)
		if err != nil {
			return received{}, err
		}
		if len(ms) > 0 {
			return grant(tx, queue, ms[0], 1, now, o)
		}
		if !isDue {
			return received{next: next}, nil
		}
		id, h := leased(held[0])
		if id == 0 {
			ms = nil
		} else if ms, err = tx.Messages(LeasedPrefix+queue, Select{ID: id}); err != nil {
			return received{}, err
		}
		switch {
		case len(ms) == 0: // somebody has taken it from there
			err = tx.DeleteRecord(leaseKind, held[0].Key)
		case o.MaxReceives > 0 && h.Receives >= o.MaxReceives:
			if _, err = tx.MoveAll(LeasedPrefix+queue, o.DeadLetter, Select{ID: id}); err == nil {
				err = tx.DeleteRecord(leaseKind, held[0].Key)
			}
		default:
			return grant(tx, queue, ms[0], h.Receives+1, now, o)
		}
		if err != nil {
			return received{}, err
		}
	}
	return received{more: true}, nil
}

// grant leases m, which is in the queue of leased messages.
func grant(tx *Tx, queue string, m Message, receives int, now int64, o ReceiveOptions) (received, error) {
	h := holding{Token: rand.Text(), Receives: receives}
	m.Queue = queue
	err := hold(tx, queue, m.ID, h, later(now, o.Lease))
	return received{lease: &Lease{Message: m, Receives: receives, b: tx.b, token: h.Token}}, err
}

// hold stores that a message is held until it is due.
func hold(tx *Tx, queue string, id ID, h holding, due int64) error {
	body, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return tx.PutRecord(Record{Kind: leaseKind, Key: id.String(), State: queue, Rank: due, Body: string(body)})
}

// leased returns what a record of a lease says. One that is damaged holds nothing: its message
// counts as never received.
func leased(r Record) (ID, holding) {
	var h holding
	if json.Unmarshal([]byte(r.Body), &h) != nil {
		h = holding{}
	}
	id, err := ParseID(r.Key)
	if err != nil {
		return 0, holding{}
	}
	return id, h
}

// later is now + d, or the last moment there is.
func later(now int64, d time.Duration) int64 {
	if now > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return now + int64(d)
}

// Ack deletes the message: it has been handled. Errors wrap [ErrLeaseLost] if another has
// received it, or somebody has taken it; a lease that has ended is not lost before that. If
// ctx has ended nothing is acknowledged, and another worker repeats the work: a worker that
// is told to end acknowledges what it has done with context.WithoutCancel.
func (l *Lease) Ack(ctx context.Context) error {
	return l.b.Update(ctx, func(tx *Tx) error { return tx.Ack(l) })
}

// Ack is [Lease.Ack] as a part of a transaction, which makes what the others of its changes
// do happen exactly once for the message. If it returns an error the transaction should be abandoned.
func (tx *Tx) Ack(l *Lease) error {
	r, _, err := l.mine(tx)
	if err == nil {
		var n int
		n, err = tx.Delete(LeasedPrefix+l.Queue, Select{ID: l.ID})
		if err == nil && n == 0 {
			err = ErrLeaseLost
		}
	}
	if err == nil {
		err = tx.DeleteRecord(r.Kind, r.Key)
	}
	return l.wrap("acknowledge", err)
}

// Extend lets the lease end d from now, whenever it would have ended. Errors are those of
// [Lease.Ack]; d must be more than 0.
func (l *Lease) Extend(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return l.wrap("extend", fmt.Errorf("lease of %v: want more than 0", d))
	}
	return l.reschedule(ctx, "extend", l.token, d)
}

// Nack gives the message back: it is due again after delay, which may be 0. It is then behind
// those that are due already. Errors are those of [Lease.Ack].
func (l *Lease) Nack(ctx context.Context, delay time.Duration) error {
	if delay < 0 {
		return l.wrap("give back", fmt.Errorf("delay of %v: want 0 or more", delay))
	}
	return l.reschedule(ctx, "give back", "", delay)
}

// reschedule stores who holds the message from now on, and when it is due.
func (l *Lease) reschedule(ctx context.Context, verb, token string, d time.Duration) error {
	return l.b.Update(ctx, func(tx *Tx) error {
		old, h, err := l.mine(tx)
		if err == nil {
			var there []Message
			there, err = tx.Messages(LeasedPrefix+l.Queue, Select{ID: l.ID})
			if err == nil && len(there) == 0 {
				err = ErrLeaseLost
			}
		}
		if err == nil {
			due := later(l.b.options.Now().UnixNano(), d)
			h.Token = token
			err = hold(tx, l.Queue, l.ID, h, due)
			if due < old.Rank {
				tx.Notify(l.Queue) // who waits for its lease to end
			}
		}
		return l.wrap(verb, err)
	})
}

// mine returns the record of the lease, or ErrLeaseLost.
func (l *Lease) mine(tx *Tx) (Record, holding, error) {
	r, err := tx.txn.Record(leaseKind, l.ID.String())
	if errors.Is(err, ErrNotFound) {
		return r, holding{}, ErrLeaseLost
	}
	_, h := leased(r)
	if err == nil && (h.Token != l.token || r.State != l.Queue) {
		err = ErrLeaseLost
	}
	return r, h, err
}

// wrap says in an error, if there is one, what was done to which message.
func (l *Lease) wrap(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s message %v of %q: %w", verb, l.ID, l.Queue, err)
}

// WriteLater writes a message that [Queue.Receive] delivers after delay, which must not be
// negative, and returns its id once it is durable. Until it is acknowledged it can be seen as
// [LeasedPrefix] says. Errors are those of [Queue.Write].
func (q *Queue) WriteLater(ctx context.Context, body string, delay time.Duration) (ID, error) {
	return Update(ctx, q.b, func(tx *Tx) (ID, error) { return tx.WriteLater(q.name, body, delay) })
}

// WriteLater is [Queue.WriteLater] as a part of a transaction.
func (tx *Tx) WriteLater(queue, body string, delay time.Duration) (ID, error) {
	if delay < 0 {
		return 0, wrap(queue, "write to", fmt.Errorf("delay of %v: want 0 or more", delay))
	}
	if err := checkMove(tx.b, queue, LeasedPrefix+queue); err != nil {
		return 0, wrap(queue, "write to", err)
	}
	id, err := tx.Write(LeasedPrefix+queue, body)
	if err == nil {
		err = hold(tx, queue, id, holding{}, later(tx.b.options.Now().UnixNano(), delay))
	}
	if err != nil {
		return 0, err
	}
	tx.Notify(queue)
	return id, nil
}
