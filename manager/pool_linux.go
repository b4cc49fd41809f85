package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/proc"
	"weft/internal/role"
	"weft/internal/title"
)

// start starts the process of a consumer. wait returns when it has ended.
func (p *pool) start(c *consumer) (wait func(context.Context) error, err error) {
	ours, theirs, err := role.Pair()
	if err != nil {
		return nil, fmt.Errorf("start consumer: %w", err)
	}
	defer theirs.Close()
	cmd := &exec.Cmd{
		Path:       p.o.Executable,
		Args:       []string{"weft-consumer" + title.Pad()},
		Env:        append(slices.Clone(p.o.Env), role.Entry(role.Consumer)),
		Dir:        "/",
		ExtraFiles: []*os.File{theirs},
		Stdout:     os.Stderr, // a crash of the consumer goes to the manager's standard error
		Stderr:     os.Stderr,
		// In a session of its own it gets no signals of a terminal, and the remaining
		// processes of its task can be found by the session.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start consumer: %w", err)
	}
	// It is a child that has not been waited for, so the pid is valid. If it has died
	// already, that is reported like a later death.
	self, err := proc.Of(cmd.Process.Pid)
	if err != nil && !errors.Is(err, proc.ErrGone) {
		ours.Close()
		return nil, fmt.Errorf("start consumer: %w", errors.Join(err, cmd.Wait()))
	}
	c.self = self
	c.link = consumers.NewLink[consumers.Report, consumers.Order](&consumerConn{File: ours, to: self, log: p.o.Log})
	return func(ctx context.Context) error {
		// cmd.Wait alone cannot be cancelled: when this manager exits, a consumer may still
		// be busy.
		if err := self.Wait(ctx); err != nil {
			return err
		}
		return cmd.Wait()
	}, nil
}
