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

// hostOf names the host of a job's function, and its version; it is empty for a
// command.
func hostOf(j *ledger.Job) string {
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
			if free[i].host == wanted {
				return i
			}
		}
	}
	return index
}

// locate finds the program of the job's function, or refuses the job. A program
// that has changed is asked for its functions anew; the job does not wait for
// that: whether the function is still there, its own process says.
func (d *dispatcher) locate(j *ledger.Job) {
	if j.Function == nil || j.Refused() != "" {
		return
	}
	host := j.Function.Host
	j.Program = host.Path
	stamp, err := function.StampOf(host.Path)
	switch {
	case err == nil && stamp == host.Stamp:
		return
	case err == nil:
		if d.held == 0 { // whose program it is nobody knows
			d.ask(*host)
		}
		host.Stamp = stamp
		return
	}
	// This manager may be the program, whose file is gone, as go run does.
	if own, ownErr := function.StampOf(d.o.Executable); ownErr == nil && own == host.Stamp {
		j.Program = d.o.Executable
		return
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("it does not exist any more")
	}
	j.Refuse(fmt.Sprintf("function %s: its program is %s: %v: build it there, or weft function add PROGRAM", j.Function.Name, host.Path, err))
}

// described is what a host says of its functions, or why it does not.
type described struct {
	host  ledger.Host
	stamp function.Stamp
	what  function.Listing
	err   error
}

// ask asks a host for its functions, beside the loop.
func (d *dispatcher) ask(host ledger.Host) {
	if d.asked[host.Path] {
		return
	}
	d.asked[host.Path] = true
	d.o.Log.Info("program has changed: ask for its functions", "program", host.Path)
	d.pool.watch(func(ctx context.Context, _ func(event)) event {
		e := described{host: host}
		if e.stamp, e.err = function.StampOf(host.Path); e.err == nil {
			e.what, e.err = function.Ask(ctx, host.Path, d.o.Env)
		}
		return e
	})
}

// noteDescribed takes what a host has said.
func (l *loop) noteDescribed(e described) {
	delete(l.asked, e.host.Path)
	if e.err != nil && !errors.Is(e.err, function.ErrNoHost) {
		l.log.Warn("ask for functions", "program", e.host.Path, "err", e.err)
		return // it is asked again when the next one is called
	}
	l.unsettled.note("functions of "+e.host.Path, e.write)
}

// write records what the host has said. One that has nothing to say has no
// functions any more.
func (e described) write(tx *broker.Tx, now time.Time) error {
	h, err := ledger.NewHost(e.host.Path, e.stamp, e.what.Build, e.what.Functions)
	if err != nil {
		return err
	}
	return ledger.PutHost(tx, h, e.what.Functions, now)
}
