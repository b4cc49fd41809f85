package consumer

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/monitor"
	"weft/taskspec"
)

// taskEvents connect a running task with its surroundings.
type taskEvents struct {
	requests chan Request    // to end it
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
func execute(a *ledger.Assignment, begin func() (*command, *taskspec.Outcome), notify func(), ev taskEvents) (*ledger.HandOff, *outputs) {
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

	c.Stdout, c.Stderr = out.stdout, out.stderr
	if c.terminal != nil {
		c.Stdout = out.open(c.terminal)
		notify() // clients may attach
	}
	if c.stdin != nil {
		out.stdout.live() // a client waits for an answer
		c.stdin.start(ev)
	}
	c.Broken = out.order.over
	c.End, c.Pause, c.Paused = ev.requests, ev.holds, ev.paused
	c.Abandon = func() { close(abandon) }
	if a.Work.StopOnManagerLoss() {
		c.Stop = ev.lost
	}
	c.Running = func(pid int) {
		out.live()
		c.Go(out.writers.Wait)
		if id, err := proc.Of(pid); err == nil {
			ev.started(id)
		}
	}
	if a.Work.Reports() {
		c.Report = func(ctx context.Context, s monitor.Sample, cpuPercent float64, peak monitor.Peak) {
			u := usage(peak)
			u.MemoryMB, u.CPUPercent, u.FDs, u.Connections = s.MemoryMB, cpuPercent, s.FDs, s.Connections
			ev.used(ctx, u)
		}
	}
	if w := c.worker; w != nil {
		c.OnEnd, c.Exit = w.cancel, func(state *os.ProcessState) taskspec.Outcome { return w.exited(state, a, out) }
	}
	res := c.Wait()
	out.close()
	if c.terminal != nil {
		c.terminal.end()
	}
	if c.stdin != nil {
		c.stdin.stop()
	}
	h.Process.PID, h.Narrowed = c.PID(), c.narrowed
	h.Outcome, h.Usage, h.Ended = res.Outcome, usage(res.Peak), time.Now()
	out.describe(h, a)
	return h, out
}

// usage returns the usage that a task has had so far.
func usage(p monitor.Peak) ledger.Usage {
	return ledger.Usage{
		CPUSeconds: p.CPU.Seconds(), PeakMemoryMB: p.MemoryMB,
		PeakCPUPercent: p.CPUPercent, PeakFDs: p.FDs, PeakConnections: p.Connections,
	}
}

// outputs are the two streams of a task.
type outputs struct {
	stdout, stderr *output
	order          *order
	writers        sync.WaitGroup // for goroutines that may wait for a full disk
	sender         *sender        // nil: the task does not stream
	kept           []*output      // those that stay in their files
	terminal       *terminal      // its clients read stdout; nil if there is none
}

func newOutputs(a *ledger.Assignment, notify func(), record func(*ledger.Chunks) error, abandon <-chan struct{}) *outputs {
	out := new(outputs)
	if taskspec.Streams(a.Work) {
		follow := notify
		notify = func() { follow(); out.sender.wake() }
	}
	out.stdout = newOutput(a.OutputFile(ledger.Stdout), notify, abandon)
	out.stderr = newOutput(a.OutputFile(ledger.Stderr), notify, abandon)
	out.order = join(out.stdout, out.stderr)
	out.order.bound(a)
	if a.Item == nil {
		out.order.path = a.OutputFile(ledger.Index)
	}
	if taskspec.Streams(a.Work) {
		out.sender = newSender(a, out.stdout, out.stderr, record)
		out.sender.start()
	}
	return out
}

// live makes both visible to followers, without waiting for a full disk.
func (o *outputs) live() { o.writers.Go(o.stdout.live) }

// open lets clients of a terminal read stdout from now on, and returns the writer of the
// command's output. A person follows it, so output is written at once.
func (o *outputs) open(t *terminal) io.Writer {
	o.terminal = t
	o.stdout.live()
	t.serve(o.stdout)
	return io.MultiWriter(modeWriter{t}, o.stdout)
}

func (o *outputs) close() {
	o.stdout.close()
	o.stderr.close()
}

// describe completes the hand-off, once the outputs are closed. It first waits for the
// chunks to be sent.
func (o *outputs) describe(h *ledger.HandOff, a *ledger.Assignment) {
	if o.sender != nil {
		h.Seq += o.sender.finish()
	}
	if a.Item != nil {
		o.kept = itemResult(h, o.stdout, o.stderr, a)
		return
	}
	limit := a.Work.OutputLimit()
	if a.ForNextStage { // it becomes part of another request, whose text has escapes
		limit = min(limit, ledger.InlineInput, int64(a.MaxMessage)/16)
	}
	o.kept = result(h, o.stdout, o.stderr, limit, a.MaxMessage, a.ForNextStage)
	o.order.describe(h)
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
	o.order.discard()
}
