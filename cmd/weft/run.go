package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"weft"
	"weft/taskspec"
)

type runCmd struct {
	Command []string `arg:"" optional:"" help:"The command and its arguments: the first word that is not an option, and all the rest."`

	Spec      *string  `placeholder:"NAME|PATH" complete:"spec,file" help:"Run this stored spec, or this file; options lie over it, and the words after them are appended to its arguments."`
	Function  *string  `placeholder:"NAME" complete:"function" help:"Call this function instead of a command: see weft function list."`
	Arg       []string `sep:"none" empty:"" placeholder:"VALUE" complete:"-" help:"An argument of the function, as JSON or text; may be repeated."`
	KW        []string `name:"kw" sep:"none" placeholder:"NAME=VALUE" complete:"-" help:"A named argument of the function; may be repeated."`
	Pipeline  *string  `placeholder:"NAME|PATH" complete:"pipeline,file" help:"Run this stored pipeline, or this file, instead of a command."`
	Input     *string  `empty:"" placeholder:"VALUE" complete:"-" help:"What the first stage of the pipeline works on, as JSON or text, instead of standard input."`
	Inline    bool     `help:"Call the function inside the program that serves the project, instead of in a process of its own."`
	Wait      bool     `negatable:"" default:"true" help:"Wait for the end and show the output (default); with --no-wait print the task's id."`
	Key       string   `complete:"-" help:"Run this once: while a task is known that was run with this key, it is shown instead, whether it has ended or not."`
	NoStdin   bool     `help:"Give the task no input."`
	Verbose   bool     `help:"Say on standard error what happens to the task."`
	ExitCode  bool     `help:"Exit as the task did."`
	KeepGoing bool     `help:"Let the task go on when nobody reads its output any more, as after | head."`
	autostartOption

	StreamOutput bool `help:"Also put the output into the task's outbox, as messages, while it is produced."`

	workOptions

	Interactive bool `short:"i" help:"Talk with the task: on a terminal like --tty, else lines of standard input go to it as they come."`
	TTY         bool `name:"tty" help:"Give the task a terminal, and connect this one to it; see also weft attach."`
	detachOption

	Continuous bool `xor:"items" help:"Take item after item from the inbox until stopped: see below."`
	Once       bool `xor:"items" help:"Work once, though the spec says persistent."`

	onTerminal bool // a person sees the output and has a keyboard
}

// Run submits the task and, unless flags say otherwise, shows it to its end.
func (r *runCmd) Run(a *app) error { return r.explain(r.run(a)) }

func (r *runCmd) run(a *app) error {
	if r.Pipeline != nil || r.Input != nil {
		return r.runPipeline(a)
	}
	spec, p, err := r.template(a)
	if err != nil {
		return err
	}
	r.onTerminal = isTerminal(a.stdin) && a.stdout.terminal && !a.JSON
	if err := r.overlay(spec); err != nil {
		return err
	}
	if r.Wait && a.JSON && spec.TTY {
		return usageError{"a terminal is for a person: --json does not go with it, but for --no-wait"}
	}
	d, err := newDetacher(r.DetachKeys)
	if err == nil {
		err = r.ready(a)
	}
	if err != nil {
		return err
	}
	if p == nil {
		p, err = a.openOrCreate(func() error { return weft.Check(spec) }, r.Autostart)
	}
	if err != nil {
		return err
	}
	in := interruptible()
	t, err := p.SubmitContext(in.first, spec, r.surroundings(a, in, p, spec))
	if t == nil || err != nil && !in.interrupted() {
		return err // it may be accepted, but no process runs it: then the error says so
	}
	return r.await(a, in, p, t, spec, d)
}

// ready makes sure that the output can be shown, before anything is done.
func (r *runCmd) ready(a *app) error {
	if !r.Wait {
		return nil
	}
	a.delivers = true
	return a.canDeliver()
}

