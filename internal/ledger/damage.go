package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"weft/broker"
	"weft/taskspec"
)

// A DamagedError means that a record does not hold what this version of Weft writes into
// one of its kind: the store was damaged, or another program has written it. It concerns
// only the object of that record.
type DamagedError struct {
	Kind, Key string
	Err       error
}

// Error names the record, and what to do about it.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("the record of %s is damaged (%v): weft system doctor shows it, weft system repair sets it aside", e.Name(), e.Err)
}

// Name names the object of the record.
func (e *DamagedError) Name() string {
	if e.Kind == Kind {
		return "task " + e.Key
	}
	return fmt.Sprintf("%s %q", e.Kind, e.Key)
}

// Unwrap returns what is wrong with the record.
func (e *DamagedError) Unwrap() error { return e.Err }

// Is reports whether target is [broker.ErrDamaged].
func (e *DamagedError) Is(target error) bool { return target == broker.ErrDamaged }

// damaged reports whether err means that a record is damaged.
func damaged(err error) bool { return errors.Is(err, broker.ErrDamaged) }

// unreadable reports whether err means that a record is damaged or missing.
func unreadable(err error) bool { return damaged(err) || errors.Is(err, broker.ErrNotFound) }

// A table is a kind of records: read decodes one, and returns what is wrong with it. All
// records are read through their tables.
type table[T any] struct {
	kind string
	read func(broker.Record) (T, error)
}

// decode decodes a record. The error is a *[DamagedError].
func (k table[T]) decode(rec broker.Record) (T, error) {
	v, err := k.read(rec)
	if err != nil {
		var none T
		return none, &DamagedError{rec.Kind, rec.Key, err}
	}
	return v, nil
}

// get reads the record with a key. The error is a *[DamagedError], or wraps
// [broker.ErrNotFound].
func (k table[T]) get(r broker.Reader, key string) (T, error) {
	rec, err := r.Record(k.kind, key)
	if err != nil {
		var none T
		return none, err
	}
	return k.decode(rec)
}

// each iterates as the function each does, and skips damaged records: a record that cannot
// be read affects only its own object.
func (k table[T]) each(r broker.Reader, after int64, states ...string) iter.Seq2[T, error] {
	return k.decodeEach(r, each(r, k.kind, after, states...))
}

