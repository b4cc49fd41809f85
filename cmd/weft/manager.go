package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"weft"
	"weft/internal/inherit"
	"weft/internal/literal"
)

type managerCmd struct {
	Start  managerStartCmd  `cmd:"" help:"Start the manager in the background, if there is none."`
	Serve  managerServeCmd  `cmd:"" help:"Be the manager, in the foreground."`
	Stop   managerStopCmd   `cmd:"" help:"Stop the running tasks and the manager."`
	List   managerListCmd   `cmd:"" help:"List managers."`
	Status managerStatusCmd `cmd:"" help:"Show the manager."`
}

// errNoManager is the error of commands that need a running manager.
var errNoManager = errors.New("no manager is running")

// autostartOption says whether a manager that is started starts services.
type autostartOption struct {
	Autostart *bool `negatable:"" help:"Let a manager that this starts start the project's services, or not (default: $WEFT_AUTOSTART_TASKS, else the project's setting)."`
}

// ProvideProject opens the project with it, for Run.
func (o autostartOption) ProvideProject(a *app) (*weft.Project, error) { return a.open(o.Autostart) }

type managerStartCmd struct {
	autostartOption
	Replace bool `help:"Let the manager that there is leave first; its running tasks go on."`
}

// Run starts the manager.
func (c *managerStartCmd) Run(a *app, p *weft.Project) error {
	if p.Manager().Once() {
		return usageError{"WEFT_MANAGER_REUSE_ENABLED is false: a manager that this started would leave with it: use weft manager serve"}
	}
	in := interruptible()
	if c.Replace {
		if _, err := p.Manager().Replace(in.first); err != nil {
			return err
		}
	}
	if err := p.Manager().Start(in.first); err != nil {
		return fmt.Errorf("start manager: %w", err)
	}
	if err := a.noteTrust(p); err != nil {
		return err
	}
	return a.printManager(in.first, p)
}

type managerServeCmd struct {
	autostartOption
	Lifetime *duration `placeholder:"TIME" help:"Leave after so long without work (default: $WEFT_MANAGER_LIFETIME_TIMEOUT, else never)."`
	Replace  bool      `help:"Let the manager that there is leave first; its running tasks go on."`
}

// Run serves until it is stopped.
func (c *managerServeCmd) Run(a *app, p *weft.Project) error {
	lifetime, err := c.lifetime()
	if err != nil {
		return err
	}
	stopped, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	inherit.Raise()
	err = p.Serve(context.Background(), weft.ServeOptions{
		Lifetime: lifetime,
		Replace:  c.Replace,
		Only:     true,
		Log:      a.logger(p.Manager().LogLevel()),
		Stop:     stopped.Done(),
	})
	return errors.Join(err, p.Close())
}

// lifetime is how long the manager stays without work, 0 for ever: not what the
// project's settings say of one that a command starts.
func (c *managerServeCmd) lifetime() (time.Duration, error) {
	if c.Lifetime != nil {
		return time.Duration(*c.Lifetime), nil
	}
	text := os.Getenv("WEFT_MANAGER_LIFETIME_TIMEOUT")
	if text == "" {
		return 0, nil
	}
	return literal.Duration(text)
}

// logger logs to standard error: for a person, or else for a program.
func (a *app) logger(level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if isTerminal(a.stderr) {
		return slog.New(slog.NewTextHandler(a.stderr, options))
	}
	return slog.New(slog.NewJSONHandler(a.stderr, options))
}

type managerStopCmd struct {
	TID     string    `arg:"" optional:"" name:"tid" complete:"-" help:"Only if this is the manager that is running: its id, or the last digits of it."`
	Timeout *duration `placeholder:"TIME" help:"Wait no longer than that (default: until it has gone)."`
	Force   bool      `help:"Kill the manager if it has not gone by then, after 5 s unless --timeout says otherwise. Its running tasks go on."`
}

// forceAfter is how long a manager has before it is killed by default.
const forceAfter = duration(5 * time.Second)

