package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"weft"
	"weft/internal/jsonobject"
	"weft/taskspec"
)

// logsCmd is the command weft logs, and weft task output.
type logsCmd struct {
	TIDs []string `arg:"" name:"tid" sep:"none" complete:"task" help:"The tasks: their ids, the ends of them, their names, @last, @failed or @running. Of a pipeline all its stages are printed."`

	Follow     bool    `short:"f" help:"Print what is still to come too, until the tasks have ended."`
	Tail       int     `short:"n" placeholder:"N" help:"Only the last N lines of each task (0: all)."`
	Since      *moment `placeholder:"TIME" help:"Only what was written since then: 10m, 1d, 2026-11-21T14:03."`
	Grep       string  `placeholder:"REGEXP" complete:"-" help:"Only the lines that match."`
	Stdout     bool    `xor:"stream" help:"Only the standard output."`
	Stderr     bool    `xor:"stream" help:"Only the standard error; it is printed to standard output."`
	Timestamps bool    `short:"t" help:"Print when each line was written, to a second."`
	Attempt    *int    `placeholder:"N" help:"Print what this attempt has written, counted from 1, instead of the last one."`
	Cursor     string  `placeholder:"CURSOR" complete:"-" help:"Begin where an earlier --json has ended: its last line has the next cursor."`
	MaxBytes   int64   `placeholder:"N" help:"End after so many bytes."`
	rawOption
}

// options are what is to be read.
func (c *logsCmd) options() (o weft.OutputOptions, err error) {
	switch {
	case c.Tail < 0:
		return o, usageError{"--tail: give the number of lines, or 0 for all"}
	case c.MaxBytes < 0:
		return o, usageError{"--max-bytes: give a number from 1 on"}
	case c.Attempt != nil && c.Follow:
		return o, usageError{"--attempt does not go with --follow"}
	case c.Attempt != nil && *c.Attempt < 1:
		return o, fmt.Errorf("%w: %d", weft.ErrNoAttempt, *c.Attempt)
	case c.Cursor != "" && len(c.TIDs) > 1:
		return o, usageError{"--cursor goes with one task"}
	}
	o = weft.OutputOptions{Follow: c.Follow, Tail: c.Tail, Cursor: c.Cursor, MaxBytes: c.MaxBytes}
	if c.Since != nil {
		o.Since = time.Time(*c.Since)
	}
	if c.Attempt != nil {
		o.Attempt = *c.Attempt
	}
	if c.Grep != "" {
		if o.Match, err = regexp.Compile(c.Grep); err != nil {
			return o, usageError{fmt.Sprintf("--grep: %q is no regular expression: %v", c.Grep, errors.Unwrap(err))}
		}
	}
	switch {
	case c.Stdout:
		o.Stream = weft.StdoutStream
	case c.Stderr:
		o.Stream = weft.StderrStream
	}
	return o, nil
}

// Run prints what tasks have written.
func (c *logsCmd) Run(a *app, p *weft.Project) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	ctx := interruptible().first
	l := logs{a: a, c: c}
	tasks, err := l.find(ctx, p)
	if err != nil {
		return err
	}
	o.Lines = l.prefixed || c.Timestamps || a.JSON
	for piece, err := range p.ReadOutput(ctx, tasks, o) {
		if errors.Is(err, weft.ErrNoOutput) {
			return fmt.Errorf("%w: its task %s", err, loaded)
		}
		if err != nil {
			return err
		}
		if err := l.print(piece); err != nil {
			return err
		}
	}
	return a.stdout.finish()
}

// logs print what tasks have written.
type logs struct {
	a        *app
	c        *logsCmd
	prefixed bool // with the name of the task: there are several
	names    map[string]string
	width    int // of the longest name
}

// find finds the tasks, and decides what to call them.
func (l *logs) find(ctx context.Context, p *weft.Project) (tasks []*weft.Task, err error) {
	l.names = make(map[string]string)
	holders := make(map[string]int) // of a name
	var all []*weft.TaskStatus
	for _, tid := range l.c.TIDs {
		t, err := p.Task(ctx, tid)
		if err != nil {
			return nil, err
		}
		s, err := t.Status(ctx)
		if err != nil {
			return nil, err
		}
		if s.Items != nil {
			return nil, usageError{"a persistent task has an output for each of its items: see weft result"}
		}
		tasks, all = append(tasks, t), append(all, s)
		holders[s.Name]++
		if !s.Pipeline {
			continue
		}
		l.prefixed = true
		stages, err := t.Stages(ctx)
		if err != nil {
			return nil, err
		}
		for _, stage := range stages {
			l.width = max(l.width, len(visible(stage.Name)))
		}
	}
	l.prefixed = l.prefixed || len(tasks) > 1
	for _, s := range all {
		name := s.Name
		if holders[name] > 1 {
			name = taskspec.ShortTID(s.TID)
		}
		l.names[s.TID] = visible(name)
		if !s.Pipeline {
			l.width = max(l.width, len(l.names[s.TID]))
		}
	}
	return tasks, nil
}

// print prints a piece of the output.
func (l *logs) print(p *weft.OutputPiece) error {
	if l.a.JSON {
		return l.printJSON(p)
	}
	if p.Status != nil {
		return nil
	}
	w := l.a.shown(l.c.Raw)
	if p.Stream == weft.StderrStream && !l.c.Stderr {
		if err := l.a.stdout.Flush(); err != nil {
			return err
		}
		w = l.shownStderr()
	}
	if !l.prefixed && !l.c.Timestamps {
		_, err := w.Write(p.Data)
		return err
	}
	line, _ := bytes.CutSuffix(p.Data, []byte("\n"))
	line = append(l.prefix(p), line...)
	_, err := w.Write(append(line, '\n'))
	return err
}

// shownStderr is where the standard error of tasks is written.
func (l *logs) shownStderr() io.Writer {
	if !isTerminal(l.a.stderr) || l.c.Raw {
		return l.a.stderr
	}
	return spelledWriter{l.a.stderr}
}

// A spelledWriter writes text to a terminal and spells what that would act on.
type spelledWriter struct{ w io.Writer }

func (s spelledWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.w, spelled(p, escape)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// prefix is what stands before a line.
func (l *logs) prefix(p *weft.OutputPiece) []byte {
	var b []byte
	if l.prefixed {
		name := cmp.Or(l.names[p.Task.TID()], visible(p.Name))
		l.width = max(l.width, len(name))
		b = fmt.Appendf(b, "%s%s | ", name, strings.Repeat(" ", l.width-len(name)))
	}
	if l.c.Timestamps {
		b = fmt.Appendf(b, "%s ", p.Time.Local().Format(time.RFC3339))
	}
	return b
}

// printJSON prints a piece as an object: a line, or at last how the task stands.
func (l *logs) printJSON(p *weft.OutputPiece) error {
	if p.Status != nil {
		return errors.Join(l.a.printJSON(object("tid", p.Task.TID(), "status", p.Status.Status, "next", p.Cursor)), l.a.stdout.Flush())
	}
	err := l.a.printJSON(object("tid", p.Task.TID(), "name", p.Name, "stream", p.Stream, "time", p.Time.Format(time.RFC3339Nano),
		"data", jsonobject.TextOrBytes(p.Data), "next", p.Cursor))
	return errors.Join(err, l.a.stdout.Flush())
}
