package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft/internal/literal"
	"weft/internal/settings"
	"weft/taskspec"
)

// workOptions are what can be said about the work of any task.
type workOptions struct {
	Timeout     *duration  `short:"t" placeholder:"TIME" help:"Stop the work when it has taken so long: 30 (seconds), 1.5, 2m, 1d."`
	Delay       *start     `placeholder:"TIME" help:"Begin the work so much later (30m, 1d), when a clock shows this next (09:00), or at a time with its date (2026-12-24T18:00:00Z)."`
	Retries     *int       `placeholder:"N" help:"Try again up to N times when the work does not complete, after 1, 2, 4 … seconds. More can be said by --spec."`
	Concurrency string     `placeholder:"KEY[=N]" complete:"-" help:"Run at most N tasks with this key at once (default: 1); the others wait in order."`
	StopGrace   *duration  `placeholder:"TIME" help:"Time between SIGTERM and SIGKILL (default: 5)."`
	Memory      *megabytes `placeholder:"SIZE" help:"Kill the task when its processes use more memory together: 500 (MiB), 512MiB, 10GB."`
	CPU         *float64   `name:"cpu" placeholder:"PERCENT" help:"End the task when it uses more of a core, in four seconds of five."`
	Env         []string   `short:"e" sep:"none" placeholder:"NAME=VALUE" help:"Set a variable of the environment; may be repeated."`
	EnvFile     []string   `sep:"none" placeholder:"FILE" complete:"file" help:"Set the variables in this file, a line NAME=VALUE for each; --env wins. May be repeated."`
	Dir         string     `short:"C" placeholder:"DIR" complete:"folder" help:"Run it in this folder (default: this one)."`
	Name        string     `short:"n" help:"Name the task (default: the command's)."`
	Tag         []string   `sep:"none" help:"Tag the task; may be repeated."`
}

// overlay changes the task as the options say. What they do not say stays.
func (o *workOptions) overlay(spec *taskspec.Spec) error {
	if o.Retries != nil && *o.Retries < 0 {
		return usageError{"--retries: give a number from 0 on"}
	}
	w := &spec.Work
	if o.Dir != "" {
		if info, err := os.Stat(o.Dir); err != nil || !info.IsDir() {
			return usageError{fmt.Sprintf("--dir %s: no such folder", o.Dir)}
		}
		dir, err := filepath.Abs(o.Dir)
		if err != nil {
			return err
		}
		w.WorkingDir = dir
	}
	spec.Name = cmp.Or(o.Name, spec.Name)
	if o.Timeout != nil {
		w.Timeout = cmp.Or(time.Duration(*o.Timeout), -1) // 0 is refused as an empty span is
	}
	if o.Delay != nil {
		w.Delay = literal.Start(*o.Delay).Delay(time.Now())
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
	w.Limits.MemoryMB = cmp.Or((*float64)(o.Memory), w.Limits.MemoryMB)
	w.Limits.CPUPercent = cmp.Or(o.CPU, w.Limits.CPUPercent)
	o.addTags(spec)
	return o.setEnv(w)
}

// setEnv sets the variables of the environment that the options say.
func (o *workOptions) setEnv(w *taskspec.Work) error {
	if len(o.Env)+len(o.EnvFile) > 0 && w.Env == nil {
		w.Env = make(map[string]string)
	}
	for _, path := range o.EnvFile {
		values, err := settings.ParseEnvFile(path)
		if err != nil {
			return usageError{fmt.Sprintf("--env-file: %v", err)}
		}
		maps.Copy(w.Env, values)
	}
	for _, entry := range o.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return usageError{fmt.Sprintf("--env %s: want NAME=VALUE", entry)}
		}
		w.Env[name] = value
	}
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

// explain names, in an error about a field of a task, the option that has said it.
func (o *workOptions) explain(err error) error {
	invalid, ok := errors.AsType[*taskspec.ValidationError](err)
	if !ok {
		return err
	}
	var problems []string
	for _, p := range invalid.Problems {
		for _, option := range []struct {
			path, name, unit string
			given            bool
		}{
			{"name", "name", "", o.Name != ""},
			{"spec.timeout", "timeout", "", o.Timeout != nil},
			{"spec.delay_seconds", "delay", "", o.Delay != nil},
			{"spec.stop_grace", "stop-grace", "", o.StopGrace != nil},
			{"spec.retry.max_attempts", "retries", "", o.Retries != nil},
			{"spec.limits.memory_mb", "memory", " (MiB)", o.Memory != nil},
			{"spec.limits.cpu_percent", "cpu", "", o.CPU != nil},
		} {
			if option.given && p.Path == option.path {
				problems = append(problems, fmt.Sprintf("--%s: %s", option.name, p.Text+option.unit))
			}
		}
	}
	if len(problems) < len(invalid.Problems) {
		return err // the options are not all that is wrong
	}
	return usageError{strings.Join(problems, "; ")}
}
