package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weft"
)

// tellRetries says on standard error when the task is tried again. The caller
// calls settled when it waits no more, and says whether the task has ended.
func (a *app) tellRetries(ctx context.Context, t *weft.Task) (settled func(ended bool)) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for e, err := range t.Events(ctx, true) {
			if err != nil {
				return // the wait for the task says so
			}
			if e.Name == "task_retried" {
				a.note("task %s: %s", t.TID(), retryText(e))
			}
		}
	}()
	return func(ended bool) {
		if !ended { // else the events come to an end by themselves
			cancel()
		}
		<-over
		cancel()
	}
}

// attemptsText says which attempt at a task is the last one, and how long all have taken; it
// is empty if there was one.
func attemptsText(s *weft.TaskStatus, now time.Time) string {
	if s.FirstStarted.IsZero() || s.Tried < 2 {
		return ""
	}
	return fmt.Sprintf("%d of %d, %s in all", s.Tried, s.MaxAttempts, short(s.TotalElapsed(now)))
}

// inBrackets is a text behind open, in brackets, or nothing if there is none.
func inBrackets(open, text string) string {
	if text == "" {
		return ""
	}
	return open + text + ")"
}

// retryText is what a person wants to know of a retry.
func retryText(e weft.Event) string {
	var v struct {
		Attempt     int   `json:"attempt"`
		MaxAttempts int   `json:"max_attempts"`
		NotBefore   int64 `json:"not_before"`
	}
	if err := json.Unmarshal([]byte(e.Body), &v); err != nil || v.Attempt == 0 {
		return "runs again"
	}
	text := fmt.Sprintf("attempt %d of %d: %s; again", v.Attempt, v.MaxAttempts, e.Error)
	if v.NotBefore != 0 {
		text += " in " + short(time.Unix(0, v.NotBefore).Sub(e.Time))
	}
	return text
}