// onlyInput refuses a standard input beside --input: one of the two would be dropped.
// An empty one is none.
func (r *runCmd) onlyInput(a *app, in *interrupts) error {
	stdin := input(a.stdin)
	if stdin == nil || r.NoStdin {
		return nil
	}
	n, err := io.ReadFull(cancellable(in.first, stdin), make([]byte, 1))
	switch {
	case n > 0:
		return usageError{"--input and standard input are two inputs: leave one out, or give --no-stdin"}
	case err != io.EOF:
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// await shows what was submitted to its end, unless told otherwise.
func (r *runCmd) await(a *app, in *interrupts, p *weft.Project, t *weft.Task, spec *taskspec.Spec, d *detacher) error {
	if !r.Wait {
		return a.printTID(t)
	}
	if err := a.noteTrust(p); err != nil {
		return err
	}
	if !t.IsNew() {
		if s, err := a.tellEarlier(t); err != nil || s != nil && !spec.Persistent {
			return cmp.Or(err, a.printEarlier(in.first, p, t, s, r.ExitCode))
		}
	} else if r.Verbose {
		a.note("task %s submitted", t.TID())
	}
	told := func(bool) {}
	if r.Verbose {
		told = a.tellRetries(in.leave, t)
	}
	defer a.tellWhy(p, t, r.Verbose)()
	s, err := r.show(a, in, t, spec, d)
	told(s != nil && s.Status.Terminal())
	if s == nil && err == nil {
		return nil // the person has left it
	}
	if s != nil && !t.IsNew() && errors.Is(err, weft.ErrResultConsumed) {
		err = nil // by another command that waited for it
	}
	switch {
	case err == nil:
	case r.ExitCode && a.stdout.closed() && s != nil && s.ReturnCode != nil:
		return exitCode(*s.ReturnCode) // and nobody reads why
	case in.interrupted():
		return fmt.Errorf("%w: %w", in.cause(), err)
	default:
		return err
	}
	if spec.Type == taskspec.KindFunction && !spec.Persistent && s.Status == taskspec.StatusCompleted && a.stdout.terminal && !a.JSON {
		a.stdout.Printf("\n") // a value does not end its line, and a prompt would follow
	}
	if r.Verbose {
		a.note("task %s %s in %s%s", t.TID(), s.Status, short(s.Elapsed(s.Completed)), inBrackets(" (attempt ", attemptsText(s, s.Completed)))
	}
	interrupted := in.interrupted() && !r.ExitCode
	if spec.Talks() { // the first Ctrl-C was the task's, if it had begun
		interrupted = interrupted && (in.stop.Err() != nil || s.Status == taskspec.StatusCancelled)
	}
	if interrupted {
		return fmt.Errorf("%w: task %s %s", in.cause(), taskspec.ShortTID(t.TID()), s.Status)
	}
	return a.ended(s, r.ExitCode)
}

// surroundings are the input and the environment that the task is submitted
// with. A task that talks is sent what standard input holds when it is there.
func (r *runCmd) surroundings(a *app, in *interrupts, p *weft.Project, spec *taskspec.Spec) weft.SubmitOptions {
	if r.Wait && spec.TTY {
		return weft.SubmitOptions{Env: a.terminalEnv(p)}
	}
	stdin := input(a.stdin)
	if stdin == nil || r.NoStdin || r.Wait && spec.Interactive {
		return weft.SubmitOptions{}
	}
	return weft.SubmitOptions{Stdin: cancellable(in.first, a.tellStdin(stdin, r.Verbose))}
}

// show shows the task to its end, and says how it ended. It returns neither a
// status nor an error if the person has left the task.
func (r *runCmd) show(a *app, in *interrupts, t *weft.Task, spec *taskspec.Spec, d *detacher) (*weft.TaskStatus, error) {
	stdin := a.stdin
	if r.NoStdin {
		stdin = nil
	}
	switch {
	case spec.TTY:
		return a.talk(in, t, d, stdin)
	case spec.Interactive:
		if stdin == nil {
			return a.feed(in, t, nil, r.KeepGoing)
		}
		return a.feed(in, t, stdin, r.KeepGoing)
	case spec.Persistent:
		return a.followItems(in, t)
	default:
		return a.follow(in, t, a.stdout, r.KeepGoing)
	}
}

// template is the task before the options are laid over it. To look for a spec
// opens the project, if there is one.
func (r *runCmd) template(a *app) (*taskspec.Spec, *weft.Project, error) {
	if r.Function != nil || len(r.Arg)+len(r.KW) > 0 || r.Inline {
		spec, err := r.call()
		return spec, nil, err
	}
	switch {
	case r.Spec != nil:
	case len(r.Command) == 0:
		return nil, nil, usageError{"no command given: weft run [options] COMMAND [args]"}
	case r.Command[0] == "":
		return nil, nil, usageError{"the command is an empty word: weft run [options] COMMAND [args]"}
	default:
		return weft.Command(r.Command[0], r.Command[1:]...), nil, nil
	}
	var stored weft.SpecFolder
	p, err := a.open(r.Autostart)
	switch {
	case err == nil:
		stored = p.Specs()
	case !errors.Is(err, weft.ErrNoProject):
		return nil, nil, err
	default:
		stored = weft.SpecFolder(a.pipelines())
	}
	spec, err := stored.Find(*r.Spec)
	if errors.Is(err, weft.ErrNoSpec) && p != nil {
		if _, other := p.Pipelines().Find(*r.Spec); other == nil {
			err = usageError{fmt.Sprintf("%s is a pipeline: weft run --pipeline %[1]s", *r.Spec)}
		}
	}
	if err != nil {
		return nil, nil, err
	}
	for _, arg := range r.Command {
		spec.Args = append(spec.Args, arg)
	}
	return spec, p, nil
}

// overlay changes the task as the options say. What they do not say stays.
func (r *runCmd) overlay(spec *taskspec.Spec) error {
	w := &spec.Work
	w.Interactive = w.Interactive || r.Interactive
	w.TTY = w.TTY || r.TTY || w.Interactive && r.onTerminal
	w.StreamOutput = w.StreamOutput || r.StreamOutput
	w.Persistent = (w.Persistent || r.Continuous) && !r.Once
	w.Key = cmp.Or(r.Key, w.Key)
	return r.workOptions.overlay(spec)
}

// cancellable reads r until ctx ends. A pipe of which no process closes the other
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
		status := taskspec.StatusCreated
		if !t.IsNew() {
			s, err := t.Status(context.Background())
			if err != nil {
				return err
			}
			status = s.Status
		}
		return a.printJSON(object("status", status, "tid", t.TID()))
	}
	a.stdout.Printf("%s\n", t.TID())
	return nil
}
