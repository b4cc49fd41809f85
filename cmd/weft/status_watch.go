package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
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
// the task has ended that it is about, if it is about one: tid becomes its id.
func (w *watching) watch(a *app, p *weft.Project, tid *string, show func(context.Context) error) (err error) {
	ctx := interruptible().first
	var t *weft.Task
	if *tid != "" {
		if t, err = p.Task(ctx, *tid); err != nil {
			return err
		}
		*tid = t.TID() // @last goes on to mean this one
	}
	switch {
	case a.stdout.terminal && !a.JSON:
		err = w.redraw(ctx, a, p, t, show)
	case t != nil:
		err = a.printEvents(ctx, t, true, eventBody)
	default:
		err = a.printLog(ctx, p)
	}
	if errors.Is(err, errInterrupted) || a.stdout.closed() {
		return nil
	}
	return err
}

// redraw shows it in place, and leaves the last of it behind if the task has ended that it
// is about. t is nil if it is about none.
func (w *watching) redraw(ctx context.Context, a *app, p *weft.Project, t *weft.Task, show func(context.Context) error) error {
	news, err := p.Broker().Listen(logQueue)
	if err != nil {
		return err
	}
	defer news.Close()
	ticker := time.NewTicker(time.Duration(w.Interval))
	defer ticker.Stop()
	resized := make(chan os.Signal, 1)
	notifyResize(resized)
	defer signal.Stop(resized)
	s := a.openScreen()
	defer s.close()
	for {
		over, err := hasEnded(ctx, t) // and then it does not change any more
		if err != nil {
			return err
		}
		frame, err := a.stdout.capture(func() error { return show(ctx) })
		if err != nil {
			return err
		}
		if over {
			s.close()
			a.stdout.Printf("%s", frame)
			return nil
		}
		if err := s.show(frame); err != nil {
			return err
		}
		select {
		case <-news.C():
		case <-ticker.C:
		case <-resized:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// hasEnded reports whether nothing more will happen to the task; t may be nil.
func hasEnded(ctx context.Context, t *weft.Task) (bool, error) {
	if t == nil {
		return false, nil
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
