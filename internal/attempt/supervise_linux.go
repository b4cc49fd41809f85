package attempt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weft/monitor"
	"weft/taskspec"
)

const (
	// treeDeadline bounds the wait for the end of all processes before the end is reported
	// all the same. No process can ignore SIGKILL, so what is left after this time hangs in
	// the kernel.
	treeDeadline = 10 * time.Second
	// pauseDeadline bounds the wait until all processes are stopped. One that hangs in the
	// kernel stops as soon as it returns from there.
	pauseDeadline = time.Second
	// PipeDeadline bounds the wait for output after every process is dead. What they wrote
	// is in the pipe already; a process that still holds it open does not belong to them.
	PipeDeadline = 100 * time.Millisecond
	// shortRun is how long a process runs until it is worth more than its end.
	shortRun = 20 * time.Millisecond
)

// Wait waits until the process and everything that it has started are gone and their output
// has been written. It ends them where it has to.
func (a *Attempt) Wait() Result {
	a.readPipes()
	exit := make(chan struct{})
	go func() {
		_ = a.cmd.Wait() // ProcessState tells
		close(exit)
	}()
	limits := a.newLimitWatch()
	e := a.supervise(exit, limits)
	peak := limits.close()
	a.kill()
	a.drain(e)

	state := a.cmd.ProcessState
	// The kernel does not count the CPU time of a killed process whose parent did not wait
	// for it.
	peak.CPU = max(peak.CPU, state.UserTime()+state.SystemTime())
	if used, ok := state.SysUsage().(*syscall.Rusage); ok {
		peak.MemoryMB = max(peak.MemoryMB, float64(used.Maxrss)/1024) // Linux counts KiB
	}
	if a.group != nil {
		peak.MemoryMB = max(peak.MemoryMB, a.group.PeakMB())
		if a.group.OutOfMemory() {
			e = e.outOfMemory(*a.Limits.MemoryMB, a.group.PeakMB())
		}
		a.removeGroup()
	}
	return Result{e.Outcome(a.exited()), peak}
}

// exited returns the outcome of the process itself.
func (a *Attempt) exited() taskspec.Outcome {
	status, ok := a.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return taskspec.Lost()
	case a.Exit != nil:
		return a.Exit(a.cmd.ProcessState)
	case status.Signaled():
		return taskspec.Signaled(int(status.Signal()), unix.SignalName(status.Signal()))
	}
	text := ""
	if s, ok := a.Stderr.(fmt.Stringer); ok {
		text = s.String()
	}
	return taskspec.Exited(status.ExitStatus(), text)
}

// supervise waits for the process, and ends it if it has to.
func (a *Attempt) supervise(exit <-chan struct{}, limits *limitWatch) Ending {
	e := Ending{Timeout: a.Timeout, Grace: a.Grace}
	var overtime, graceOver <-chan time.Time
	if a.Timeout > 0 {
		timer := time.NewTimer(a.Timeout)
		defer timer.Stop()
		overtime = timer.C
	}
	long := time.NewTimer(shortRun)
	defer long.Stop()
	died := make(chan os.Signal, 1)
	defer signal.Stop(died)
	stop, pause, paused := a.Stop, a.Pause, false
	for {
		act := Nothing
		if e.cause != byItself {
			pause = nil // what is being ended is not paused; a persistent task may still be, before its next item
		}
		select {
		case <-exit:
			return e
		case <-long.C:
			if a.Subreaper {
				signal.Notify(died, syscall.SIGCHLD) // the zombies of a short run are reaped at its end
				limits.Reap()
			}
			if a.Running != nil {
				a.Running(a.PID())
			}
		case <-overtime:
			e, act = e.Overtime(time.Now())
		case <-graceOver:
			e, act = e.GraceOver()
		case <-died:
			limits.Reap()
		case v := <-limits.broken:
			select {
			case <-exit: // select may pick either of two that are ready
				return e
			default:
				e, act = e.limit(v, time.Now())
			}
		case v := <-a.Broken:
			e, act = e.limit(v, time.Now())
		case r := <-a.End:
			a.tell(r)
			e, act = e.Request(r, time.Now())
		case hold := <-pause:
			if hold != paused {
				paused = hold
				a.pause(hold)
				a.Paused(hold)
			}
		case <-stop:
			stop = nil
			e, act = e.Request(RequestStop, time.Now())
		}
		switch act {
		case Terminate:
			a.terminate(e.Reason())
			if paused {
				a.pause(false) // else the process could not handle SIGTERM
			}
			timer := time.NewTimer(time.Until(e.KillAt))
			defer timer.Stop()
			graceOver = timer.C
		case Kill:
			a.kill(a.PID())
		}
	}
}

