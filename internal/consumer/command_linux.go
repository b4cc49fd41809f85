package consumer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"weft/internal/attempt"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/role"
	"weft/taskspec"
)

// A command is an attempt at a task, and what the consumer adds to it.
type command struct {
	*attempt.Attempt
	worker   *worker      // the process of a function call, nil for a command
	terminal *terminal    // in place of pipes, nil if it has none
	stdin    *stdinWriter // writes its standard input, nil if that is a file or empty
	narrowed string       // what the process could not inherit from its submitter
}

// newCommand returns the command of an assignment, for its process to be added.
func newCommand(a *ledger.Assignment) *command {
	c := &command{Attempt: &attempt.Attempt{
		Timeout: a.Work.Timeout, Grace: a.Work.Grace(), Limits: a.Work.Limits, Polling: a.Work.Polling(), Subreaper: true, Foreign: foreign(),
	}}
	if a.Work.Limits.MemoryMB != nil {
		c.Group = fmt.Sprintf("%s.%d", a.TID, a.Epoch)
	}
	return c
}

// foreign marks the processes below a consumer that do not belong to its task. A task that
// submits a task may have started a manager, which works for the whole project and must not
// end with the task.
func foreign() []string { return []string{role.Entry(role.Manager)} }

// start starts the assignment's command with launch. It must be called on the main thread.
func start(a *ledger.Assignment, env []string, launch startFunc) (*command, *taskspec.Outcome) {
	c := newCommand(a)
	c.Args, c.Dir, c.Env = a.Argv, a.Dir, env
	c.Launch = func(cmd *exec.Cmd) (err error) {
		c.narrowed, err = launch(cmd)
		return err
	}
	open := c.openInput
	if a.Work.TTY {
		open = c.openTerminal
	}
	if err := open(a); err != nil {
		return nil, attempt.Refused(a.Argv[0], err)
	}
	failed := c.Start()
	if c.Stdin != nil {
		c.Stdin.Close()
	}
	if failed != nil {
		if c.stdin != nil {
			c.stdin.stop()
		}
		if c.terminal != nil {
			c.terminal.abort()
		}
		return nil, failed
	}
	return c, nil
}

// openInput opens the standard input of the command: a file that holds all of it, or the
// read end of a pipe; nil if it is empty.
func (c *command) openInput(a *ledger.Assignment) (err error) {
	if a.Work.Interactive {
		c.stdin, c.Stdin, err = newStdinWriter(a, nil)
		return err
	}
	if c.Stdin, err = stdinFile(a); err != nil {
		// not wrapped: Refused would take a missing file for the command
		return fmt.Errorf("standard input: %v", err)
	}
	return nil
}

// openTerminal gives the command a terminal of its own.
func (c *command) openTerminal(a *ledger.Assignment) error {
	size, env := window(c.Env)
	t, err := newTerminal(a, size)
	if err != nil {
		return err
	}
	c.terminal, c.Env, c.Terminal, c.Output = t, env, t.slave, t.master
	if c.stdin, _, err = newStdinWriter(a, t); err != nil {
		t.abort()
	}
	return err
}

// stdinFile returns the file that the command reads, nil if its input is empty. Text goes
// into a memory file, so that no goroutine has to write it to a pipe.
func stdinFile(a *ledger.Assignment) (*os.File, error) {
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

// noSpace reports whether a write failed because the disk or a quota is full.
func noSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}
