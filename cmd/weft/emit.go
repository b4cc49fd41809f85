package main

import (
	"context"
	"errors"

	"weft"
	"weft/internal/jsonobject"
)

// emit prints the answer of a command: value with --json, else a text.
func (a *app) emit(value any, format string, args ...any) error {
	if a.JSON {
		return a.printJSON(value)
	}
	a.stdout.Printf(format, args...)
	return a.stdout.err
}

// printJSON prints v as one line.
func (a *app) printJSON(v any) error {
	line, err := jsonobject.Encode(v)
	if err != nil {
		return err
	}
	a.stdout.Printf("%s\n", a.shownJSON(line))
	return a.stdout.err
}

// object is an object in JSON.
func object(fields ...any) *jsonobject.Object { return jsonobject.New(fields...) }

// taskDetails is all there is to know about one task, with its output if it has ended
// and that has not been consumed.
func taskDetails(ctx context.Context, t *weft.Task, s *weft.TaskStatus) (*jsonobject.Object, error) {
	r := &weft.Result{TaskStatus: *s}
	if s.Status.Terminal() {
		peeked, err := t.Peek(ctx)
		switch {
		case err == nil:
			r = peeked
		case !errors.Is(err, weft.ErrTaken):
			return nil, err
		}
	}
	o := object().AddFields(r).AddFields(s).
		AddUnlessZero("outbox", s.Outbox).AddUnlessZero("parent_tid", s.ParentTID).AddUnlessZero("key", s.Key)
	if progressText(s) != "" || s.Total != 0 {
		o.Add("progress", object("done", s.Done, "total", s.Total, "note", s.Note))
	}
	stages, err := stageObjects(ctx, t)
	if err != nil {
		return nil, err
	}
	past, err := t.PastAttempts(ctx)
	var attempts []*jsonobject.Object
	for _, was := range past {
		attempts = append(attempts, object("attempt", was.Attempt, "status", was.Status, "return_code", was.ReturnCode,
			"error", was.Error, "started_at", was.Started, "completed_at", was.Completed))
	}
	return o.AddUnlessZero("stages", stages).AddUnlessZero("attempts", attempts), err
}
