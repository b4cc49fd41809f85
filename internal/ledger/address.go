package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"weft/broker"
	"weft/taskspec"
)

// ErrNoTask is returned for an address of no task.
var ErrNoTask = errors.New("no such task")

// ErrAmbiguous is returned for an address of several tasks.
var ErrAmbiguous = errors.New("several tasks are meant")

// errAddress says what an address can be.
var errAddress = fmt.Errorf("%w: want an id, its end (at least %d digits), a name, @last, @failed or @running", ErrNoTask, minTID)

// The shortest end of a TID that is an address, and the length of a TID.
const (
	minTID  = 4
	fullTID = 19
)

// maxCandidates is how many tasks an error names.
const maxCandidates = 5

// Find returns the TID of the task at an address: a TID; a unique end of one, of at least
// minTID digits; "@last", "@failed" or "@running", which is the newest task, of that kind,
// that is no stage of a pipeline; or a name, which is the newest task of that name. Before a
// TID there may be a T or a P, as in the names of queues.
//
// If statuses are given, a name is the task of that name with one of them, and ambiguous if
// there are several; if there is none, it is the newest of any status.
func Find(ctx context.Context, b *broker.Broker, address string, statuses ...taskspec.Status) (tid string, err error) {
	digits := address
	if len(digits) > minTID && (digits[0] == 'T' || digits[0] == 'P') {
		digits = digits[1:]
	}
	switch {
	case address == "":
		return "", errAddress
	case len(digits) == fullTID && isDigits(digits):
		_, err := b.Record(ctx, Kind, digits)
		if errors.Is(err, broker.ErrNotFound) {
			err = ErrNoTask
		}
		return digits, err
	case len(digits) >= minTID && len(digits) < fullTID && isDigits(digits):
		if tid, err = findEnd(ctx, b, digits); !errors.Is(err, ErrNoTask) {
			return tid, err
		}
	case address == "@last":
		return first(newest(ctx, b, 1, isSubmitted))
	case address == "@failed":
		return first(newest(ctx, b, 1, isSubmitted, taskspec.Failures()...))
	case address == "@running":
		return first(newest(ctx, b, 1, isSubmitted, taskspec.StatusRunning))
	case address[0] == '@':
		return "", errAddress
	}
	if len(statuses) > 0 {
		found, err := newest(ctx, b, 0, hasName(address), statuses...)
		if err != nil || len(found) > 0 {
			return only(found, err)
		}
	}
	tid, err = first(newest(ctx, b, 1, hasName(address)))
	if errors.Is(err, ErrNoTask) && !isDigits(digits) {
		err = errAddress
	}
	return tid, err
}

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// findEnd returns the only task whose TID ends so.
func findEnd(ctx context.Context, b *broker.Broker, digits string) (string, error) {
	recs, err := b.Records(ctx, Kind, broker.RecordSelect{KeySuffix: digits, Newest: true, Limit: maxCandidates + 1})
	switch {
	case err != nil:
		return "", err
	case len(recs) == 0:
		return "", ErrNoTask
	}
	return only(recs, nil)
}

// first returns the TID of the first of the records.
func first(recs []broker.Record, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case len(recs) == 0:
		return "", ErrNoTask
	}
	return recs[0].Key, nil
}

// only returns the TID of the only one of the records.
func only(recs []broker.Record, err error) (string, error) {
	if err != nil || len(recs) < 2 {
		return first(recs, err)
	}
	var tasks []string
	for _, r := range recs[:min(len(recs), maxCandidates)] {
		tasks = append(tasks, fmt.Sprintf("%s (%s)", r.Key, r.State))
	}
	if len(recs) > maxCandidates {
		tasks = append(tasks, "and more")
	}
	return "", fmt.Errorf("%w: %s", ErrAmbiguous, strings.Join(tasks, ", "))
}

// recordsAtOnce is how many records newest reads at once.
const recordsAtOnce = 100

// newest returns the newest tasks of any of the statuses that match, at most n, or all if
// that is 0.
func newest(ctx context.Context, b *broker.Broker, n int, match func(broker.Record) bool, statuses ...taskspec.Status) (found []broker.Record, err error) {
	sel := broker.RecordSelect{Newest: true, Limit: recordsAtOnce}
	for _, s := range statuses {
		sel.States = append(sel.States, string(s))
	}
	for {
		recs, err := b.Records(ctx, Kind, sel)
		if err != nil {
			return nil, err
		}
		for _, r := range recs {
			if match(r) {
				found = append(found, r)
			}
			if n > 0 && len(found) == n {
				return found, nil
			}
		}
		if len(recs) < sel.Limit {
			return found, nil
		}
		sel.BeforeRank = recs[len(recs)-1].Rank
	}
}

// isSubmitted reports whether somebody submitted the task: it is no stage of a pipeline.
func isSubmitted(r broker.Record) bool {
	t, err := Decode(r)
	return err == nil && t.Stage == 0
}

// hasName reports whether a task has this name. Few have: to look for the text first, and to
// decode only those, is ten times faster.
func hasName(name string) func(broker.Record) bool {
	text, _ := json.Marshal(name) // cannot fail
	field := `"name":` + string(text)
	return func(r broker.Record) bool {
		if !strings.Contains(r.Body, field) {
			return false
		}
		t, err := Decode(r)
		return err == nil && t.Name == name
	}
}
