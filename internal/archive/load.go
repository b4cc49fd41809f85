package archive

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

// LoadOptions say what to take in of a dump.
type LoadOptions struct {
	DryRun, Requests, Force bool
	Redact                  []string // what specs do not show
}

// Load takes a dump into the store b of the project whose folder is dir. What cannot be
// read twice is copied to a temporary file there first. A conflict comes with a report.
func Load(ctx context.Context, b *broker.Broker, dir string, r io.Reader, o LoadOptions) (broker.LoadReport, *ledger.Intake, error) {
	whole, free, err := rewindable(r, dir)
	if err != nil {
		return broker.LoadReport{}, nil, fmt.Errorf("load: %w", err)
	}
	defer free()
	return o.load(func(options broker.LoadOptions) (broker.LoadReport, error) { return b.Load(ctx, whole, options) })
}

// Preview reports what [Load] would do where there is no project yet.
func Preview(ctx context.Context, r io.Reader, o LoadOptions) (broker.LoadReport, *ledger.Intake, error) {
	return o.load(func(options broker.LoadOptions) (broker.LoadReport, error) {
		return broker.CheckDump(ctx, r, broker.Options{Views: ledger.View}, options)
	})
}

func (o LoadOptions) load(load func(broker.LoadOptions) (broker.LoadReport, error)) (broker.LoadReport, *ledger.Intake, error) {
	now := time.Now()
	in := new(ledger.Intake)
	report, err := load(broker.LoadOptions{DryRun: o.DryRun, Force: o.Force, Policy: func(h broker.Header) broker.Policy {
		in = ledger.NewIntake(h, o.Requests, o.Redact, now)
		return in.Policy()
	}})
	if err != nil && !errors.Is(err, broker.ErrConflict) {
		return broker.LoadReport{}, nil, err
	}
	return report, in, err
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
