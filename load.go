package weft

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"weft/broker"
	"weft/internal/ledger"
)

// LoadOptions are the choices of [System.Load].
type LoadOptions struct {
	// DryRun reports what would be done, conflicts included, and does nothing.
	DryRun bool
	// Requests also takes in tasks that wait to be run. They run, here, as soon
	// as a manager comes to them, with the manager's environment.
	Requests bool
	// Force takes in a dump with ids that are more than [broker.MaxAhead] ahead of
	// the clock. Every task and message that comes after gets a greater one.
	Force bool
}

// A LoadReport says what came, or would come, of a dump.
type LoadReport struct {
	broker.LoadReport
	Lost     int // tasks that had begun, and are lost
	Requests int // that wait to be run: taken in with [LoadOptions].Requests, else left out
	State    int // records of managers and the like, left out
}

// Load takes in a dump, all of it or, on any error, nothing. Messages and tasks
// keep their ids; what is there already, the same, is skipped. Tasks that were running when the dump was made are lost, as
// if their consumers had died; those that wait are left out unless o says
// otherwise. Dumps of the original Weft are read too: see [broker.Load].
//
// What cannot be read twice is copied to a temporary file first. Errors wrap
// [broker.ErrDump], [broker.ErrFuture], [broker.ErrConflict], which comes with a
// report, or [ErrNotWhole]. Cancelling ctx before the end withdraws it, though not while
// it waits for r.
func (s System) Load(ctx context.Context, r io.Reader, o LoadOptions) (*LoadReport, error) {
	if err := s.project.trust.foreign; err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return load(o, s.project.settings.Redact, func(b broker.LoadOptions) (broker.LoadReport, error) {
		whole, free, err := rewindable(r, s.project.dir)
		if err != nil {
			return broker.LoadReport{}, fmt.Errorf("load: %w", err)
		}
		defer free()
		return s.project.broker.Load(ctx, whole, b)
	})
}

// PreviewLoad is [System.Load] with DryRun where there is no project yet.
func PreviewLoad(ctx context.Context, r io.Reader, o LoadOptions) (*LoadReport, error) {
	return load(o, nil, func(b broker.LoadOptions) (broker.LoadReport, error) {
		return broker.CheckDump(ctx, r, broker.Options{Views: ledger.View}, b)
	})
}

func load(o LoadOptions, redact []string, do func(broker.LoadOptions) (broker.LoadReport, error)) (*LoadReport, error) {
	now := time.Now()
	in := new(ledger.Intake)
	report, err := do(broker.LoadOptions{DryRun: o.DryRun, Force: o.Force, Policy: func(h broker.Header) broker.Policy {
		in = ledger.NewIntake(h, o.Requests, redact, now)
		return in.Policy()
	}})
	if err != nil && !errors.Is(err, broker.ErrConflict) {
		return nil, err
	}
	return &LoadReport{LoadReport: report, Lost: in.Lost, Requests: in.Requests, State: in.State}, err
}

// rewindable returns what r holds as something that can be read twice, if need be
// a copy in the folder dir. The caller frees it.
func rewindable(r io.Reader, dir string) (whole io.ReadSeeker, free func(), err error) {
	if s, ok := r.(io.ReadSeeker); ok {
		if _, err := s.Seek(0, io.SeekCurrent); err == nil {
			return s, func() {}, nil
		}
	}
	f, err := os.CreateTemp(dir, "load-*") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	// Where an open file can be removed, nothing is left of it however this
	// process ends.
	removed := os.Remove(f.Name())
	free = func() {
		f.Close()
		if removed != nil {
			os.Remove(f.Name())
		}
	}
	_, err = io.Copy(f, r)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		free()
		return nil, nil, fmt.Errorf("copy the dump: %w", err)
	}
	return f, free, nil
}
