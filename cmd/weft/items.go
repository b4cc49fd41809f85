package main

import (
	"context"
	"errors"
	"fmt"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// followItems shows what a persistent task makes of its items, until it has ended,
// and takes that. Signals are as of passOn.
func (a *app) followItems(in *interrupts, t *weft.Task) (*weft.TaskStatus, error) {
	return a.attend(in, t, func() (*weft.TaskStatus, error) {
		for r, err := range t.Items(in.leave) {
			if err != nil {
				return nil, err
			}
			if err := a.printItem(in.leave, r, true, true); err != nil && !errors.Is(err, weft.ErrResultConsumed) {
				return nil, err
			}
		}
		return t.Status(in.leave)
	})
}

// printItem prints the result of an item and then takes it, if it is to be taken.
// One that is only described stays, as of any task.
func (a *app) printItem(ctx context.Context, r *weft.ItemResult, take, raw bool) error {
	out := a.shown(raw)
	if a.JSON {
		a.stdout.Printf("%s\n", a.shownJSON([]byte(r.Message)))
		take = take && r.Large == nil
	} else if _, err := r.WriteTo(out); err != nil {
		return err
	} else if r.Value {
		_, _ = out.Write([]byte("\n")) // a value does not end its line, and another one may follow
	}
	if err := a.stdout.finish(); err != nil {
		return err
	}
	if r.Status != taskspec.StatusCompleted && !a.JSON {
		fmt.Fprint(a.stderr, a.shownText([]byte(r.Stderr), raw))
		a.note("item %s: %s", r.MessageID, r.Reason)
	}
	if !take {
		return nil
	}
	return r.Discard(ctx)
}

// printItems prints the next result of a persistent task, or with stream all of them
// until it has ended.
func (r *resultCmd) printItems(ctx context.Context, a *app, p *weft.Project, t *weft.Task) error {
	if r.Error {
		return usageError{"--error does not go with a persistent task: its results have the end of the standard error, see --json"}
	}
	elsewhere, err := r.elsewhere(ctx, a, p, t)
	if err != nil {
		return err
	}
	some, code := false, 0
	for item, err := range t.Items(ctx) {
		if err != nil {
			return err
		}
		if err := a.printItem(ctx, item, !r.Peek, r.Raw); err != nil {
			return err
		}
		if some = true; item.Status != taskspec.StatusCompleted {
			code = exitError
		}
		if r.Stream {
			continue
		}
		if r.ExitCode && item.ReturnCode != nil {
			code = *item.ReturnCode
		}
		break
	}
	switch {
	case !some && elsewhere != nil:
		return elsewhere
	case !some:
		return taken(ctx, t)
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// elsewhere says where the results of items are that completed, if the spec names a
// queue for them: as an error where the command must not wait for others.
func (r *resultCmd) elsewhere(ctx context.Context, a *app, p *weft.Project, t *weft.Task) (where, err error) {
	s, err := t.Status(ctx)
	if err != nil || s.Outbox == "" {
		return nil, err
	}
	where = noneOf{fmt.Sprintf("results of task %s are in queue %s: weft queue read %s", taskspec.ShortTID(s.TID), s.Outbox, s.Outbox)}
	if r.Stream {
		a.note("%v", where)
		return where, nil
	}
	_, err = p.Queue("T" + s.TID + ".outbox").Peek(ctx) // of those that did not complete
	if errors.Is(err, broker.ErrEmpty) {
		err = where
	}
	return where, err
}

// itemsText is how far a persistent task is, or nothing for any other.
func itemsText(s *weft.TaskStatus) string {
	if s.Items == nil {
		return ""
	}
	text := fmt.Sprintf("%d done, %d failed", s.Items.Done, s.Items.Failed)
	if s.Items.BackingOff > 0 {
		text += fmt.Sprintf(", %d put back for later", s.Items.BackingOff)
	}
	switch s.Items.Activity {
	case "waiting":
		text += ", waiting"
	case "working":
		text += ", working on " + s.Items.MessageID
	}
	return text
}
