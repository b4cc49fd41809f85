package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"weft"
	"weft/broker"
)

// A job is a message of the queue jobs.
type job struct {
	Command string `json:"command"`
	Failed  int    `json:"failed,omitempty"` // so many times
}

// An answer is a message of the queue answers.
type answer struct {
	Command string `json:"command,omitempty"`
	Output  string `json:"output,omitempty"`
	Error   string `json:"error,omitempty"`
}

// attempts is how often a job may fail before it is given up.
const attempts = 3

// work takes jobs into a queue of its own and does them, one after another. What
// lies there when it begins is the job that its last life did not finish.
func work(ctx context.Context, p *weft.Project, name string) error {
	jobs, held := p.Queue("jobs"), p.Queue("jobs."+name)
	reserved := jobs.Reserve(held.Name())
	for {
		m, err := held.Peek(ctx)
		if errors.Is(err, broker.ErrEmpty) {
			m, err = reserved.Next(ctx)
		}
		switch {
		case errors.Is(err, broker.ErrEmpty):
			err = jobs.Wait(ctx)
		case err == nil:
			err = do(ctx, p, held.Name(), m)
		}
		if err != nil {
			return err
		}
	}
}

// do runs one job as a task. The message's id is the task's key: after a crash
// the worker finds the task that it began, instead of beginning another one.
func do(ctx context.Context, p *weft.Project, held string, m broker.Message) error {
	var j job
	if err := json.Unmarshal([]byte(m.Body), &j); err != nil {
		return settle(ctx, p, held, m, message{"jobs.dead", m.Body}, message{"answers", encode(answer{Error: err.Error()})})
	}
	spec := weft.Command("sh", "-c", j.Command)
	spec.Key = "job/" + m.ID.String()
	spec.Timeout = 10 * time.Minute
	task, err := p.SubmitContext(ctx, spec)
	if err != nil {
		return err
	}
	res, err := task.Peek(ctx) // waits; the result is taken when the answer is written
	if err != nil {
		return err
	}
	failed := res.Err()
	j.Failed++
	switch {
	case failed == nil:
		err = settle(ctx, p, held, m, message{"answers", encode(answer{Command: j.Command, Output: string(res.Output)})})
	case j.Failed < attempts:
		err = settle(ctx, p, held, m, message{"jobs", encode(j)})
	default:
		dead := message{"jobs.dead", encode(job{Command: j.Command})}
		err = settle(ctx, p, held, m, dead, message{"answers", encode(answer{Command: j.Command, Error: failed.Error()})})
	}
	if err != nil {
		return err
	}
	return task.Discard(ctx)
}

type message struct{ queue, body string }

// settle writes what came of a job and removes the job, in one transaction: a
// crash leaves the one or the other. Without an effect like these messages,
// Reservation.Ack would do.
func settle(ctx context.Context, p *weft.Project, held string, done broker.Message, effects ...message) error {
	return p.Broker().Update(ctx, func(tx *broker.Tx) error {
		for _, m := range effects {
			if _, err := tx.Write(m.queue, m.body); err != nil {
				return err
			}
		}
		_, err := tx.Delete(held, broker.Select{ID: done.ID})
		return err
	})
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	return string(text)
}
