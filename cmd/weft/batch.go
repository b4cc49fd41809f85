package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

type batchCmd struct {
	Command []string `arg:"" optional:"" help:"The command and its arguments: the first word that is not an option, and all the rest. {} in it stands for the line; without {} the line is the last argument."`

	Jobs        int  `short:"j" placeholder:"N" help:"Run at most so many of the tasks at once (default: as many as the manager has slots)."`
	Null        bool `short:"0" help:"Lines end with a NUL byte."`
	JSONL       bool `name:"jsonl" help:"Each line is the description of a task, in JSON, and there is no command."`
	Strict      bool `help:"Read all lines first, and run nothing if one of them is no task."`
	AsCompleted bool `help:"Print results in the order in which the tasks end, instead of that of the lines."`
	Wait        bool `negatable:"" default:"true" help:"Wait for the end and show the output (default); with --no-wait print the id of the batch and the number of its tasks."`
	workOptions
}

// Run runs a task for each line.
func (c *batchCmd) Run(a *app) error {
	switch {
	case c.JSONL == (len(c.Command) > 0), len(c.Command) > 0 && c.Command[0] == "":
		return usageError{"give a command, or --jsonl: weft batch [options] COMMAND [args]"}
	case c.Jobs < 0 || c.Jobs > taskspec.MaxConcurrency:
		return usageError{fmt.Sprintf("--jobs %d: give a number from 1 to %d", c.Jobs, taskspec.MaxConcurrency)}
	case c.Jobs > 0 && c.Concurrency != "":
		return usageError{"--jobs and --concurrency are two limits: leave one out"}
	case isTerminal(a.stdin):
		return usageError{"weft batch reads lines from standard input, which is a terminal"}
	}
	if c.Wait {
		if err := a.canDeliver(); err != nil {
			return err
		}
		a.delivers = true
	}
	if err := c.overlay(weft.Command("true")); err != nil {
		return err // of the options, not of a line
	}
	lines := c.specs(a.stdin)
	var err error
	if c.Strict {
		if lines, err = readAll(lines); err != nil {
			return err
		}
	}
	lines, checkFirst := peekFirst(lines)
	p, err := a.openOrCreate(checkFirst, nil)
	if err != nil {
		return err
	}
	return c.run(a, p, lines)
}

// run runs the tasks in a project.
func (c *batchCmd) run(a *app, p *weft.Project, specs iter.Seq2[*taskspec.Spec, error]) error {
	in := interruptible()
	ending, end := context.WithCancelCause(context.Background())
	defer end(nil)
	context.AfterFunc(in.interrupt, func() { end(context.Cause(in.interrupt)) })
	context.AfterFunc(in.stop, func() { end(context.Cause(in.stop)) })
	b := batch{a: a, id: weft.NewBatchID(), line: progress{a: a}}
	o := weft.RunManyOptions{Batch: b.id, Limit: c.Jobs, AsCompleted: c.AsCompleted, Submitted: b.submitted, Refused: b.refuse}
	ended := b.ended
	if !c.Wait {
		ended = nil
	}
	over := make(chan error, 1)
	go func() { over <- p.RunMany(ending, specs, o, ended) }()
	var err error
	select {
	case err = <-over:
	case <-in.leave.Done():
		does := "go on"
		if ending.Err() != nil {
			does = "are being stopped"
		}
		a.note("%v: the tasks %s", in.cause(), does)
		return exitOf(in.cause())
	}
	b.line.clear()
	if err != nil {
		return err
	}
	if !c.Wait {
		if err := a.emit(object("batch", b.id, "tasks", b.total), "%s %d\n", b.id, b.total); err != nil {
			return err
		}
	}
	if b.summarize(); b.failed+b.refused > 0 {
		return exitCode(exitError)
	}
	return nil
}

// readAll reads all specs, and returns an error that names each line that is none.
func readAll(specs iter.Seq2[*taskspec.Spec, error]) (iter.Seq2[*taskspec.Spec, error], error) {
	rules := taskspec.Rules{Template: true, Cores: runtime.NumCPU(), Supported: true}
	var all []*taskspec.Spec
	var errs []error
	line := 0
	for spec, err := range specs {
		line++
		if err == nil && spec != nil {
			err = spec.ValidateFor(rules)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", line, err))
		}
		all = append(all, spec)
	}
	if len(errs) > 0 {
		more := ""
		if len(errs) > 1 {
			more = fmt.Sprintf(" (and %s)", plural(len(errs)-1, "more line"))
		}
		return nil, fmt.Errorf("nothing was submitted: %w%s", errs[0], more)
	}
	return func(yield func(*taskspec.Spec, error) bool) {
		for _, spec := range all {
			if !yield(spec, nil) {
				return
			}
		}
	}, nil
}

