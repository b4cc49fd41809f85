package main

import (
	"context"
	"errors"
	"time"

	"weft"
	"weft/broker"
)

// logQueue is where everything that happens to tasks is written.
const logQueue = "weft.log.tasks"

// watching is how a command shows the same thing again and again.
type watching struct {
	Watch    bool     `help:"Go on showing it: at a terminal in place, else the events, one JSON object a line."`
	Interval duration `default:"1" placeholder:"TIME" help:"With --watch at a terminal: show it at least this often."`
}

func (w watching) prepare(*app) error {
	if w.Watch && w.Interval <= 0 {
		return usageError{"--interval: give a time above 0"}
	}
	return nil
}

// watch shows what a person wants to see until there is an interruption, or
// the task has ended that it is about, if it is about one.
func (w *watching) watch(a *app, p *weft.Project, tid string, show func(context.Context) error) (err error) {
	ctx := interruptible().first
	switch {
	case a.stdout.terminal && !a.JSON:
		err = w.redraw(ctx, a, p, tid, show)
	case tid != "":
		var t *weft.Task
		if t, err = p.Task(ctx, tid); err == nil {
			err = a.printEvents(ctx, t, true, eventBody)
		}
	default:
		err = a.printLog(ctx, p)
	}
	if errors.Is(err, errInterrupted) || a.stdout.closed() {
		return nil
	}
	return err
}

// redraw shows it in place.
func (w *watching) redraw(ctx context.Context, a *app, p *weft.Project, tid string, show func(context.Context) error) error {
	news, err := p.Broker().Listen(logQueue)
	if err != nil {
		return err
	}
	defer news.Close()
	ticker := time.NewTicker(time.Duration(w.Interval))
	defer ticker.Stop()
	for {
		const home, clear = "\x1b[H", "\x1b[J"
		a.stdout.Printf(home + clear)
		if err := show(ctx); err != nil {
			return err
		}
		if err := a.stdout.Flush(); err != nil {
			return err
		}
		if over, err := w.over(ctx, p, tid); over || err != nil {
			return err
		}
		select {
		case <-news.C():
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// over reports whether nothing more will happen to the task.
func (w *watching) over(ctx context.Context, p *weft.Project, tid string) (bool, error) {
	if tid == "" {
		return false, nil
	}
	t, err := p.Task(ctx, tid)
	if err != nil {
		return false, err
	}
	s, err := t.Status(ctx)
	return err == nil && s.Status.Terminal(), err
}

// printLog prints what happens from now on.
func (a *app) printLog(ctx context.Context, p *weft.Project) error {
	info, err := p.Broker().Info(ctx)
	if err != nil {
		return err
	}
	for m, err := range p.Queue(logQueue).Watch(ctx, broker.WatchOptions{Peek: true, After: info.LastID}) {
		if err != nil {
			return err
		}
		if _, err := a.shown(false).Write([]byte(m.Body + "\n")); err != nil {
			return err
		}
	}
	return nil
}
