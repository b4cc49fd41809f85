package ledger

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// pageOfRecords is how many records are in memory at once. One may hold the 64 KiB of a
// task's standard error, and its spec.
const pageOfRecords = 100

// Expired finds the oldest events that need not be kept, at most limit: those that exceed most,
// and those from before old; 0 in either is no bound. They have ids before the one that it
// returns, 0 if there are none. If another process removes them first, removing them again
// removes no others.
func Expired(r broker.Reader, most int, old time.Time, limit int) (before broker.ID, err error) {
	surplus := 0
	if most > 0 {
		st, err := r.Stats(Log)
		if err != nil {
			return 0, err
		}
		surplus = st.Pending - most
	}
	var young broker.ID // without a bound no event is too old
	if !old.IsZero() {
		young = broker.IDAt(old)
	}
	err = r.Scan(Log, broker.Select{Limit: limit}, func(m broker.Message) bool {
		if surplus <= 0 && m.ID >= young {
			return false
		}
		surplus--
		before = m.ID + 1
		return true
	})
	return before, err
}

// each iterates over the records of a kind with a rank above after, a page at a time: those
// that have one of the states, one state after the other, or all in the order of their
// ranks if no state is given.
func each(r broker.Reader, kind string, after int64, states ...string) iter.Seq2[broker.Record, error] {
	return func(yield func(broker.Record, error) bool) {
		if len(states) == 0 {
			pages(r, kind, broker.RecordSelect{AfterRank: after}, yield)
			return
		}
		for _, state := range states {
			// Each page of several states would have to be sorted.
			if !pages(r, kind, broker.RecordSelect{States: []string{state}, AfterRank: after}, yield) {
				return
			}
		}
	}
}

// pages yields the selected records, and reports whether to continue.
func pages(r broker.Reader, kind string, sel broker.RecordSelect, yield func(broker.Record, error) bool) bool {
	for sel.Limit = pageOfRecords; ; {
		page, err := r.Records(kind, sel)
		if err != nil {
			yield(broker.Record{}, err)
			return false
		}
		for _, rec := range page {
			if !yield(rec, nil) {
				return false
			}
		}
		if len(page) < sel.Limit {
			return true
		}
		sel.AfterRank = page[len(page)-1].Rank
	}
}

// uncompleted are the states of tasks that may still run, or be run again.
var uncompleted = []string{
	string(taskspec.StatusCreated), string(taskspec.StatusSpawning), string(taskspec.StatusRunning),
	string(taskspec.StatusFailed), string(taskspec.StatusTimeout),
	string(taskspec.StatusCancelled), string(taskspec.StatusKilled),
}

// dropSome removes, among the selected records, which a limit bounds, those that are not
// needed. It returns how many it removed, and the rank to continue with, 0 at the end.
func dropSome(tx *broker.Tx, kind string, sel broker.RecordSelect, needed func(broker.Record) (bool, error)) (n int, next int64, err error) {
	recs, err := tx.Records(kind, sel)
	if err != nil {
		return 0, 0, err
	}
	for _, rec := range recs {
		keep, err := needed(rec)
		if err == nil && !keep {
			err = tx.DeleteRecord(kind, rec.Key)
			n++
		}
		if err != nil {
			return 0, 0, err
		}
	}
	if len(recs) == sel.Limit {
		next = recs[len(recs)-1].Rank
	}
	return n, next, nil
}

// UnusedEnvironments finds, among the next limit environments with a rank above after,
// those that no task needs that may still run, or be run again: it returns their keys, and
// the rank to continue with, 0 at the end. newest is the rank of the newest task.
func UnusedEnvironments(r broker.Reader, after int64, limit int) (keys []string, newest, next int64, err error) {
	unused := make(map[string]bool)
	for rec, err := range each(r, envKind, after, "") {
		if err != nil {
			return nil, 0, 0, err
		}
		unused[rec.Key] = true
		if len(unused) == limit {
			next = rec.Rank
			break
		}
	}
	if len(unused) == 0 {
		return nil, 0, 0, nil
	}
	for t, err := range tasks.each(r, 0, uncompleted...) {
		if err != nil {
			return nil, 0, 0, err
		}
		if delete(unused, t.Env); len(unused) == 0 {
			break
		}
	}
	last, err := r.Records(Kind, broker.RecordSelect{Newest: true, Limit: 1})
	if err != nil {
		return nil, 0, 0, err
	}
	if len(last) > 0 {
		newest = last[0].Rank
	}
	return slices.Sorted(maps.Keys(unused)), newest, next, nil
}

