package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"weft"
	"weft/taskspec"
)

type runCmd struct {
	Command []string `arg:"" optional:"" help:"The command and its arguments: the first word that is not an option, and all the rest."`

	Wait      bool      `negatable:"" default:"true" help:"Wait for the end and show the output (default); with --no-wait print the task's id."`
	Timeout   *duration `placeholder:"TIME" help:"Stop the work when it has taken so long: 30, 1.5, 2m."`
	StopGrace *duration `placeholder:"TIME" help:"Time between SIGTERM and SIGKILL (default: 5)."`
	Memory    *float64  `placeholder:"MB" help:"Kill the task when its processes use more memory together, in MiB."`
	CPU       *float64  `name:"cpu" placeholder:"PERCENT" help:"End the task when it uses more of a core, in four seconds of five."`
	Env       []string  `sep:"none" placeholder:"NAME=VALUE" help:"Set a variable of the environment; may be repeated."`
	Name      string    `help:"Name the task (default: the command's)."`
	Tag       []string  `sep:"none" help:"Tag the task; may be repeated."`
	NoStdin   bool      `help:"Give the task no input."`
	Verbose   bool      `help:"Say on standard error what happens to the task."`
	ExitCode  bool      `help:"Exit as the task did."`

	// The library refuses what it does not do yet, by its name.
	Interactive  bool `hidden:"" short:"i" help:"Send lines to the task while it runs."`
	TTY          bool `hidden:"" name:"tty" help:"Give the task a terminal."`
	StreamOutput bool `hidden:"" help:"Put the output into the outbox while it is produced."`
	Continuous   bool `hidden:"" help:"Take item after item until stopped."`
}

// Help shows how it is used.
func (runCmd) Help() string {
	return `The task runs in this directory with this environment, and goes on if this
process is killed. Ctrl-C stops it. A pipe or a file on standard input is read to
its end, however long that takes, and becomes the input of the task; --no-stdin
leaves it alone.

The exit code is 0 if the task completed, 1 if it failed, 124 if it timed out,
130 after Ctrl-C; with --exit-code it is the task's own. An output that is very
large, or that could not be written, can be had again with weft result.

Examples:

    weft run echo hello
    weft run --timeout 2m make test
    weft run --memory 500 --cpu 150 ./convert.sh
    weft run sh -c 'echo out; echo err >&2; exit 3'
    weft run --no-wait ./backup.sh
    weft run sort < names.txt
`
}

// Run submits the task and, unless told otherwise, shows it to its end.
func (r *runCmd) Run(a *app) error {
	if len(r.Command) == 0 {
		return usageError{"no command given: weft run [options] COMMAND [args]"}
	}
	spec, err := r.spec()
	if err != nil {
		return err
	}
	p, err := a.openOrCreate()
	if err != nil {
		return err
	}
	in := interruptible()
	survivePipe()
	var opts []weft.SubmitOption
	if stdin := input(a.stdin); stdin != nil && !r.NoStdin {
		opts = append(opts, weft.WithStdin(cancellable(in.first, stdin)))
	}
	t, err := p.SubmitContext(in.first, spec, opts...)
	switch {
	case t == nil:
		return err
	case err != nil && !in.interrupted():
		return err // accepted, but nobody runs it: the error says so
	case !r.Wait:
		return a.printTID(t)
	}
	if r.Verbose {
		a.note("task %s submitted", t.TID())
	}
	s, err := a.follow(in, t)
	if err != nil && in.interrupted() {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	if err != nil {
		return err
	}
	if r.Verbose {
		a.note("task %s %s in %s", t.TID(), s.Status, short(elapsed(s)))
	}
	if in.interrupted() {
		return fmt.Errorf("%w: task %s %s", errInterrupted, taskspec.ShortTID(t.TID()), s.Status)
	}
	return a.ended(s, r.ExitCode)
}

// spec is the task that the options describe.
func (r *runCmd) spec() (*taskspec.Spec, error) {
	spec := weft.Command(r.Command[0], r.Command[1:]...)
	if r.Name != "" {
		spec.Name = r.Name
	}
	if len(r.Tag) > 0 {
		spec.Metadata = map[string]any{"tags": r.Tag}
	}
	w := &spec.Spec
	w.Timeout, w.StopGrace = r.Timeout.seconds(), r.StopGrace.seconds()
	w.Limits.MemoryMB, w.Limits.CPUPercent = r.Memory, r.CPU
	w.Interactive, w.TTY = r.Interactive, r.TTY
	w.StreamOutput, w.Persistent = r.StreamOutput, r.Continuous
	for _, entry := range r.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Sprintf("--env %s: want NAME=VALUE", entry)}
		}
		if w.Env == nil {
			w.Env = make(map[string]string)
		}
		w.Env[name] = value
	}
	return spec, nil
}

// seconds is the duration as a spec has it, nil where there is none.
func (d *duration) seconds() *float64 {
	if d == nil {
		return nil
	}
	return new(time.Duration(*d).Seconds())
}

// cancellable reads r until ctx ends. A pipe of which nobody closes the other
// end must not keep a person from leaving.
func cancellable(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(context.Cause(ctx)) })
	return out
}

// printTID prints the id of a task that is not waited for.
func (a *app) printTID(t *weft.Task) error {
	if a.JSON {
		return a.printJSON(map[string]string{"tid": t.TID(), "status": string(taskspec.StatusCreated)})
	}
	a.stdout.Printf("%s\n", t.TID())
	return nil
}
