package manager

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/taskspec"
)

// Autostart tells a manager which services its project has.
type Autostart struct {
	// Declared reads the manifests.
	Declared func() []Declared
	// Submission returns how the service of a manifest is started.
	Submission func(*taskspec.Manifest) (ledger.Submission, error)
}

// Declared is a manifest, or why it cannot be read.
type Declared struct {
	File     string
	Manifest *taskspec.Manifest // nil if it cannot be read
	Err      error
}

// servicesPoll is the interval at which the manager reads the manifests, and whether the
// project is trusted: people edit these files by hand, and the documentation promises 5 s.
// It is a little less than broker.MaxPoll, so that the periodic poll finds it due.
const servicesPoll = broker.MaxPoll - 100*time.Millisecond

// services is what a manager knows of the services of its project. The zero value is due.
type services struct {
	next     time.Time         // when to check them again
	needed   bool              // a service runs, or will be started again
	reported map[string]string // the problems that were logged, by file
	started  bool              // they have been checked once
}

// trust updates whether the project is trusted, and dispatches requests that no longer are
// quarantined.
func (l *loop) trust() {
	switch {
	case !l.UpdateTrust():
	case l.Quarantined == 0:
		l.log.Info("project is trusted")
	default:
		l.log.Warn("project is not trusted: it starts no service, and no task that was there before: weft trust")
	}
}

// keepServices starts the services that are due, and finds out when the next one is.
func (l *loop) keepServices(ctx context.Context, now time.Time) error {
	if !l.Stale[engine.Services] && now.Before(l.services.next) {
		return nil
	}
	l.trust()
	l.services.next, l.Stale[engine.Services], l.services.needed = now.Add(servicesPoll), false, false
	if l.o.Autostart == nil || l.Quarantined != 0 {
		return nil
	}
	declared := l.o.Autostart.Declared()
	if !l.services.started {
		if err := l.forgetServices(ctx, declared); err != nil {
			return fmt.Errorf("look at services: %w", err)
		}
		l.services.started = true
	}
	steps, err := l.steps(ctx, declared, now)
	if err != nil {
		l.Stale[engine.Services] = true
		return fmt.Errorf("look at services: %w", err)
	}
	for i, d := range declared {
		problem := d.Err
		if d.Manifest != nil {
			problem, err = l.advance(ctx, d, steps[i], now)
		}
		if err != nil {
			l.Stale[engine.Services] = true
			return err
		}
		l.logProblem(d.File, problem)
	}
	return nil
}

// steps decides for each manifest what to do. A service whose record is damaged becomes a
// Declared with an error.
func (l *loop) steps(ctx context.Context, declared []Declared, now time.Time) (steps []ledger.Step, err error) {
	err = l.view(ctx, func(r broker.Reader) error {
		steps = make([]ledger.Step, len(declared))
		for i, d := range declared {
			if d.Manifest == nil {
				continue
			}
			steps[i], err = ledger.NextStep(r, d.Manifest, l.record.TID, now)
			if damaged, is := errors.AsType[*ledger.DamagedError](err); is {
				declared[i], err = Declared{File: d.File, Err: damaged}, nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return steps, err
}

// advance performs the step of one service. problem is why it cannot be started.
func (l *loop) advance(ctx context.Context, d Declared, step ledger.Step, now time.Time) (problem, err error) {
	m := d.Manifest
	if !step.At.IsZero() {
		l.services.next = earliest(l.services.next, step.At)
	}
	switch {
	case step.Spent:
		return fmt.Errorf("given up after %d restarts in a row", step.Restarts), nil
	case step.Act != ledger.Nothing:
		var how ledger.Submission
		if step.Act == ledger.Start {
			if how, problem = l.o.Autostart.Submission(m); problem != nil {
				return problem, nil
			}
		}
		var done ledger.Step
		var tid string
		err = l.o.Broker.Update(context.WithoutCancel(ctx), func(tx *broker.Tx) (err error) {
			done, tid, err = ledger.ApplyStep(tx, m, step.Act, how, l.record.TID, now)
			return err
		})
		if err != nil && !engine.Transient(err) && !errors.Is(err, broker.ErrUncertain) {
			return err, nil // its spec is too long, for example
		}
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", m.Name, err)
		}
		l.logStep(m.Name, tid, done)
		if done.Act == ledger.Nothing {
			l.Stale[engine.Services] = true // it has ended, or started, since steps
		}
		l.Stale[engine.Requests] = true
	}
	if m.Policy.Ensures() {
		l.services.needed = true
	}
	return nil, nil
}

// logStep logs what was done about a service.
func (l *loop) logStep(name, tid string, step ledger.Step) {
	switch {
	case step.Act == ledger.Adopt:
		l.log.Info("service continues", "service", name, "tid", tid)
	case step.Act == ledger.Start && step.Restarts > 0:
		l.log.Info("service started again", "service", name, "tid", tid, "restarts", step.Restarts)
	case step.Act == ledger.Start:
		l.log.Info("service started", "service", name, "tid", tid)
	}
}

// logProblem logs a problem with a manifest, once.
func (l *loop) logProblem(file string, problem error) {
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	if l.services.reported[file] == text {
		return
	}
	if l.services.reported == nil {
		l.services.reported = make(map[string]string)
	}
	l.services.reported[file] = text
	if problem != nil {
		l.log.Error("service is not started", "manifest", file, "problem", text)
	}
}

// forgetServices drops services that have ended and that no manifest declares any more.
func (l *loop) forgetServices(ctx context.Context, declared []Declared) error {
	names := make(map[string]bool)
	for _, d := range declared {
		if d.Manifest != nil {
			names[d.Manifest.Name] = true
		}
	}
	return l.o.Broker.Update(ctx, func(tx *broker.Tx) error { return ledger.DropServices(tx, names) })
}
