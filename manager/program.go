package manager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weft/broker"
	"weft/internal/function"
	"weft/internal/ledger"
)

// programOf names the host of a job's function, and its version; it is empty for a
// command.
func programOf(j *ledger.Job) string {
	if j.Function == nil {
		return ""
	}
	return j.Function.Host.Version()
}

// preferred returns which of the idle consumers, the one that became idle last at
// the end, gets a job whose function is of this host: one that has a worker of
// that host waiting; else one that has none, which would have to be ended first;
// of equals the one that became idle last, whose memory is warm.
func preferred(free []*consumer, host string) (index int) {
	index = len(free) - 1
	for _, wanted := range []string{host, ""} {
		for i := len(free) - 1; i >= 0; i-- {
			if free[i].program == wanted {
				return i
			}
		}
	}
	return index
}

// findProgram finds the program of the job's function, or refuses the job. A program
// that has changed is asked for its functions anew; the job does not wait for
// that: whether the function is still there, its own process says.
func (d *dispatcher) findProgram(j *ledger.Job) {
	if j.Function == nil || j.Refused() != "" {
		return
	}
	host := j.Function.Host
	j.Executable = host.Path
	stamp, err := function.StampOf(host.Path)
	switch {
	case err == nil && stamp == host.Stamp:
		return
	case err == nil:
		if d.quarantined == 0 { // whose program it is nobody knows
			d.describeProgram(*host)
		}
		host.Stamp = stamp
		return
	}
	// This manager may be the program, whose file is gone, as go run does.
	if own, ownErr := function.StampOf(d.o.Executable); ownErr == nil && own == host.Stamp {
		j.Executable = d.o.Executable
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it does not exist any more")
	}
	j.Refuse(fmt.Sprintf("function %s: its program is %s: %v: build it there, or weft function add PROGRAM", j.Function.Name, host.Path, err))
}

// programDescribed is what a host says of its functions, or why it does not.
type programDescribed struct {
	program ledger.Program
	stamp   function.Stamp
	what    function.Listing
	err     error
}

// describeProgram asks a host for its functions, beside the loop.
func (d *dispatcher) describeProgram(host ledger.Program) {
	if d.describing[host.Path] {
		return
	}
	d.describing[host.Path] = true
	d.o.Log.Info("program has changed: ask for its functions", "program", host.Path)
	d.pool.watch(func(ctx context.Context, _ func(event)) event {
		e := programDescribed{program: host}
		if e.stamp, e.err = function.StampOf(host.Path); e.err == nil {
			e.what, e.err = function.ReadDescription(ctx, host.Path, d.o.Env)
		}
		return e
	})
}

// onDescribed takes what a host has said.
func (l *loop) onDescribed(e programDescribed) {
	delete(l.describing, e.program.Path)
	if e.err != nil && !errors.Is(e.err, function.ErrNoHost) {
		l.log.Warn("ask for functions", "program", e.program.Path, "err", e.err)
		return // it is asked again when the next one is called
	}
	l.pending.note("functions of "+e.program.Path, e.write)
}

// write records what the host has said. One that has nothing to say has no
// functions any more.
func (e programDescribed) write(tx *broker.Tx, now time.Time) error {
	h, err := ledger.NewProgram(e.program.Path, e.stamp, e.what.Build, e.what.Functions)
	if err != nil {
		return err
	}
	return ledger.PutProgram(tx, h, e.what.Functions, now)
}
