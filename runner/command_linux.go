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

// A command is a running process and the read ends of its output.
type command struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	group          *monitor.Group // the cgroup of it and its children, nil if it has none
	worker         *worker        // the process of a function call, nil for a command
	terminal       *terminal      // in place of pipes, nil if it has none; then stdout is the terminal's, and there is no stderr
	stdin          *stdinWriter   // writes its standard input, nil if that is a file or empty
	narrowed       string         // what the process could not inherit from its submitter
}

// start starts the assignment's command with launch, in a process group of its own. It must
// be called on a thread that lives as long as the process: the kernel kills a child when
// the thread that started it ends.
func start(a *Assignment, env []string, launch startFunc) (*command, *taskspec.Outcome) {
	path, failed := find(a.Argv[0], a.Dir, env)
	if failed != nil {
		return nil, failed
	}
	c := &command{group: newGroup(a)}
	err := c.run(a, path, env, launch)
	if err != nil && c.group != nil {
		// The kernel may allow making a cgroup, but not starting a process in it.
		_ = c.group.Remove()
		c.group = nil
		err = c.run(a, path, env, launch)
	}
	if err != nil {
		return nil, refused(a.Argv[0], err)
	}
	if a.Limits.MaxFDs != nil {
		// The limit cannot be set before the program runs. The samples cap the processes
		// that it has started by now. It has not been reaped, so the pid is valid.
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

// openPipes gives the command its standard input, and pipes to write to. The caller closes
// childs, which are the command's ends.
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

// openInput returns the standard input of the command: a file that holds all of it, or the
// read end of a pipe; nil if it is empty.
func (c *command) openInput(a *Assignment) (stdin *os.File, err error) {
	if a.Interactive {
		c.stdin, stdin, err = newStdinWriter(a, nil)
		return stdin, err
	}
	if stdin, err = stdinFile(a); err != nil {
		// not wrapped: refused would take a missing file for the command
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
	c.cmd.SysProcAttr.Setpgid = false // a session leader has its own group
	c.cmd.SysProcAttr.Setsid, c.cmd.SysProcAttr.Setctty = true, true
	c.terminal, c.stdout = t, t.master
	c.stdin, _, err = newStdinWriter(a, t)
	return nil, err
}

// stdinFile returns the file that the command reads, nil if its input is empty. Text goes
// into a memory file, so that no goroutine has to write it to a pipe.
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

// refused returns the outcome of a task whose process the kernel did not start.
func refused(name string, err error) *taskspec.Outcome {
	if errors.Is(err, unix.ENOENT) {
		// The file itself is there: the interpreter of a script, or the loader of a binary,
		// is missing.
		return notStarted(false, "%s: its interpreter does not exist", name)
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return notStarted(false, "%s: %v", name, errno)
	}
	return notStarted(false, "%s: %v", name, err)
}

// exited returns the outcome of the command's own process.
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

// usage returns what the command's own process used, with the children it waited for.
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

// terminate asks the command's process group to end, and tells a function the reason.
func (c *command) terminate(why string) {
	if w := c.worker; w != nil {
		// in the background: the worker may not be reading
		go func() { _ = w.link.Send(WorkerOrder{Cancel: why}) }()
	}
	// The group exists until its leader has been waited for; after that the whole tree is
	// killed anyway.
	_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGTERM)
	if c.terminal != nil && ignores(c.cmd.Process.Pid, unix.SIGTERM) {
		// Interactive shells ignore SIGTERM; SIGHUP ends them.
		_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGHUP)
	}
}

// noSpace reports whether a write failed because the disk or a quota is full.
func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}
