package runner

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/role"
	"weft/monitor"
	"weft/taskspec"
)

// treeDeadline bounds the wait for the end of a task's processes before its end is recorded
// all the same. No process can ignore SIGKILL, so what is left after this time hangs in the
// kernel.
const treeDeadline = 10 * time.Second

// pipeDeadline bounds the wait for output after every process of the task is dead. What
// they wrote is in the pipe already; a process that still holds it open does not belong to
// the task.
const pipeDeadline = 100 * time.Millisecond

// taskEvents connect a running task with its surroundings.
type taskEvents struct {
	requests <-chan Request  // to end it
	holds    <-chan bool     // to pause it, or resume it
	lost     <-chan struct{} // closed when the manager is gone
	started  func(proc.Identity)
	paused   func(bool) // it has been paused, or resumed
	used     func(context.Context, ledger.Usage)
	chunks   func(*ledger.Chunks) error                        // records output, if the task is to stream it
	inbox    func(ctx context.Context, take func(body string)) // passes on the messages in its inbox until ctx ends
}

// execute runs one command, or one function, which begin starts, until it has ended, and
// returns its hand-off.
func execute(a *Assignment, begin func() (*command, *taskspec.Outcome), notify func(), ev taskEvents) (*ledger.HandOff, *outputs) {
	h := &ledger.HandOff{TID: a.TID, Epoch: a.Epoch, Seq: 1}
	abandon := make(chan struct{})
	out := newOutputs(a, notify, ev.chunks, abandon)
	c, failed := begin()
	if failed != nil {
		out.close()
		h.Outcome, h.Ended = *failed, time.Now()
		out.describe(h, a)
		return h, out
	}

	var stdout io.Reader = c.stdout
	if c.terminal != nil {
		stdout = out.open(c.terminal)
		notify() // clients may attach
	}
	if c.stdin != nil {
		out.stdout.immediate, out.stderr.immediate = true, true // a client waits for an answer
		c.stdin.start(ev.inbox)
	}
	if c.terminal != nil {
		out.writers.Go(func() { out.stdout.drain(stdout) })
		out.writers.Go(func() { out.stderr.drain(c.stderr) })
	} else {
		out.drainPipes(c.stdout, c.stderr)
	}
	exit := make(chan struct{})
	go func() {
		_ = c.cmd.Wait() // ProcessState tells
		close(exit)
	}()

	g := newLimitWatch(a, c, ev.used)
	e := supervise(a, c, out, exit, g, ev)
	peak := g.close()
	killDescendants()
	drainOutput(c, out, e, ev.requests, abandon)
	out.close()
	if c.terminal != nil {
		c.terminal.end()
	}
	if c.stdin != nil {
		c.stdin.stop()
	}

	h.Process.PID = c.cmd.Process.Pid
	h.Usage, h.Narrowed = usage(c, peak), c.narrowed
	if c.group != nil {
		if c.group.OutOfMemory() {
			e = e.outOfMemory(*a.Limits.MemoryMB, c.group.PeakMB())
		}
		// A process that hangs in the kernel keeps the group; then it stays.
		_ = c.group.Remove()
	}
	if c.worker != nil {
		e = applyAnswer(c.worker, e, out)
	}
	h.Outcome = e.outcome(c.exited(string(out.stderr.tail)))
	h.Ended = time.Now()
	out.describe(h, a)
	return h, out
}

// supervise waits for the command's own process, and ends it if it has to. g reports a
// limit that it exceeds.
func supervise(a *Assignment, c *command, out *outputs, exit <-chan struct{}, g *limitWatch, ev taskEvents) ending {
	e := ending{timeout: a.Timeout, grace: a.Grace}
	var overtime, graceOver <-chan time.Time
	if a.Timeout > 0 {
		timer := time.NewTimer(a.Timeout)
		defer timer.Stop()
		overtime = timer.C
	}
	long := time.NewTimer(liveAfter)
	defer long.Stop()
	died := make(chan os.Signal, 1)
	defer signal.Stop(died)
	paused := false
	var interrupt <-chan struct{}
	if c.stdin != nil {
		interrupt = c.stdin.interrupt
	}
	holds := ev.holds
	for {
		act := nothing
		if e.cause != byItself {
			holds = nil // a task that is being ended is not paused; a persistent one may still be, before its next item
		}
		select {
		case <-exit:
			return e
		case <-long.C:
			out.live()
			signal.Notify(died, syscall.SIGCHLD) // a short task's zombies are reaped at its end
			g.Reap()
			if id, err := proc.Of(c.cmd.Process.Pid); err == nil {
				ev.started(id)
			}
		case <-overtime:
			e, act = e.overtime(time.Now())
		case <-graceOver:
			e, act = e.graceOver()
		case <-died:
			g.Reap()
		case v := <-g.broken:
			select {
			case <-exit: // select may pick either of two that are ready
				return e
			default:
				e, act = e.limit(v, time.Now())
			}
		case r := <-ev.requests:
			e, act = e.request(r, time.Now())
		case <-interrupt:
			_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGINT)
		case hold := <-holds:
			if hold != paused {
				paused = hold
				pause(hold)
				ev.paused(hold)
			}
		case <-ev.lost:
			ev.lost = nil
			if a.StopOnLoss {
				e, act = e.request(RequestStop, time.Now())
			}
		}
		switch act {
		case terminate:
			c.terminate(e.reason())
			if paused {
				pause(false) // else the process could not handle SIGTERM
			}
			timer := time.NewTimer(time.Until(e.killAt))
			defer timer.Stop()
			graceOver = timer.C
		case kill:
			killDescendants(c.cmd.Process.Pid)
		}
	}
}