// list is each for the records that a selection finds.
func (k table[T]) list(r broker.Reader, sel broker.RecordSelect) (all []T, err error) {
	recs, err := r.Records(k.kind, sel)
	if err != nil {
		return nil, err
	}
	found := func(yield func(broker.Record, error) bool) {
		for _, rec := range recs {
			if !yield(rec, nil) {
				return
			}
		}
	}
	for v, err := range k.decodeEach(r, found) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func (k table[T]) decodeEach(r broker.Reader, recs iter.Seq2[broker.Record, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for rec, err := range recs {
			var v T
			if err == nil {
				v, err = k.decode(rec)
			}
			if d, is := errors.AsType[*DamagedError](err); is {
				if n, hears := r.(damageNoter); hears {
					n.NoteDamage(d)
				}
				continue
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// damageNoter is a reader that is told of the damaged records that were skipped.
type damageNoter interface{ NoteDamage(*DamagedError) }

// Noting is a reader that calls Note with each damaged record that is skipped.
type Noting struct {
	broker.Reader
	Note func(*DamagedError)
}

// NoteDamage calls Note.
func (n Noting) NoteDamage(d *DamagedError) { n.Note(d) }

// checks check, for each kind that Weft has, everything about a record that can be checked
// without other records.
var checks = map[string]func(broker.Record) error{
	Kind: func(rec broker.Record) error {
		t, err := tasks.read(rec)
		if err == nil {
			_, err = t.Work()
		}
		return err
	},
	ManagerKind:     checkOf(managers),
	attemptKind:     checkOf(pastAttempts),
	endpointKind:    checkOf(endpoints),
	envKind:         checkOf(environments),
	functionKind:    checkOf(callables),
	programKind:     checkOf(programs),
	itemFileKind:    checkOf(itemFiles),
	keyKind:         checkOf(keys),
	indexKind:       checkOf(index),
	batchKind:       checkOf(batches),
	concurrencyKind: checkOf(limits),
	serverKind:      checkOf(servers),
	serviceKind:     checkOf(services),
	resultCopyKind:  checkOf(resultCopies),
}

func checkOf[T any](k table[T]) func(broker.Record) error {
	return func(rec broker.Record) error {
		_, err := k.read(rec)
		return err
	}
}

// Kinds returns the kinds of records that Weft has, in byte order.
func Kinds() []string { return slices.Sorted(maps.Keys(checks)) }

// Check returns a *[DamagedError] if a record of a kind that Weft has is not valid. It
// checks more than reading the record does.
func Check(rec broker.Record) error {
	check := checks[rec.Kind]
	if check == nil {
		return nil
	}
	if err := check(rec); err != nil {
		return &DamagedError{rec.Kind, rec.Key, err}
	}
	return nil
}

// CheckTask is [Check] for the record that a task was read from, and for that of its
// current stage.
func CheckTask(r broker.Reader, t *Task) error {
	err := Check(t.stored)
	if stage := t.Plan.Current(); err == nil && stage != nil && !t.Status.Terminal() {
		if _, err = tasks.get(r, stage.TID); errors.Is(err, broker.ErrNotFound) {
			err = nil
		}
	}
	return err
}

// Damage is a record that cannot be read.
type Damage struct {
	Record broker.Record
	Err    *DamagedError
}

// FindDamage returns the damaged records of all kinds.
func FindDamage(ctx context.Context, r broker.Reader) (found []Damage, err error) {
	for _, kind := range Kinds() {
		err := broker.EachRecord(ctx, r, kind, func(rec broker.Record) error {
			found = appendDamage(found, rec)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// RecentDamage is [FindDamage] among the newest records of each kind, at most most of each,
// and for tasks also of each state that is not terminal: its cost does not grow with the
// number of records.
func RecentDamage(r broker.Reader, most int) (found []Damage, err error) {
	sels := []broker.RecordSelect{{Newest: true, Limit: most}}
	for _, state := range append([]string{string(taskspec.StatusCreated)}, liveStates...) {
		sels = append(sels, broker.RecordSelect{States: []string{state}, Newest: true, Limit: most})
	}
	seen := make(map[string]bool)
	for _, kind := range Kinds() {
		for _, sel := range sels {
			recs, err := r.Records(kind, sel)
			if err != nil {
				return nil, err
			}
			for _, rec := range recs {
				if id := rec.Kind + " " + rec.Key; !seen[id] {
					seen[id] = true
					found = appendDamage(found, rec)
				}
			}
			if kind != Kind {
				break
			}
		}
	}
	return found, nil
}

// appendDamage appends the record if it is damaged.
func appendDamage(found []Damage, rec broker.Record) []Damage {
	if d, is := errors.AsType[*DamagedError](Check(rec)); is {
		found = append(found, Damage{rec, d})
	}
	return found
}

// fields decodes the body of a record, which is a JSON object.
func fields(rec broker.Record, into any) error { return json.Unmarshal([]byte(rec.Body), into) }

var errMismatch = errors.New("what it says is not of this record")

// withBody returns the record with v, in JSON, as its body.
func withBody(rec broker.Record, v any) (broker.Record, error) {
	body, err := json.Marshal(v)
	if err != nil {
		err = fmt.Errorf("encode %s %s: %w", rec.Kind, rec.Key, err)
	}
	rec.Body = string(body)
	return rec, err
}

// put writes the record with v, in JSON, as its body.
func put(tx *broker.Tx, rec broker.Record, v any) error {
	rec, err := withBody(rec, v)
	if err != nil {
		return err
	}
	return tx.PutRecord(rec)
}

// isTID reports whether a key is the full id of a task.
func isTID(key string) bool {
	id, err := broker.ParseID(key)
	return err == nil && id.String() == key
}

// setAside moves the request of a task whose record is damaged from its queue into
// [Damaged], and notifies the waiters for the task.
func setAside(tx *broker.Tx, queue, tid string) error {
	id, err := broker.ParseID(tid)
	if err != nil {
		return err
	}
	if err := dropIndexed(tx, tid); err != nil {
		return err
	}
	tx.Notify(OutboxOf(tid))
	_, err = tx.Move(queue, Damaged, broker.Select{ID: id})
	return err
}
