package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/function"
	"weft/internal/ledger"
)

// programOf identifies the program of a job's function, with its version; it is empty for a
// command.
func programOf(j *ledger.Job) string {
	if j.Function == nil {
		return ""
	}
	return j.Function.Version
}

// preferred returns the index of the idle consumer that gets a job of this program; the one
// that became idle last is at the end. It prefers a consumer with an idle worker of that
// program, then one without any worker, which would have to be stopped first, and among
// equals the one that became idle last, whose memory is warm.
func preferred(free []*consumer, program string) (index int) {
	index = len(free) - 1
	for _, wanted := range []string{program, ""} {
		for i := len(free) - 1; i >= 0; i-- {
			if free[i].program == wanted {
				return i
			}
		}
	}
	return index
}

// findProgram finds the program of the job's function, or refuses the job. A program that
// has changed is asked again for its functions; the job does not wait for that: its own
// process reports whether the function still exists.
func (l *loop) findProgram(j *ledger.Job) {
	if j.Function == nil || j.Refused() != "" {
		return
	}
	program := j.Program
	defer func() { j.Function.Version = program.Version() }()
	j.Function.Program = program.Path
	stamp, err := function.StampOf(program.Path)
	switch {
	case err == nil && stamp == program.Stamp:
		return
	case err == nil:
		if l.Quarantined == 0 { // its origin is known
			l.describeProgram(*program)
		}
		program.Stamp = stamp
		return
	}
	// This manager may be the program, whose file go run has removed.
	if own, ownErr := function.StampOf(l.o.Executable); ownErr == nil && own == program.Stamp {
		j.Function.Program = l.o.Executable
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it does not exist any more")
	}
	j.Refuse(fmt.Sprintf("function %s: its program is %s: %v: build it there, or weft function add PROGRAM", j.Function.Name, program.Path, err))
}

// describeProgram asks a program for its functions, in the background.
func (l *loop) describeProgram(program ledger.Program) {
	if l.describing[program.Path] {
		return
	}
	l.describing[program.Path] = true
	l.log.Info("program has changed: ask for its functions", "program", program.Path)
	l.watch(func(ctx context.Context, _ func(event)) event {
		var listing function.Listing
		stamp, err := function.StampOf(program.Path)
		if err == nil {
			listing, err = function.ReadDescription(ctx, program.Path, l.o.Env)
		}
		return func() error {
			delete(l.describing, program.Path)
			if err != nil && !errors.Is(err, function.ErrNothingRegistered) {
				l.log.Warn("ask for functions", "program", program.Path, "err", err)
				return nil // it is asked again when its next function is called
			}
			// A program that describes nothing has no functions any more.
			l.Add(engine.Change{What: "note functions of " + program.Path, Write: func(tx *broker.Tx, now time.Time) error {
				p, err := ledger.NewProgram(program.Path, stamp, listing.Build, listing.Functions)
				if err != nil {
					return err
				}
				return ledger.PutProgram(tx, p, listing.Functions, now)
			}})
			return nil
		}
	})
}
