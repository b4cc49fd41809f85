package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// keyKind is the kind of the records of the keys that tasks hold. Their key is that key,
// their rank the task's. The record of a task that is gone has no effect, unless it says that
// the task was removed.
const keyKind = "key"

// keyRecord is the body of such a record.
type keyRecord struct {
	TID string `json:"tid"`
	// Digest is a digest of the submission. It is empty if it must not be disclosed: in a
	// dump without secrets, and in what was loaded from one.
	Digest string `json:"digest,omitempty"`
	// Shown is the digest of the redacted spec alone.
	Shown string `json:"shown,omitempty"`
	// Removed means that the task has ended and was removed: nothing is to be made again
	// under the key before that is old.
	Removed bool `json:"removed,omitempty"`
}

// differs reports whether a task was submitted with something else. Unknown digests do not
// differ.
func (k keyRecord) differs(other keyRecord) bool {
	if k.Digest != "" && other.Digest != "" {
		return k.Digest != other.Digest
	}
	return k.Shown != "" && k.Shown != other.Shown
}

var keys = table[keyRecord]{keyKind, func(rec broker.Record) (k keyRecord, err error) {
	err = fields(rec, &k)
	if err == nil && k.TID != broker.ID(rec.Rank).String() {
		err = errMismatch
	}
	return k, err
}}

// digests identify what tasks are submitted with: a spec, in JSON, and an input. Directory
// and environment are left out, because the same submission may be repeated from elsewhere.
func (s Submission) digests(spec []byte) keyRecord {
	return keyRecord{
		Digest: digest(spec, []byte(s.Item), []byte(s.InputSum)),
		Shown:  digest(s.shown(spec)),
	}
}

// shown returns the redacted specs of the submission.
func (s Submission) shown(spec []byte) []byte {
	switch {
	case s.Plan != nil:
		plan := Plan{slices.Clone(s.Plan.Stages)}
		plan.redact(s.Redact)
		spec, _ = json.Marshal(plan.Stages) // could be encoded before
		return spec
	case len(s.Spec.Env) == 0 && len(s.Redact) == 0:
		return spec
	}
	return redactSpec(spec, s.Redact)
}

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d ", len(part))
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// holder returns the task that holds a key, and the key's record; nil if there is none, or it
// was removed.
func holder(r broker.Reader, key string) (t *Task, k keyRecord, err error) {
	if k, err = keys.get(r, key); err == nil {
		t, err = tasks.get(r, k.TID)
	}
	if errors.Is(err, broker.ErrNotFound) {
		return nil, k, nil
	}
	return t, k, err
}

// holdKey makes the task the holder of its key.
func holdKey(tx *broker.Tx, t *Task, k keyRecord) error {
	k.TID = t.TID
	return put(tx, broker.Record{Kind: keyKind, Key: t.Key, Rank: int64(t.Number())}, k)
}

// dropKey drops the key that the task holds, if it has one.
func dropKey(tx *broker.Tx, t *Task) error {
	k, err := heldBy(tx, t)
	if k == nil || err != nil {
		return err
	}
	return tx.DeleteRecord(keyKind, t.Key)
}

// outliveTask keeps the key that the task holds, if it has one, when the task is removed.
func outliveTask(tx *broker.Tx, t *Task) error {
	k, err := heldBy(tx, t)
	if k == nil || err != nil {
		return err
	}
	k.Removed = true
	return holdKey(tx, t, *k)
}

// heldBy returns the record of the key that the task holds, nil if it holds none.
func heldBy(tx *broker.Tx, t *Task) (*keyRecord, error) {
	if t.Key == "" {
		return nil, nil
	}
	k, err := keys.get(tx, t.Key)
	if unreadable(err) {
		return nil, nil
	}
	if err != nil || k.TID != t.TID {
		return nil, err
	}
	return &k, nil
}

// isRemoved reports whether the record of a key says that the task which held it was removed.
func isRemoved(rec broker.Record) bool {
	k, err := keys.decode(rec)
	return err == nil && k.Removed
}

// DropKeys removes, among the next limit keys with a rank above after, those that were taken
// before old and whose tasks do not wait or run. It returns how many it removed, and the rank
// to continue with, 0 at the end.
func DropKeys(tx *broker.Tx, old time.Time, after int64, limit int) (n int, next int64, err error) {
	taken := broker.RecordSelect{AfterRank: after, BeforeRank: int64(broker.IDAt(old)), Limit: limit}
	return dropSome(tx, keyKind, taken, func(rec broker.Record) (needed bool, err error) {
		task, err := tx.Record(Kind, broker.ID(rec.Rank).String())
		if errors.Is(err, broker.ErrNotFound) {
			return false, nil
		}
		return !taskspec.Status(task.State).Terminal(), err
	})
}

// KeyKeepsInput reports whether the task that holds the key was submitted with this input,
// the name of an [InputFile].
func KeyKeepsInput(r broker.Reader, key, input string) (bool, error) {
	t, _, err := holder(r, key)
	return t != nil && t.Input == input, err
}

// dumpedKey returns a key's record as it is dumped. With a digest, a guess of what was
// redacted in a spec could be verified.
func dumpedKey(r broker.Record, redact bool) (broker.Record, error) {
	k, err := keys.decode(r)
	if err != nil || !redact {
		return r, err
	}
	k.Digest = ""
	return withBody(r, k)
}

// key loads the record of a key, unless the store has it. Whether its task is loaded is
// known only at the end.
func (in *Intake) key(r broker.Record, here *broker.Record) (broker.Record, broker.Verdict, error) {
	k, err := keys.decode(r)
	if err != nil {
		return r, 0, fmt.Errorf("%w: %w", broker.ErrDump, err)
	}
	if id, err := broker.ParseID(k.TID); err != nil || int64(id) != r.Rank || id > in.header.LastID {
		return r, 0, fmt.Errorf("%w: key %q is of no task", broker.ErrDump, r.Key)
	}
	if here == nil {
		in.keys++
		return r, broker.Take, nil
	}
	ours, err := keys.decode(*here)
	if err == nil && (ours.TID != k.TID || ours.differs(k)) {
		return r, broker.Clash, nil
	}
	return r, broker.Skip, err
}