// tell carries out a request that leaves it to the processes what becomes of them.
func (a *Attempt) tell(r Request) {
	switch {
	case r == RequestInterrupt:
		if a.OnEnd != nil {
			a.OnEnd(Interrupted)
		}
		_ = unix.Kill(-a.PID(), unix.SIGINT)
	case a.Terminal != nil: // it has one stream, and who leaves it detaches
	case r == RequestCloseStdout:
		a.stdout.Close()
	case r == RequestCloseStderr:
		a.stderr.Close()
	}
}

// terminate asks the process group to end.
func (a *Attempt) terminate(why string) {
	if a.OnEnd != nil {
		a.OnEnd(why)
	}
	// The group exists until its leader has been waited for; after that the whole tree is
	// killed anyway.
	_ = unix.Kill(-a.PID(), unix.SIGTERM)
	if a.Terminal != nil && ignores(a.PID(), unix.SIGTERM) {
		// Interactive shells ignore SIGTERM; SIGHUP ends them.
		_ = unix.Kill(-a.PID(), unix.SIGHUP)
	}
}

// ignores reports whether a process ignores a signal.
func ignores(pid int, sig syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	bits, err := strconv.ParseUint(mask, 16, 64)
	return err == nil && bits>>(sig-1)&1 == 1
}

// tree is every process of the attempt.
func (a *Attempt) tree() monitor.Tree {
	if a.Subreaper {
		return monitor.Tree{Root: os.Getpid(), Foreign: a.Foreign}
	}
	t := monitor.Tree{Group: a.PID(), First: a.first, Foreign: a.Foreign}
	if a.cookie != "" {
		t.Cookie = []string{a.cookie}
	}
	return t
}

// pause stops every process, or continues it.
func (a *Attempt) pause(hold bool) {
	if !hold {
		_ = a.tree().Signal(syscall.SIGCONT)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), pauseDeadline)
	defer cancel()
	_ = a.tree().Stop(ctx)
}

// kill kills every process, as [KillDescendants] does for a subreaper.
func (a *Attempt) kill(except ...int) {
	if a.Subreaper {
		KillDescendants(a.Foreign, except...)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), treeDeadline)
	defer cancel()
	_, _ = a.tree().Kill(ctx) // as below
}

// KillDescendants kills every process that descends from this one, but for foreign ones. This
// process must be a subreaper, the parent of all whose own parent has died, so that no
// process has left the tree. It reaps the dead processes, but for except, which other
// goroutines wait for.
func KillDescendants(foreign []string, except ...int) {
	if any, err := monitor.HasChildren(); err == nil && !any {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), treeDeadline)
	defer cancel()
	// An error names processes that hang in the kernel; the task has ended.
	_, _ = monitor.Tree{Root: os.Getpid(), Foreign: foreign}.Kill(ctx)
	monitor.Reap(except...)
}

// drain waits until the output of the dead tree has been read. Another process may hold the
// pipes open: once they are empty and nothing has arrived for PipeDeadline, nothing will. It
// gives up output that a writer blocks if a user has asked for the end, or does so now.
func (a *Attempt) drain(e Ending) {
	if a.Terminal != nil {
		a.Terminal.Close() // then the output ends with what is written already
	}
	abandon := func() {
		if a.Abandon != nil {
			a.Abandon()
			a.Abandon = nil
		}
	}
	if e.requested() {
		abandon()
	}
	drained := make(chan struct{})
	go func() {
		a.writers.Wait()
		close(drained)
	}()
	idle := time.NewTicker(PipeDeadline)
	defer idle.Stop()
	for {
		select {
		case <-drained:
			a.stdout.Close()
			a.stderr.Close()
			return
		case r := <-a.End:
			if r.Ends() {
				abandon()
			}
		case <-idle.C:
			if a.idle() && !Unread(a.stdout) && !Unread(a.stderr) {
				past := time.Now()
				_ = a.stdout.SetReadDeadline(past)
				_ = a.stderr.SetReadDeadline(past)
			}
		}
	}
}

// idle reports whether nothing has arrived since its last call, and nothing is being
// written.
func (a *Attempt) idle() bool {
	if !a.order.TryLock() {
		return false
	}
	defer a.order.Unlock()
	idle := a.kept == a.seen
	a.seen = a.kept
	return idle
}

// Unread reports whether a pipe or a socket holds data that has not been read yet.
func Unread(f *os.File) bool {
	c, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	_ = c.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n > 0
}
