package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft/taskspec"
)

// workOptions are what can be said about the work of any task.
type workOptions struct {
	Timeout     *duration `placeholder:"TIME" help:"Stop the work when it has taken so long: 30, 1.5, 2m."`
	Delay       *duration `placeholder:"TIME" help:"Wait so long before the work begins."`
	Retries     *int      `placeholder:"N" help:"Try again up to N times when the work does not complete, after 1, 2, 4 … seconds. More can be said by --spec."`
	Concurrency string    `placeholder:"KEY[=N]" complete:"-" help:"Run at most N tasks with this key at once (default: 1); the others wait in order."`
	StopGrace   *duration `placeholder:"TIME" help:"Time between SIGTERM and SIGKILL (default: 5)."`
	Memory      *float64  `placeholder:"MB" help:"Kill the task when its processes use more memory together, in MiB."`
	CPU         *float64  `name:"cpu" placeholder:"PERCENT" help:"End the task when it uses more of a core, in four seconds of five."`
	Env         []string  `sep:"none" placeholder:"NAME=VALUE" help:"Set a variable of the environment; may be repeated."`
	Name        string    `help:"Name the task (default: the command's)."`
	Tag         []string  `sep:"none" help:"Tag the task; may be repeated."`
}

// overlay changes the task as the options say. What they do not say stays.
func (o *workOptions) overlay(spec *taskspec.Spec) error {
	if o.Retries != nil && *o.Retries < 0 {
		return usageError{"--retries: give a number from 0 on"}
	}
	w := &spec.Work
	spec.Name = cmp.Or(o.Name, spec.Name)
	if o.Timeout != nil {
		w.Timeout = cmp.Or(time.Duration(*o.Timeout), -1) // 0 is refused as an empty span is
	}
	if o.Delay != nil {
		w.Delay = time.Duration(*o.Delay)
	}
	if o.Retries != nil {
		w.Retry = o.retry(w.Retry)
	}
	if o.Concurrency != "" {
		var err error
		if w.Concurrency, err = parseConcurrency(o.Concurrency); err != nil {
			return err
		}
	}
	w.StopGrace = cmp.Or((*time.Duration)(o.StopGrace), w.StopGrace)
	w.Limits.MemoryMB = cmp.Or(o.Memory, w.Limits.MemoryMB)
	w.Limits.CPUPercent = cmp.Or(o.CPU, w.Limits.CPUPercent)
	for _, entry := range o.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return usageError{fmt.Sprintf("--env %s: want NAME=VALUE", entry)}
		}
		if w.Env == nil {
			w.Env = make(map[string]string)
		}
		w.Env[name] = value
	}
	o.addTags(spec)
	return nil
}

// retry is the policy of a task that has this one, with the number of attempts
// that the option says.
func (o *workOptions) retry(policy *taskspec.RetryPolicy) *taskspec.RetryPolicy {
	p := taskspec.RetryPolicy{}
	if policy != nil {
		p = *policy
	}
	p.MaxAttempts = new(*o.Retries + 1)
	return &p
}

// parseConcurrency parses KEY or KEY=N. A key may hold "=": what follows the last one is the
// number.
func parseConcurrency(text string) (*taskspec.Concurrency, error) {
	c := &taskspec.Concurrency{Key: text}
	if i := strings.LastIndexByte(text, '='); i >= 0 {
		n, err := strconv.Atoi(text[i+1:])
		if err != nil || i == 0 {
			return nil, usageError{fmt.Sprintf("--concurrency %s: want KEY or KEY=N, where N is how many tasks run at once", text)}
		}
		c.Key, c.Limit = text[:i], &n
	}
	return c, nil
}

// addTags adds tags to those that the task has.
func (o *workOptions) addTags(spec *taskspec.Spec) {
	if len(o.Tag) == 0 {
		return
	}
	tags := slices.Clone(spec.Tags())
	for _, tag := range o.Tag {
		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	if spec.Metadata == nil {
		spec.Metadata = make(map[string]any)
	}
	spec.Metadata["tags"] = tags
}