// Run stops the manager.
func (c *managerStopCmd) Run(a *app, p *weft.Project) error {
	in := interruptible()
	if err := c.check(in.first, p); err != nil {
		return err
	}
	if c.Force && c.Timeout == nil {
		c.Timeout = new(forceAfter)
	}
	ctx, cancel := until(in.first, c.Timeout)
	defer cancel()
	stopped, err := p.Manager().Stop(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if _, late := errors.AsType[waitedError](err); late && c.Force {
		stopped, err = p.Manager().Kill(in.first)
	}
	if err != nil {
		return err
	}
	text := "Manager: none"
	if stopped {
		text = "Manager stopped"
	}
	return a.emit(object("stopped", stopped), "%s\n", text)
}

// check makes sure that the manager that is running is the one that is meant.
func (c *managerStopCmd) check(ctx context.Context, p *weft.Project) error {
	digits := strings.TrimPrefix(c.TID, "T")
	if c.TID == "" {
		return nil
	}
	running, err := p.Manager().Running(ctx)
	for _, m := range running {
		if len(digits) >= 4 && strings.HasSuffix(m.TID, digits) {
			return nil
		}
	}
	if err == nil {
		err = noneOf{fmt.Sprintf("manager %s is not running: see weft manager list", c.TID)}
	}
	return err
}

type managerListCmd struct {
	All bool `help:"List the managers that have left too."`
	rows
}

// Run lists managers.
func (c *managerListCmd) Run(a *app, p *weft.Project) error {
	return a.listManagers(context.Background(), p, c.All, c.limit(a))
}

type managerStatusCmd struct{}

// Run shows the manager.
func (managerStatusCmd) Run(a *app, p *weft.Project) error {
	return a.printManager(context.Background(), p)
}

// managerObject is a manager in JSON.
func managerObject(m weft.ManagerStatus) any {
	return object("tid", m.TID, "pid", m.PID, "status", managerState(m), "started_at", m.Started).AddUnlessZero("elsewhere", m.OtherNamespace)
}

// managerState is "running", "halted" by a signal, "stopped", or "lost": killed, or the
// machine went down.
func managerState(m weft.ManagerStatus) string {
	switch {
	case m.Running && m.Halted:
		return "halted"
	case m.Running:
		return "running"
	case m.Stopped.IsZero():
		return "lost"
	}
	return "stopped"
}

// managerText is the manager in a line.
func managerText(running []weft.ManagerStatus) string {
	if len(running) == 0 {
		return "none"
	}
	m := running[len(running)-1]
	if m.Halted {
		return fmt.Sprintf("stopped (pid %d; kill -CONT %[1]d lets it go on) since %s", m.PID, clock(m.Started))
	}
	where := ""
	if m.OtherNamespace {
		where = " in another pid namespace"
	}
	return fmt.Sprintf("running (pid %d%s) since %s", m.PID, where, clock(m.Started))
}

// printManager prints the manager that is running.
func (a *app) printManager(ctx context.Context, p *weft.Project) error {
	ms, err := p.Manager().Running(ctx)
	switch {
	case err != nil:
		return err
	case len(ms) == 0:
		return errNoManager
	}
	return a.emit(managerObject(ms[len(ms)-1]), "Manager: %s\n", managerText(ms))
}

// listManagers prints managers, one a line: the newest, unless limit is 0.
func (a *app) listManagers(ctx context.Context, p *weft.Project, all bool, limit int) error {
	find := p.Manager().Running
	if all {
		find = p.Manager().List
	}
	ms, err := find(ctx)
	if err != nil {
		return err
	}
	more := 0
	if limit > 0 {
		more = max(0, len(ms)-limit)
		ms = ms[more:]
	}
	err = emitAll(a, ms, managerObject, []string{"TID", "PID", "STATUS", "STARTED"}, func(m weft.ManagerStatus) []string {
		return []string{m.TID, fmt.Sprint(m.PID), managerState(m), clock(m.Started)}
	}, noColumn)
	a.printMore(more)
	return err
}
