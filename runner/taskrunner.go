package runner

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"os"
	"time"

	"weft/internal/attempt"
	"weft/monitor"
	"weft/taskspec"
)

// A TaskRunner runs a command until it, and everything that it has started, is gone. It
// needs no manager and no store; consumers run commands with the same code. Only Args is
// required.
type TaskRunner struct {
	Args  []string  // the program, looked up in the PATH of Env, and its arguments
	Dir   string    // empty means that of this process
	Env   []string  // nil means that of this process
	Stdin io.Reader // nil: empty; it may still be read when Run has returned
	// Stdout and Stderr take the output while the command produces it, and must not be the
	// same. One that is nil is kept in memory: see [Result].
	Stdout, Stderr io.Writer

	// Timeout ends the command; 0 means none. It then gets a SIGTERM, and after the grace
	// period everything is killed; a Grace of 0 kills at once.
	Timeout, Grace time.Duration
	// Limits bound what the command and everything that it has started use together. Polling
	// is the interval of the samples by which CPU time is judged; 0 means a second. Report,
	// if it is set, is called at that interval.
	Limits  taskspec.Limits
	Polling time.Duration
	Report  func(s monitor.Sample, cpuPercent float64)
}

// A Result is how a command has ended.
type Result struct {
	Outcome        taskspec.Outcome
	Stdout, Stderr []byte       // what no writer was set for
	Peak           monitor.Peak // what it has used in total and at its peak
}

// Run runs the command. The end of ctx ends it as its timeout does, with the outcome of a
// task that was stopped. A process that has left the command's process group is found by an
// entry in its environment.
func (r TaskRunner) Run(ctx context.Context) Result {
	var out, errs bytes.Buffer
	a := &attempt.Attempt{
		Args: r.Args, Dir: cmp.Or(r.Dir, "."), Env: r.Env, Stdout: r.Stdout, Stderr: r.Stderr,
		Timeout: r.Timeout, Grace: r.Grace, Limits: r.Limits, Polling: r.Polling, Group: rand.Text(), Stop: ctx.Done(),
	}
	if a.Env == nil {
		a.Env = os.Environ()
	}
	if a.Stdout == nil {
		a.Stdout = &out
	}
	if a.Stderr == nil {
		a.Stderr = &errs
	}
	if r.Report != nil {
		a.Report = func(_ context.Context, s monitor.Sample, cpuPercent float64, _ monitor.Peak) { r.Report(s, cpuPercent) }
	}
	switch stdin := r.Stdin.(type) {
	case nil:
	case *os.File:
		a.Stdin = stdin
	default:
		read, write, err := os.Pipe()
		if err != nil {
			return Result{Outcome: taskspec.NotStarted(false, "standard input: "+err.Error())}
		}
		a.Stdin = read
		defer read.Close()
		go func() {
			_, _ = io.Copy(write, stdin) // the command may read less
			write.Close()
		}()
	}
	if failed := a.Start(); failed != nil {
		return Result{Outcome: *failed}
	}
	res := a.Wait()
	return Result{res.Outcome, out.Bytes(), errs.Bytes(), res.Peak}
}