// peekFirst returns the same specs, and how to say why nothing can be submitted in a
// project that has nothing in it yet: every line is refused, up to the first that is not.
func peekFirst(all iter.Seq2[*taskspec.Spec, error]) (specs iter.Seq2[*taskspec.Spec, error], check func() error) {
	type pair struct {
		spec *taskspec.Spec
		err  error
	}
	next, stop := iter.Pull2(all)
	var peeked []pair
	check = func() (problem error) {
		for {
			spec, err, ok := next()
			if !ok {
				return problem
			}
			peeked = append(peeked, pair{spec, err})
			if err == nil && spec != nil {
				if err = weft.Check(spec); err == nil {
					return nil
				}
			}
			if err != nil && problem == nil {
				problem = fmt.Errorf("line %d: %w", len(peeked), err)
			}
		}
	}
	specs = func(yield func(*taskspec.Spec, error) bool) {
		defer stop()
		for _, p := range peeked {
			if !yield(p.spec, p.err) {
				return
			}
		}
		for {
			if spec, err, ok := next(); !ok || !yield(spec, err) {
				return
			}
		}
	}
	return specs, check
}

// specs are the tasks that the lines of r ask for, an error for a line that is none, and
// neither for an empty line.
func (c *batchCmd) specs(r io.Reader) iter.Seq2[*taskspec.Spec, error] {
	return func(yield func(*taskspec.Spec, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, broker.MaxMessageBytes)
		if c.Null {
			lines.Split(splitNull)
		}
		for lines.Scan() {
			var spec *taskspec.Spec
			var err error
			if lines.Text() != "" {
				spec, err = c.spec(lines.Text())
			}
			if !yield(spec, err) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, fmt.Errorf("%w: what follows is not read", err))
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
	a       *app
	id      string
	total   int  // submitted
	all     bool // there are no more
	over    int
	failed  int
	refused int // lines
	line    progress
}

func (b *batch) submitted(total int, all bool) {
	b.total, b.all = total, all
	b.show()
}

// refuse says that a line is no task.
func (b *batch) refuse(line int, err error) {
	b.refused++
	b.line.clear()
	b.a.note("line %d: %v", line, err)
	b.show()
}

// summarize says at the end what did not go well, and to a person that all did.
func (b *batch) summarize() {
	var said []string
	if b.failed > 0 {
		said = append(said, fmt.Sprintf("%d of %s did not complete: weft task retry --batch %s runs them again", b.failed, plural(b.total, "task"), b.id))
	}
	if b.refused > 0 {
		said = append(said, fmt.Sprintf("%s refused", plural(b.refused, "line")))
	}
	switch {
	case len(said) > 0 && !b.a.JSON:
		b.a.note("%s", strings.Join(said, "; "))
	case len(said) == 0 && b.line.visible() && b.over > 0:
		b.a.note("%s completed", plural(b.total, "task"))
	}
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
		if s.Batch == b.id {
			reason = fmt.Errorf("line %d: %w", s.Line, reason)
		}
		b.a.note("%v", reason)
	}
	b.show()
	return whole, err
}

func (b *batch) show() {
	text := fmt.Sprintf("%d of %s", b.over, plural(b.total, "task"))
	if !b.all {
		text += " read so far"
	}
	if b.failed > 0 {
		text += fmt.Sprintf(", %d failed", b.failed)
	}
	if b.refused > 0 {
		text += fmt.Sprintf(", %s refused", plural(b.refused, "line"))
	}
	b.line.show(text)
}

// progress is a line at a terminal that is written over.
type progress struct {
	a     *app
	shown bool
}

// visible reports whether a person reads standard error.
func (p *progress) visible() bool { return !p.a.JSON && isTerminal(p.a.stderr) }

// show shows text, where a person reads standard error.
func (p *progress) show(text string) {
	if !p.visible() {
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
