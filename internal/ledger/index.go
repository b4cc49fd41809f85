package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// indexKind is the kind of the records of the request index: one for each request that
// cannot run yet. Such a request is a message in [WaitingRequests]; any other request can
// run, and its place is the queue it is in. The key of a record is the TID, its state the
// lane in which the request waits, and its rank the order in that lane.
const indexKind = "request"

// The lanes of the index. A request moves on to the next one, or to the queue of requests
// that can run, when what it waits for has come. In laneAdmitted are no requests that wait,
// but the tasks that others wait for, until their attempts end.
const (
	laneAdmitted = "admitted:" // + a concurrency key
	laneKey      = "awaiting:" // until the task is admitted with that key; in the order of ids
	// The dispatch pass reads the lanes from here on: what waits for a key costs it nothing.
	laneDue      = "due"       // until its time, which is its rank
	laneItem     = "item:"     // + the queue that it gets its work item from; in the order of ids
	laneFreeItem = "freeitem:" // likewise, but its task needs no slot
)

// itemLane parses the lane of requests that wait for an item from a queue.
func itemLane(lane string) (input string, slotless, ok bool) {
	if input, ok = strings.CutPrefix(lane, laneFreeItem); ok {
		return input, true, true
	}
	input, ok = strings.CutPrefix(lane, laneItem)
	return input, false, ok
}

// lane returns the lane that the task's request waits in; empty if it can run.
func (t *Task) lane() string {
	switch {
	case t.NotBefore != 0:
		return laneDue
	case t.Concurrency.waits():
		return laneKey + t.Concurrency.Key
	case t.In == "" || t.traits().items:
		return ""
	case t.Slotless:
		return laneFreeItem + t.In
	}
	return laneItem + t.In
}

// requests returns the queue that the task's request is in.
func (t *Task) requests() string {
	switch {
	case t.lane() != "":
		return WaitingRequests
	case t.Inline != "":
		return InlineRequests(t.Inline)
	case t.Slotless:
		return SlotlessRequests
	}
	return Requests
}

// An indexed is a request in the index.
type indexed struct {
	tid  string
	lane string
	rank int64
	wait time.Duration // in laneDue, the whole delay
}

// indexBody is the body of its record.
type indexBody struct {
	Wait time.Duration `json:"wait_ns,omitempty"`
}

var index = table[indexed]{indexKind, func(rec broker.Record) (indexed, error) {
	var body indexBody
	if err := fields(rec, &body); err != nil {
		return indexed{}, err
	}
	input, _, forItem := itemLane(rec.State)
	switch {
	case rec.State == laneDue && isTID(rec.Key) && body.Wait > 0:
	case (forItem && broker.CheckName(input) == nil || keyOfLane(rec.State) != "") && rec.Key == broker.ID(rec.Rank).String():
	default:
		return indexed{}, errMismatch
	}
	return indexed{rec.Key, rec.State, rec.Rank, body.Wait}, nil
}}

// record returns the record of the request, without its body.
func (i indexed) record() broker.Record {
	return broker.Record{Kind: indexKind, Key: i.tid, State: i.lane, Rank: i.rank}
}

// indexed returns the request of the task, which waits, as it is in the index.
func (t *Task) indexed(wait time.Duration) indexed {
	if t.NotBefore != 0 {
		return indexed{t.TID, laneDue, t.NotBefore, wait}
	}
	lane := t.lane()
	if lane == "" && t.Concurrency.Admitted {
		lane = laneAdmitted + t.Concurrency.Key
	}
	return indexed{tid: t.TID, lane: lane, rank: int64(t.Number())}
}

// isIndexed reports whether the task is in the index.
func (t *Task) isIndexed() bool {
	return !t.Status.Terminal() && (t.Status == taskspec.StatusCreated && t.lane() != "" || t.Concurrency.Admitted)
}

