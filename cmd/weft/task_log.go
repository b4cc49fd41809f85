package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"weft"
)

type taskLogCmd struct {
	TID    string `arg:"" name:"tid" complete:"task" help:"The task: its id, the end of it, its name, @last, @failed or @running."`
	Follow bool   `short:"f" help:"Wait for what is still to come, until the task has ended."`
}

// Run prints the events of a task.
func (c *taskLogCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	t, err := p.Task(in.first, c.TID)
	if err != nil {
		return err
	}
	text := eventLine
	if a.JSON {
		text = eventBody
	}
	err = a.printEvents(in.first, t, c.Follow, text)
	if errors.Is(err, errInterrupted) {
		return exitOf(err)
	}
	return err
}

// printEvents prints what has happened to a task, each event as text writes it;
// with follow also what is still to come, until it has ended.
func (a *app) printEvents(ctx context.Context, t *weft.Task, follow bool, text func(weft.Event) string) error {
	for e, err := range t.Events(ctx, follow) {
		if err != nil {
			return err
		}
		if _, err := a.shown(false).Write([]byte(text(e) + "\n")); err != nil {
			return err
		}
	}
	return nil
}

// eventBody is all of an event, as it is kept.
func eventBody(e weft.Event) string { return e.Body }

// eventLine is what a person wants to know of an event.
func eventLine(e weft.Event) string {
	return visible(e.Time.Local().Format(time.DateTime+".000") + "  " + eventText(e))
}

// eventText says what has happened.
func eventText(e weft.Event) string {
	var more struct {
		PID       int    `json:"task_pid"`
		MessageID string `json:"message_id"`
	}
	_ = json.Unmarshal([]byte(e.Body), &more) // then it has no more
	switch e.Name {
	case "work_started":
		if more.PID != 0 {
			return fmt.Sprintf("started (pid %d)", more.PID)
		}
	case "task_retried":
		if e.Error != "" {
			return "waits for another attempt: " + retryText(e)
		}
	case "work_item_completed", "work_item_failed":
		return because(fmt.Sprintf("item %s %s", more.MessageID, strings.TrimPrefix(e.Name, "work_item_")), e.Error)
	}
	text, known := eventWords[e.Name]
	if !known {
		text = e.Name
	}
	if e.By != nil {
		text += " by " + e.By.String()
	}
	return because(text, e.Error)
}

// because adds the reason to what has happened, unless it says no more.
func because(text, reason string) string {
	if reason == "" || strings.HasPrefix(text, reason) {
		return text
	}
	return text + ": " + reason
}

// eventWords are the events in words.
var eventWords = map[string]string{
	"task_initialized":     "submitted",
	"task_spawning":        "given to a consumer",
	"task_retried":         "submitted again",
	"work_started":         "started",
	"work_completed":       "completed",
	"work_failed":          "failed",
	"work_timeout":         "ended by its timeout",
	"work_limit_violation": "killed, because it went over a limit",
	"work_cancelled":       "stopped",
	"work_killed":          "killed",
	"work_lost":            "lost",
	"work_interrupted":     "interrupted",
	"output_spilled":       "wrote more than fits a message: its output is in a file",
	"poll_report":          "measured",
	"control_stop":         "told to stop",
	"control_kill":         "told to end at once",
	"control_pause":        "told to pause",
	"control_resume":       "told to go on",
	"control_ping":         "asked for a sign of life",
	"control_status":       "asked how it stands",
	"control_unknown":      "told what it does not understand",
}