// DropEnvironments removes what [UnusedEnvironments] has found, but for those that a task
// with a rank above newest refers to: it was submitted since.
func DropEnvironments(tx *broker.Tx, keys []string, newest int64) (n int, err error) {
	for t, err := range tasks.each(tx, newest) {
		if err != nil {
			return 0, err
		}
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == t.Env })
	}
	for _, key := range keys {
		if err := tx.DeleteRecord(envKind, key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// OutputDir is the folder of [OutputFile] and [InputFile], in a project's own.
const OutputDir = "outputs"

// An Attempt is the parsed name of an [OutputFile].
type Attempt struct {
	TID    string
	Epoch  int
	Item   broker.ID // of a persistent task, else 0: see [ItemOutput]
	Stream Stream
}

// ParseOutputFile parses the name of an [OutputFile] or an [ItemOutput], without its
// folder.
func ParseOutputFile(name string) (a Attempt, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 && len(parts) != 4 {
		return Attempt{}, false
	}
	a.TID, a.Stream = parts[0], Stream(parts[len(parts)-1])
	_, err := broker.ParseID(a.TID)
	if err == nil && len(parts) == 4 {
		a.Item, err = broker.ParseID(parts[2])
	}
	if err == nil {
		a.Epoch, err = strconv.Atoi(parts[1])
	}
	known := a.Stream == Stdout || a.Stream == Stderr || a.Stream == Index
	return a, err == nil && known && a.Epoch > 0 && strconv.Itoa(a.Epoch) == parts[1]
}

// TaskOfFile returns the TID of the task that has written the file with this name in
// [OutputDir]; empty if the name is none of an output.
func TaskOfFile(name string) string {
	a, ok := ParseOutputFile(name)
	if !ok {
		return ""
	}
	return a.TID
}

// inputName is the length of an input's name: 16 random bytes in hexadecimal.
const inputName = 32

// ParseInputFile parses the name of an [InputFile], without its folder.
func ParseInputFile(file string) (name string, ok bool) {
	name, ok = strings.CutSuffix(file, inputExtension)
	return name, ok && len(name) == inputName && strings.Trim(name, "0123456789abcdef") == ""
}

// Needed reports whether the file of the attempt is still needed: its task has not ended, or
// is known and its output is there. The file must have been
// seen before r's state of the store.
func (a Attempt) Needed(r broker.Reader) (bool, error) {
	t, err := tasks.get(r, a.TID)
	switch {
	case errors.Is(err, broker.ErrNotFound):
		return false, nil // it never was: a task has a record before it has output
	case damaged(err):
		return true, nil // repair may need it
	case err != nil:
		return false, err
	case a.Item != 0:
		return a.itemNeeded(r, t)
	}
	if a.Epoch != t.Epoch {
		t, err = pastAttempt(r, a.TID, a.Epoch)
		if damaged(err) {
			return true, nil
		}
		if t == nil || err != nil {
			return false, err
		}
	} else if !t.Status.Terminal() {
		return true, nil
	}
	switch o := t.Output; {
	case o.Form == FormNone: // it was lost, and nobody has recorded what it wrote
		return true, nil
	case a.Stream == Stdout:
		return o.Form == FormFile, nil
	case a.Stream == Index:
		return o.IndexSize > 0, nil
	default:
		return o.StderrTruncated(), nil
	}
}

// An InputUse tells whether a file with a task's standard input is needed.
type InputUse int

// The uses of an input.
const (
	InputUnknown InputUse = iota // no task names it: it may be one that is being submitted
	InputNeeded                  // its task has not read it, or keeps it with its message
	InputUnused                  // its task has ended and does not need it
)

// UseOfInputs sets the values of uses, whose keys are names of inputs. All of them must
// have been seen before r's state of the store.
func UseOfInputs(r broker.Reader, uses map[string]InputUse) error {
	if len(uses) == 0 {
		return nil
	}
	for t, err := range tasks.each(r, 0, slices.Concat(uncompleted, []string{string(taskspec.StatusCompleted)})...) {
		if err != nil {
			return err
		}
		if _, found := uses[t.Input]; !found {
			continue
		}
		uses[t.Input] = InputUnused
		kept, err := keepsItem(r, t)
		if err != nil {
			return err
		}
		if kept {
			uses[t.Input] = InputNeeded
		}
	}
	return nil
}

// keepsItem reports whether the message that the task works on still exists: the task has
// not ended, or its policy kept the message.
func keepsItem(r broker.Reader, t *Task) (bool, error) {
	if !t.Status.Terminal() {
		return true, nil
	}
	if t.Message == 0 {
		return false, nil
	}
	q := QueuesOf(t.TID)
	for _, queue := range []string{q.Reserved, q.Inbox} {
		kept, err := r.Messages(queue, broker.Select{ID: t.Message})
		if err != nil || len(kept) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}