// index puts the task into the index, if its request cannot run yet or it was admitted with
// its concurrency key, and notifies the manager of it. wait is its whole delay.
func (t *Task) index(tx *broker.Tx, wait time.Duration) error {
	if t.lane() != laneDue && t.Inline == "" && !t.Concurrency.waits() {
		tx.Notify(Requests) // the manager subscribes to no other queue of requests that can run
	}
	i := t.indexed(wait)
	if i.lane == "" {
		return nil
	}
	return put(tx, i.record(), indexBody{i.wait})
}

// unindex takes the task's request out of the lane that it waits in, if it does, and ends
// its delay.
func (t *Task) unindex(tx *broker.Tx) error {
	if t.lane() == "" {
		return nil
	}
	t.NotBefore = 0
	return tx.DeleteRecord(indexKind, t.TID)
}

// delay returns the whole delay of a delayed task, as far as its record tells.
func (t *Task) delay() time.Duration { return max(time.Duration(t.NotBefore-t.Created), 1) }

// Ready is a request that can be dispatched, and the message that it gets from a queue, if
// it waited for one.
type Ready struct{ Request, Item broker.Message }

// Runnable returns the oldest requests that can be dispatched to consumers, at most n, with
// ids above quarantined; without slots only those of tasks that need none. Of the requests
// that wait for a queue, the oldest gets the oldest message. From each queue it reads none
// after messages that have reached size bytes together. inputs are the queues that requests
// wait for, with or without messages.
func Runnable(r broker.Reader, quarantined broker.ID, n, size int, slots bool) (ready []Ready, inputs []string, err error) {
	queues, err := queuesBelow(r, spawnPrefix)
	if err != nil {
		return nil, nil, err
	}
	for _, queue := range queues {
		if queue != SlotlessRequests && (queue != Requests || !slots) {
			continue
		}
		ms, err := Waiting(r, queue, quarantined, n, size)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range ms {
			ready = append(ready, Ready{Request: m})
		}
	}
	if slices.Contains(queues, WaitingRequests) {
		var supplied []Ready
		if supplied, inputs, err = withItems(r, quarantined, n, size, slots); err != nil {
			return nil, nil, err
		}
		ready = append(ready, supplied...)
	}
	slices.SortFunc(ready, func(a, b Ready) int { return compareIDs(a.Request, b.Request) })
	return ready[:min(n, len(ready))], inputs, nil
}

// compareIDs compares messages by their age.
func compareIDs(a, b broker.Message) int { return cmp.Compare(a.ID, b.ID) }

// withItems returns the oldest requests for which there are items in the queues that they
// wait for, each with its item, and these queues.
func withItems(r broker.Reader, quarantined broker.ID, n, size int, slots bool) (ready []Ready, inputs []string, err error) {
	lanes, err := r.States(indexKind, laneDue)
	if err != nil {
		return nil, nil, err
	}
	lanesOf := make(map[string][]string)
	for _, lane := range lanes {
		if input, slotless, ok := itemLane(lane); ok && (slots || slotless) {
			lanesOf[input] = append(lanesOf[input], lane)
		}
	}
	for _, input := range slices.Sorted(maps.Keys(lanesOf)) {
		inputs = append(inputs, input)
		items, err := Waiting(r, input, 0, n, size)
		if err != nil {
			return nil, nil, err
		}
		var requests []broker.Message
		for _, lane := range lanesOf[input] {
			some, err := inLane(r, lane, quarantined, len(items), size)
			if err != nil {
				return nil, nil, err
			}
			requests = append(requests, some...)
		}
		slices.SortFunc(requests, compareIDs)
		for i, request := range requests[:min(len(items), len(requests))] {
			ready = append(ready, Ready{request, items[i]})
		}
	}
	return ready, inputs, nil
}

