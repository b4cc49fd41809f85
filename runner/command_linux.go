package runner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	"weft/internal/ledger"
	"weft/internal/project"
	"weft/monitor"
	"weft/taskspec"
)

// A command is a running process and the reading ends of its output.
type command struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	group          *monitor.Group // where it and its children live, nil if they are not set apart
	worker         *worker        // of a call of a function, nil for a command
	terminal       *terminal      // in place of pipes, nil if it has none; then stdout is its, and there is no stderr
	stdin          *stdinWriter   // writes what it reads, nil if that is a file, or nothing
	narrowed       string         // what it could not get of what its submitter has
}

// start starts the assignment's command, by launch, in a process group of its own.
// It must be called on the thread that lives as long as the process: the kernel kills
// the child when the thread that made it ends.
func start(a *Assignment, env []string, launch startFunc) (*command, *taskspec.Outcome) {
	path, failed := find(a.Argv[0], a.Dir, env)
	if failed != nil {
		return nil, failed
	}
	c := &command{group: newGroup(a)}
	err := c.run(a, path, env, launch)
	if err != nil && c.group != nil {
		// A group may be made in which this process may start nobody.
		_ = c.group.Remove()
		c.group = nil
		err = c.run(a, path, env, launch)
	}
	if err != nil {
		return nil, refused(a.Argv[0], err)
	}
	if a.Limits.MaxFDs != nil {
		// Nothing can be said to a process before its program runs. What it has
		// started before this, the samples will cap. Nobody has reaped it yet, so
		// the pid is its own.
		_ = monitor.CapFDs(c.cmd.Process.Pid, *a.Limits.MaxFDs)
	}
	return c, nil
}

// run opens the command's standard streams and starts it.
func (c *command) run(a *Assignment, path string, env []string, launch startFunc) error {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if c.group != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, c.group.FD()
	}
	c.cmd = &exec.Cmd{Path: path, Args: a.Argv, Env: env, Dir: a.Dir, SysProcAttr: attr}
	open := c.openPipes
	if a.TTY {
		open = c.openTerminal
	}
	childs, err := open(a)
	if err == nil {
		c.narrowed, err = launch(c.cmd)
	}
	for _, f := range childs {
		f.Close()
	}
	if err == nil {
		return nil
	}
	if c.stdin != nil {
		c.stdin.stop()
		c.stdin = nil
	}
	switch {
	case c.terminal != nil:
		c.terminal.abort()
		c.terminal = nil
	default:
		c.stdout.Close()
		c.stderr.Close()
	}
	return err
}

// openPipes gives the command a file to read, and pipes to write to. The caller
// closes childs, which are the command's.
func (c *command) openPipes(a *Assignment) (childs []*os.File, err error) {
	stdin, err := c.openInput(a)
	if err != nil {
		return nil, err
	}
	if stdin != nil { // nil is /dev/null
		childs = append(childs, stdin)
		c.cmd.Stdin = stdin
	}
	var out, err2 *os.File
	if c.stdout, out, err = os.Pipe(); err != nil {
		return childs, err
	}
	childs = append(childs, out)
	if c.stderr, err2, err = os.Pipe(); err != nil {
		return childs, err
	}
	c.cmd.Stdout, c.cmd.Stderr = out, err2
	return append(childs, err2), nil
}

// openInput is what the command reads: a file that holds all of it, or the end
// of a pipe that is fed; nil if there is nothing.
func (c *command) openInput(a *Assignment) (stdin *os.File, err error) {
	if a.Interactive {
		c.stdin, stdin, err = newStdinWriter(a, nil)
		return stdin, err
	}
	if stdin, err = stdinFile(a); err != nil {
		// Not wrapped: refused would take a missing file for the command's.
		return nil, fmt.Errorf("standard input: %v", err)
	}
	return stdin, nil
}

// openTerminal gives the command a terminal of its own, in a session of its own.
func (c *command) openTerminal(a *Assignment) (childs []*os.File, err error) {
	size, env := window(c.cmd.Env)
	t, err := newTerminal(a, size)
	if err != nil {
		return nil, err
	}
	c.cmd.Env = env
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = t.slave, t.slave, t.slave
	c.cmd.SysProcAttr.Setpgid = false // the leader of a session has a group
	c.cmd.SysProcAttr.Setsid, c.cmd.SysProcAttr.Setctty = true, true
	c.terminal, c.stdout = t, t.master
	c.stdin, _, err = newStdinWriter(a, t)
	return nil, err
}

// stdinFile is the file that the command reads, nil if its input is empty. Text
// goes into memory that looks like a file, so that nobody has to feed a pipe.
func stdinFile(a *Assignment) (*os.File, error) {
	if a.Input != "" {
		return project.OpenOutput(ledger.InputFile(a.WeftDir, a.Input))
	}
	if a.Stdin == "" {
		return nil, nil
	}
	fd, err := unix.MemfdCreate("stdin", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "stdin")
	if _, err := f.WriteString(a.Stdin); err != nil {
		f.Close()
		return nil, err
	}
	_, err = f.Seek(0, 0)
	return f, err
}

// refused is how a task ends that the kernel would not start.
func refused(name string, err error) *taskspec.Outcome {
	if errors.Is(err, unix.ENOENT) {
		// The file is there, so it is the interpreter of a script, or the
		// loader of a binary, that is not.
		return notStarted(false, "%s: its interpreter does not exist", name)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return notStarted(false, "%s: %v", name, errno)
	}
	return notStarted(false, "%s: %v", name, err)
}

// exited is how the command's own process ended.
func (c *command) exited(stderr string) taskspec.Outcome {
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok || c.cmd.ProcessState == nil:
		return taskspec.Lost()
	case c.worker != nil:
		return c.worker.outcome(status, stderr)
	case status.Signaled():
		return taskspec.Signaled(int(status.Signal()), unix.SignalName(status.Signal()))
	default:
		return taskspec.Exited(status.ExitStatus(), stderr)
	}
}

// usage is what the command's own process used, with the children it waited
// for.
func (c *command) usage() ledger.Usage {
	u, ok := c.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return ledger.Usage{}
	}
	return ledger.Usage{
		CPUSeconds:   (c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()).Seconds(),
		PeakMemoryMB: float64(u.Maxrss) / 1024, // Linux counts KiB
	}
}

// terminate asks the command's process group to end, and tells a function why.
func (c *command) terminate(why string) {
	if w := c.worker; w != nil {
		// Not waited for: the worker may not be reading.
		go func() { _ = w.link.Send(WorkerOrder{Cancel: why}) }()
	}
	// The group exists as long as its leader has not been waited for; after
	// that the tree is killed anyway.
	_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGTERM)
	if c.terminal != nil && ignores(c.cmd.Process.Pid, unix.SIGTERM) {
		// As shells do at a terminal; what ends them is the end of that.
		_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGHUP)
	}
}

// noSpace reports whether a write failed for want of room.
func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}
