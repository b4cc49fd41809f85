package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"weft"
	"weft/taskspec"
)

// fullText says that there is no slot for another task; it is empty if there is
// one.
func fullText(ctx context.Context, p *weft.Project) (string, error) {
	taken, all, err := p.Manager().Slots(ctx)
	if err != nil || all == 0 || taken < all {
		return "", err
	}
	return fmt.Sprintf("all %d are taken; a task that waits for its own task must leave it WEFT_TID", all), nil
}

// waitsForSlot reports whether a task waits for nothing else.
func waitsForSlot(s *weft.TaskStatus) bool {
	return s.Status == taskspec.StatusCreated && s.NotBefore.IsZero() && s.WaitingFor == "" && !s.AwaitsKey && s.ParentTID == ""
}

// keyText says for which concurrency key a task waits; it is empty if it waits for none.
func keyText(ctx context.Context, p *weft.Project, s *weft.TaskStatus) (string, error) {
	if !s.AwaitsKey {
		return "", nil
	}
	running, _, err := p.ConcurrencyUse(ctx, s.ConcurrencyKey)
	return fmt.Sprintf("concurrency key %s (%d running)", s.ConcurrencyKey, running), err
}

// tellKey says on standard error, to a person, for which concurrency key a task waits that
// was just submitted.
func (a *app) tellKey(p *weft.Project, t *weft.Task, spec *taskspec.Spec) {
	if spec.Concurrency == nil || a.JSON {
		return
	}
	ctx := context.Background()
	s, err := t.Status(ctx)
	if err != nil {
		return // the wait for the task says so
	}
	if text, err := keyText(ctx, p, s); err == nil && text != "" {
		a.note("task %s: waiting for %s", taskspec.ShortTID(t.TID()), visible(text))
	}
}

// slotPatience is how long a task waits for a slot before a command that waits for
// the task says so.
const slotPatience = 5 * time.Second

// tellSlots says on standard error, if it comes to that, that the task does not
// begin because there is no slot: to a person, and where a task waits for another,
// which may be for ever. The caller stops it when it waits no more.
func (a *app) tellSlots(p *weft.Project, t *weft.Task) *time.Timer {
	return time.AfterFunc(slotPatience, func() {
		if !isTerminal(a.stderr) && os.Getenv("WEFT_CONTEXT") != p.Root() {
			return
		}
		ctx := context.Background()
		s, err := t.Status(ctx)
		if err != nil || !waitsForSlot(s) {
			return
		}
		if text, err := fullText(ctx, p); err == nil && text != "" {
			a.note("task %s waits for a slot: %s", taskspec.ShortTID(t.TID()), text)
		}
	})
}
