package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
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

// findProgram finds the program of the job's function, or refuses the job: the program that
// serves, if that has it, else the first of those that have registered it whose file is there. A program that
// has changed is asked again for its functions; the job does not wait for that: its own
// process reports whether the function still exists.
func (l *loop) findProgram(j *ledger.Job) {
	if j.Function == nil || j.Refused() != "" {
		return
	}
	use := func(p *ledger.Program) { j.Function.Program, j.Function.Version = p.Path, p.Version() }
	if slices.Contains(l.o.Functions, j.Function.Name) {
		use(&l.own)
		return
	}
	var missing error
	for _, program := range j.Programs {
		stamp, err := function.StampOf(program.Path)
		switch {
		case err == nil && stamp != program.Stamp:
			if l.Quarantined == 0 { // its origin is known
				l.describeProgram(*program)
			}
			program.Stamp = stamp
			fallthrough
		case err == nil:
			use(program)
			return
		case program.Stamp == l.own.Stamp: // go run has removed the file
			use(&l.own)
			return
		}
		missing = cmp.Or(missing, err)
	}
	if errors.Is(missing, fs.ErrNotExist) {
		missing = errors.New("it does not exist any more")
	}
	j.Refuse(fmt.Sprintf("function %s: its program is %s: %v: build it there, or weft function add PROGRAM", j.Function.Name, j.Programs[0].Path, missing))
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
				return ledger.PutProgram(tx, p, now)
			}})
			return nil
		}
	})
}
