package attempt

import (
	"context"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"weft/monitor"
	"weft/taskspec"
)

// An Attempt is one run of a command. Set its fields, call Start and then Wait, once each.
type Attempt struct {
	Args  []string // the program, looked up as by a shell, and its arguments
	Dir   string
	Env   []string
	Stdin *os.File // nil: empty
	// Terminal is the terminal of the command, in place of Stdin and of pipes for its
	// output; then Output is the other end, from which everything that it prints is read.
	// Wait closes both.
	Terminal, Output *os.File
	// Process is a worker that is started already and leads a process group, in place of
	// Args; then OutPipe and ErrPipe are the read ends of its output, which Wait closes.
	Process          *exec.Cmd
	OutPipe, ErrPipe *os.File
	// Launch starts the process; nil means [exec.Cmd.Start].
	Launch func(*exec.Cmd) error
	// Stdout and Stderr take the output; they must be set before Wait. While one blocks, the
	// command waits as soon as its pipe is full. If Stderr has a method String, what that
	// returns explains why the command has failed.
	Stdout, Stderr io.Writer

	Timeout time.Duration // 0: none
	Grace   time.Duration // between SIGTERM and SIGKILL
	Limits  taskspec.Limits
	Polling time.Duration // see [monitor.ResourceMonitor]
	// Group is the name of a cgroup to be made for a limit on memory; empty means none.
	Group string
	// Report, if it is set, is called at each polling interval. Its ctx ends with the
	// process.
	Report func(ctx context.Context, s monitor.Sample, cpuPercent float64, peak monitor.Peak)

	// Subreaper says that the calling process is a child subreaper that has no other
	// children: whatever descends from it belongs to the attempt, and is killed with it.
	// Otherwise the process group and an entry in the environment tell what does.
	Subreaper bool
	// Foreign are environment entries of processes that do not belong to it.
	Foreign []string

	// Broken reports limits that the caller watches.
	Broken <-chan monitor.Violation

	Stop   <-chan struct{} // closed: ends it as [RequestStop] does
	End    <-chan Request  // ends it
	Pause  <-chan bool     // pauses it, or resumes it
	Paused func(bool)      // is called when it has been paused, or resumed; required with Pause
	// Running is called, unless it is nil, once the process has run for 20 ms.
	Running func(pid int)
	// OnEnd is called, unless it is nil, before a SIGTERM or SIGINT, with the reason.
	OnEnd func(reason string)
	// Abandon is called, unless it is nil, once, when a user has asked for the end and all
	// processes are dead: a writer that blocks must return.
	Abandon func()
	// Exit returns the outcome of a process that has ended by itself; nil means by its exit
	// code.
	Exit func(*os.ProcessState) taskspec.Outcome

	running
	writers    sync.WaitGroup
	order      sync.Mutex // held from a read of a pipe until its data is kept
	kept, seen int64      // bytes of output, and those at the last call of idle
}

// A Result is how an attempt has ended.
type Result struct {
	Outcome taskspec.Outcome
	// Peak is what it has used in total and at its peak. The kernel knows the largest of
	// its processes, even between samples.
	Peak monitor.Peak
}

// Go runs fn, which may block as a writer does; Wait waits for it as for the writers.
func (a *Attempt) Go(fn func()) { a.writers.Go(fn) }
