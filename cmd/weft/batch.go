package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

type batchCmd struct {
	Command []string `arg:"" optional:"" help:"The command and its arguments: the first word that is not an option, and all the rest. {} in it stands for the line; without {} the line is the last argument."`

	Jobs        int  `short:"j" placeholder:"N" help:"Have at most so many tasks unfinished (default: all are submitted, and run as the manager has slots)."`
	Null        bool `short:"0" help:"Lines end with a NUL byte."`
	JSONL       bool `name:"jsonl" help:"Each line is the description of a task, in JSON, and there is no command."`
	AsCompleted bool `help:"Print results in the order in which the tasks end, instead of that of the lines."`
	workOptions
}

// Run runs a task for each line.
func (c *batchCmd) Run(a *app) error {
	switch {
	case c.JSONL == (len(c.Command) > 0), len(c.Command) > 0 && c.Command[0] == "":
		return usageError{"give a command, or --jsonl: weft batch [options] COMMAND [args]"}
	case c.Jobs < 0:
		return usageError{"--jobs: give a number from 1 on"}
	case isTerminal(a.stdin):
		return usageError{"weft batch reads lines from standard input, which is a terminal"}
	}
	if err := a.canDeliver(); err != nil {
		return err
	}
	a.delivers = true
	specs, checkFirst := peekFirst(c.specs(a.stdin))
	p, err := a.openOrCreate(checkFirst, nil)
	if err != nil {
		return err
	}
	in := interruptible()
	b := batch{a: a, line: progress{a: a}}
	over := make(chan error, 1)
	go func() {
		o := weft.RunManyOptions{Limit: c.Jobs, AsCompleted: c.AsCompleted, Submitted: b.submitted}
		over <- p.RunMany(in.first, specs, o, b.ended)
	}()
	select {
	case err = <-over:
	case <-in.second.Done():
		a.note("interrupted: the tasks are being stopped")
		return exitCode(exitInterrupted)
	}
	b.line.clear()
	if err == nil && b.failed > 0 {
		if !a.JSON {
			a.note("%d of %s did not complete", b.failed, plural(b.total, "task"))
		}
		return exitCode(exitError)
	}
	return err
}

// peekFirst returns the same specs, and how to say why the first of them would be
// refused in a project that has nothing in it yet.
func peekFirst(all iter.Seq2[*taskspec.Spec, error]) (specs iter.Seq2[*taskspec.Spec, error], check func() error) {
	next, stop := iter.Pull2(all)
	first, err, ok := (*taskspec.Spec)(nil), error(nil), false
	check = func() error {
		if first, err, ok = next(); ok && err == nil {
			return weft.Check(first)
		}
		return err
	}
	specs = func(yield func(*taskspec.Spec, error) bool) {
		defer stop()
		if !ok {
			first, err, ok = next()
		}
		for ; ok && yield(first, err); first, err, ok = next() {
		}
	}
	return specs, check
}

// specs are the tasks that the lines of r ask for.
func (c *batchCmd) specs(r io.Reader) iter.Seq2[*taskspec.Spec, error] {
	return func(yield func(*taskspec.Spec, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, broker.MaxMessageBytes)
		if c.Null {
			lines.Split(splitNull)
		}
		n := 0
		for lines.Scan() {
			n++
			if lines.Text() == "" {
				continue
			}
			spec, err := c.spec(lines.Text())
			if err != nil {
				yield(nil, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(spec, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("line %d: %w", n+1, err))
		}
	}
}

// splitNull splits input into what ends with a NUL byte.
func splitNull(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// spec is the task that a line asks for.
func (c *batchCmd) spec(line string) (*taskspec.Spec, error) {
	var spec *taskspec.Spec
	if c.JSONL {
		var err error
		if spec, err = weft.ParseSpec(strings.NewReader(line)); err != nil {
			return nil, err
		}
	} else {
		words := make([]string, len(c.Command))
		found := false
		for i, word := range c.Command {
			found = found || strings.Contains(word, "{}")
			words[i] = strings.ReplaceAll(word, "{}", line)
		}
		if !found {
			words = append(words, line)
		}
		spec = weft.Command(words[0], words[1:]...)
	}
	return spec, c.overlay(spec)
}

// batch is what is known of the tasks of a batch.
type batch struct {
	a      *app
	total  int // submitted
	over   int
	failed int
	line   progress
}

func (b *batch) submitted(total int) {
	b.total = total
	b.show()
}

// ended prints what a task has written, and reports whether that was all: as
// JSON, a large output is only described.
func (b *batch) ended(t *weft.Task, s *weft.TaskStatus) (whole bool, err error) {
	b.line.clear()
	b.over++
	if s.Status != taskspec.StatusCompleted {
		b.failed++
	}
	ctx := context.Background()
	if b.a.JSON {
		var r *weft.Result
		r, err = b.a.printResult(ctx, t)
		whole = err == nil && r.Large == nil
	} else {
		_, err = t.OutputSoFar(ctx, b.a.stdout, b.a.stderr)
		whole = err == nil
	}
	switch {
	case errors.Is(err, weft.ErrResultConsumed): // by another process
		err = nil
		if b.a.JSON {
			err = b.a.printJSON(weft.Result{TaskStatus: *s})
		}
	case err != nil:
		return false, err
	}
	if reason := s.Err(); reason != nil && !b.a.JSON {
		b.a.note("%v", reason)
	}
	b.show()
	return whole, err
}

func (b *batch) show() {
	text := fmt.Sprintf("%d of %s", b.over, plural(b.total, "task"))
	if b.failed > 0 {
		text += fmt.Sprintf(", %d failed", b.failed)
	}
	b.line.show(text)
}

// progress is a line at a terminal that is written over.
type progress struct {
	a     *app
	shown bool
}

// show shows text, where a person reads standard error.
func (p *progress) show(text string) {
	if p.a.JSON || !isTerminal(p.a.stderr) {
		return
	}
	p.shown = true
	fmt.Fprintf(p.a.stderr, "\r\x1b[K%s", text)
}

// clear makes room for other lines.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
		p.shown = false
	}
}