// inLane returns the first n requests of a lane with ranks above after, but none after those
// that have reached size bytes together.
func inLane(r broker.Reader, lane string, after broker.ID, n, size int) (requests []broker.Message, err error) {
	if n == 0 {
		return nil, nil
	}
	for i, err := range index.each(r, int64(after), lane) {
		if err != nil {
			return nil, err
		}
		// none if the request has been deleted by hand
		ms, err := r.Messages(WaitingRequests, broker.Select{ID: broker.ID(i.rank)})
		if err != nil {
			return nil, err
		}
		for _, m := range ms {
			requests = append(requests, m)
			size -= len(m.Body)
		}
		if len(requests) == n || size <= 0 {
			break
		}
	}
	return requests, nil
}

// at returns the delayed request at the given time. If the remaining delay is longer than
// the whole one, the clock was set back since: then the delay starts again, so that no task
// waits for a time that may be years away.
func (i indexed) at(now int64) indexed {
	if left := i.rank - now; left > int64(i.wait) {
		i.rank = now + int64(i.wait)
	}
	return i
}

// dueAtOnce is how many delayed requests one transaction reads.
const dueAtOnce = 200

// readDelayed reads the requests that are due first. It returns those whose time changes:
// the ones that are due, for which it is 0, and those whose delay starts again. next is when
// to read them again; zero if there is none.
func readDelayed(r broker.Reader, now time.Time) (changed []indexed, next time.Time, err error) {
	recs, err := r.Records(indexKind, broker.RecordSelect{States: []string{laneDue}, Limit: dueAtOnce})
	if err != nil {
		return nil, next, err
	}
	due := 0
	for _, rec := range recs {
		was, err := index.decode(rec)
		if err != nil {
			// The time at which it is due is not damaged. Whether the clock was set back is
			// not known.
			was = indexed{rec.Key, laneDue, rec.Rank, math.MaxInt64}
		}
		is := was.at(now.UnixNano())
		if is.rank <= now.UnixNano() {
			is.rank = 0
			due++
		} else if at := time.Unix(0, is.rank); next.IsZero() || at.Before(next) {
			next = at
		}
		if is != was {
			changed = append(changed, is)
		}
	}
	if due == dueAtOnce {
		next = now // there may be more
	}
	return changed, next, nil
}

// NextDue returns when [Promote] has something to do: zero if no task is delayed, and not
// after now if there is something to do now.
func NextDue(r broker.Reader, now time.Time) (time.Time, error) {
	changed, next, err := readDelayed(r, now)
	if len(changed) > 0 {
		next = now
	}
	return next, err
}

// Promote moves the requests of tasks that are due on to where they wait next, or can run,
// some at a time. It returns when to call it again; the zero time means that no task is
// delayed.
func Promote(tx *broker.Tx, now time.Time) (next time.Time, err error) {
	changed, next, err := readDelayed(tx, now)
	if err != nil {
		return next, err
	}
	for _, i := range changed {
		if err := i.reschedule(tx); err != nil {
			return next, fmt.Errorf("move request of task %s: %w", i.tid, err)
		}
	}
	return next, nil
}

// reschedule changes the time at which the task is due to the rank; if that is 0, its delay
// is over.
func (i indexed) reschedule(tx *broker.Tx) error {
	t, err := load(tx, i.tid)
	switch {
	case damaged(err):
		return setAside(tx, WaitingRequests, i.tid)
	case errors.Is(err, broker.ErrNotFound), err == nil && (t.Status != taskspec.StatusCreated || t.NotBefore == 0):
		return tx.DeleteRecord(indexKind, i.tid)
	case err != nil:
		return err
	}
	if t.NotBefore = i.rank; t.lane() == "" {
		if err := tx.DeleteRecord(indexKind, i.tid); err != nil {
			return err
		}
		if _, err := tx.Move(WaitingRequests, t.requests(), broker.Select{ID: t.Number()}); err != nil {
			return err
		}
	}
	if err := t.index(tx, i.wait); err != nil {
		return err
	}
	if err := t.save(tx); err != nil || t.NotBefore != 0 {
		return err
	}
	return t.Concurrency.admit(tx)
}