// pauseDeadline bounds the wait until all processes are stopped. One that hangs in the
// kernel stops as soon as it returns from there.
const pauseDeadline = time.Second

// pause stops every process that descends from this one, or continues it.
func pause(hold bool) {
	tree := descendants()
	if !hold {
		_ = tree.Signal(syscall.SIGCONT)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), pauseDeadline)
	defer cancel()
	_ = tree.Stop(ctx)
}

// killDescendants kills every process that descends from this one. This process is a
// subreaper, the parent of all whose own parent has died, so no process has left the tree.
// It reaps the dead processes, but for except, which other goroutines wait for.
func killDescendants(except ...int) {
	if any, err := monitor.HasChildren(); err == nil && !any {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), treeDeadline)
	defer cancel()
	// An error names processes that hang in the kernel; the task has ended.
	_, _ = descendants().Kill(ctx)
	monitor.Reap(except...)
}

// descendants is every process that descends from this one, but for managers: a task that
// submits a task may have started one, which works for the whole project and must not end
// with the task.
func descendants() monitor.Tree {
	return monitor.Tree{Root: os.Getpid(), Foreign: []string{role.Entry(role.Manager)}}
}

// drainOutput waits until the output of the dead tree has been read. Another process may
// hold the pipes open: once they are empty and nothing has arrived for pipeDeadline,
// nothing will. It gives up output that a full disk blocks if a user has asked for the end
// of the task, or does so now.
func drainOutput(c *command, out *outputs, e ending, requests <-chan Request, abandon chan<- struct{}) {
	if c.terminal != nil {
		c.terminal.hangUp()
	}
	if e.requested() {
		close(abandon)
		requests = nil
	}
	drained := make(chan struct{})
	go func() {
		out.writers.Wait()
		close(drained)
	}()
	idle := time.NewTicker(pipeDeadline)
	defer idle.Stop()
	for {
		select {
		case <-drained:
			c.stdout.Close()
			c.stderr.Close()
			return
		case <-requests:
			close(abandon)
			requests = nil
		case <-idle.C:
			if out.idle() && !unread(c.stdout) && !unread(c.stderr) {
				past := time.Now()
				_ = c.stdout.SetReadDeadline(past)
				_ = c.stderr.SetReadDeadline(past)
			}
		}
	}
}

// unread reports whether a pipe or a socket holds data that has not been read yet.
func unread(f *os.File) bool {
	c, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	_ = c.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n > 0
}

// outputs are the two streams of a task.
type outputs struct {
	stdout, stderr *output
	writers        sync.WaitGroup // for goroutines that may wait for a full disk
	sender         *sender        // nil: the task does not stream
	kept           []*output      // those that stay in their files
	terminal       *terminal      // its clients read stdout; nil if there is none
}

func newOutputs(a *Assignment, notify func(), record func(*ledger.Chunks) error, abandon <-chan struct{}) *outputs {
	out := new(outputs)
	if a.StreamOutput {
		follow := notify
		notify = func() { follow(); out.sender.wake() }
	}
	out.stdout = newOutput(a.outputFile(ledger.Stdout), notify, abandon)
	out.stderr = newOutput(a.outputFile(ledger.Stderr), notify, abandon)
	if a.StreamOutput {
		out.sender = newSender(a, out.stdout, out.stderr, record)
		out.sender.start()
	}
	return out
}

// live makes both visible to followers, without waiting for a full disk.
func (o *outputs) live() {
	o.writers.Go(o.stdout.live)
	o.writers.Go(o.stderr.live)
}

// open lets clients of a terminal read stdout from now on, and returns the reader of the
// command's output. A person follows it, so output is written at once.
func (o *outputs) open(t *terminal) io.Reader {
	o.terminal, o.stdout.immediate = t, true
	return t.serve(o.stdout)
}

func (o *outputs) close() {
	o.stdout.close()
	o.stderr.close()
}

// describe completes the hand-off, once the outputs are closed. It first waits for the
// chunks to be sent.
func (o *outputs) describe(h *ledger.HandOff, a *Assignment) {
	if o.sender != nil {
		h.Seq += o.sender.finish()
	}
	if a.Item != nil {
		o.kept = itemResult(h, o.stdout, o.stderr, a)
		return
	}
	limit := a.OutputLimit
	if a.ForNextStage { // it becomes part of another request, whose text has escapes
		limit = min(limit, ledger.InlineInput, int64(a.MaxMessage)/16)
	}
	o.kept = result(h, o.stdout, o.stderr, limit, a.MaxMessage, a.ForNextStage)
}

// idle reports whether nothing has arrived since its last call.
func (o *outputs) idle() bool {
	quiet := o.stdout.idle()
	return o.stderr.idle() && quiet
}

// discard removes the files whose content is in the hand-off.
func (o *outputs) discard() {
	if o.terminal != nil {
		o.terminal.wait()
	}
	for _, s := range []*output{o.stdout, o.stderr} {
		if s == nil || s.file == nil {
			continue
		}
		s.file.Close()
		if len(o.kept) == 0 || (o.kept[0] != s && o.kept[len(o.kept)-1] != s) {
			s.discard()
		}
	}
}
