package consumer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/attempt"
	"weft/internal/inherit"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/role"
	"weft/internal/title"
	"weft/taskspec"
)

// helloDeadline is how long a program may take until it calls weft.Init. A program that
// never calls it would do its own work for ever.
const helloDeadline = 30 * time.Second

// A worker is a process of the program of a function. It waits for one call, performs it
// and exits.
type worker struct {
	version string
	program string
	cmd     *exec.Cmd
	// The read ends of what it returns and of what it prints.
	stdout, stderr *os.File
	narrowed       string // what it could not inherit
	conn           *os.File
	link           *Link[WorkerReport, WorkerOrder]
	// The fields below are set before done is closed, when the worker has closed its
	// connection.
	done         chan struct{}
	ready        bool
	unresponsive bool // it was killed because it did not send a hello
	answer       *Answer
	// with are the attributes that it was started with.
	with *inherit.Attributes
}

// startWorker starts a worker of the function's program. What it prints goes to the
// standard error of its task; the value has a pipe of its own. It must be called on the
// main thread, as start.
func startWorker(f *ledger.FunctionCall, env []string, launch startFunc) (*worker, error) {
	ours, theirs, err := role.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	w := &worker{version: f.Version, program: f.Program, conn: ours, link: NewLink[WorkerReport, WorkerOrder](ours), done: make(chan struct{})}
	var value, printed *os.File
	if w.stdout, value, err = os.Pipe(); err != nil {
		ours.Close()
		return nil, err
	}
	defer value.Close()
	if w.stderr, printed, err = os.Pipe(); err != nil {
		ours.Close()
		w.stdout.Close()
		return nil, err
	}
	defer printed.Close()
	w.cmd = &exec.Cmd{
		Path:        f.Program,
		Args:        []string{"weft-function" + title.Pad()},
		Env:         append(slices.Clone(env), role.Entry(role.Function)),
		Dir:         "/",
		ExtraFiles:  []*os.File{theirs, value},
		Stdout:      printed,
		Stderr:      printed,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	if w.narrowed, err = launch(w.cmd); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// close closes the connections to a worker.
func (w *worker) close() {
	w.link.Close()
	w.stdout.Close()
	w.stderr.Close()
}

// startCall passes the task's call to a worker, the idle one if it is of the same program.
// It must be called on the main thread.
func (c *Consumer) startCall(a *ledger.Assignment, env map[string]string, onProgress func(ledger.Progress)) (*command, *taskspec.Outcome) {
	f := a.Function
	w := c.spareWorker
	c.spareWorker, c.lastWorker = nil, nil
	if w == nil {
		var err error
		if w, err = c.newWorker(a); err != nil {
			return nil, programError(f, err)
		}
	}
	c.lastWorker = w
	cmd := newCommand(a)
	cmd.worker, cmd.narrowed = w, w.narrowed
	cmd.Process, cmd.OutPipe, cmd.ErrPipe = w.cmd, w.stdout, w.stderr
	cmd.Start()
	work := &Work{
		Protocol: WorkerProtocol, TID: a.TID, Name: f.Name, Call: f.Call, Env: env, Dir: a.Dir, Timeout: a.Work.Timeout,
		Deadline: time.Now().Add(a.Work.Timeout),
	}
	if a.Work.Title() {
		work.Title = title.Format(a.Root, taskspec.ShortTID(a.TID), a.Name, string(taskspec.StatusRunning), "function")
	}
	// in the background: the worker may not be reading yet, and the call may be large
	go func() { _ = w.link.Send(WorkerOrder{Work: work}) }()
	go w.listen(onProgress)
	return cmd, nil
}

// programError returns the outcome of a task whose program could not be executed.
func programError(f *ledger.FunctionCall, err error) *taskspec.Outcome {
	if errors.Is(err, unix.ENOENT) {
		return new(taskspec.NotStarted(true, fmt.Sprintf("function %s: its program %s does not exist any more", f.Name, f.Program)))
	}
	return attempt.Refused(f.Program, err)
}

// startSpareWorker starts an idle worker for the next call of a function of the same
// program, if the last task was a call.
func (c *Consumer) startSpareWorker(a *ledger.Assignment) {
	if c.lastWorker == nil || !c.lastWorker.ready {
		return
	}
	c.onMain(func() {
		// An error only makes the next call take longer.
		c.spareWorker, _ = c.newWorker(a)
	})
}

// newWorker starts a worker for a call by the submitter of a.
func (c *Consumer) newWorker(a *ledger.Assignment) (*worker, error) {
	w, err := startWorker(a.Function, c.own, c.starter(a))
	if err == nil {
		w.with = c.envs[a.Env].attributes
	}
	return w, err
}

// stopSpareWorker stops the idle worker, unless it is alive, of the given program, and was
// started with these attributes. It returns when the process is gone: later, every child
// would count as left by a task.
func (c *Consumer) stopSpareWorker(unless *ledger.FunctionCall, with *inherit.Attributes) {
	w := c.spareWorker
	if w == nil {
		return
	}
	if unless != nil && w.version == unless.Version && inherit.Equal(w.with, with) {
		// It has not been reaped, so the pid is valid.
		if s, err := proc.Read(w.cmd.Process.Pid); err == nil && !s.Ended() {
			return
		}
	}
	c.spareWorker = nil
	w.close()
	attempt.KillDescendants(foreign(), w.cmd.Process.Pid) // and what the program has started on its own
	_ = w.cmd.Wait()
}

// listen receives what the worker reports until it closes the connection.
func (w *worker) listen(onProgress func(ledger.Progress)) {
	defer close(w.done)
	_ = w.conn.SetReadDeadline(time.Now().Add(helloDeadline))
	for {
		r, err := w.link.Receive()
		switch {
		case err != nil && !w.ready && errors.Is(err, os.ErrDeadlineExceeded):
			w.unresponsive = true
			_ = w.cmd.Process.Kill()
			return
		case err != nil:
			return
		case r.Hello != 0:
			w.ready = true
			_ = w.conn.SetReadDeadline(time.Time{})
		case r.Progress != nil:
			onProgress(*r.Progress)
		case r.Answer != nil:
			w.answer = r.Answer
		}
	}
}

// awaitEnd waits until everything has been received from a worker whose tree is dead.
func (w *worker) awaitEnd() {
	for done := false; !done; {
		select {
		case <-w.done:
			done = true
		case <-time.After(attempt.PipeDeadline):
			// Another process may hold the socket open, as with the pipes.
			done = !attempt.Unread(w.conn)
		}
	}
	w.link.Close()
	<-w.done
}

// outcome returns the outcome of the worker's call; status is that of its process.
func (w *worker) outcome(status syscall.WaitStatus, printed string) taskspec.Outcome {
	if w.answer != nil {
		return w.answer.outcome()
	}
	o := taskspec.FunctionExited(status.ExitStatus(), printed)
	if status.Signaled() {
		o = taskspec.FunctionSignaled(int(status.Signal()), unix.SignalName(status.Signal()))
	}
	if !w.ready {
		why := o.Error
		if w.unresponsive {
			why = fmt.Sprintf("it did not in %v", helloDeadline)
		}
		o = taskspec.NotStarted(false, fmt.Sprintf("%s: it did not become a worker, for which it must call weft.Init first: %s", w.program, why))
	}
	return o
}

// cancel tells the function why it is to end.
func (w *worker) cancel(why string) {
	// in the background: the worker may not be reading
	go func() { _ = w.link.Send(WorkerOrder{Cancel: why}) }()
}

// exited returns the outcome of the call, once its whole tree is dead. If the function
// returned no value, it drops a value that may have been written in part.
func (w *worker) exited(state *os.ProcessState, a *ledger.Assignment, out *outputs) taskspec.Outcome {
	w.awaitEnd()
	if w.answer == nil || w.answer.How != Returned {
		out.stdout.clear()
	}
	if w.answer != nil && w.answer.Overtime {
		return taskspec.TimedOut(a.Work.Timeout) // just before the timer of this process
	}
	return w.outcome(state.Sys().(syscall.WaitStatus), out.stderr.String())
}

// clear forgets a stream that has ended.
func (o *output) clear() {
	o.size, o.buf, o.tail = 0, nil, nil
	if o.file != nil {
		_ = o.file.Truncate(0) // what is left of it is not read
	}
}
