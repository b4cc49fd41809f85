package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"weft"
	"weft/taskspec"
)

// leaveTID is what to do where a task waits for another one, and that for the slot of the
// first.
const leaveTID = "a task that waits for its own task must leave it WEFT_TID"

// fullText says that there is no slot for another task; it is empty if there is
// one.
func fullText(ctx context.Context, p *weft.Project) (string, error) {
	taken, all, err := p.Manager().Slots(ctx)
	if err != nil || all == 0 || taken < all {
		return "", err
	}
	return fmt.Sprintf("%d of %d in use; %s", taken, all, leaveTID), nil
}

// whyPatience is how long a command waits before it says for what.
const whyPatience = time.Second

// tellWhy says on standard error why a task does not go on that the command waits for, each
// reason once: to a person, and with verbose. Where a task waits for another, which may be
// for ever, it says that there is no slot. What is wrong is said to everybody: see
// [weft.Options]. The caller stops it when it waits no more.
func (a *app) tellWhy(p *weft.Project, t *weft.Task, verbose bool) (stop func()) {
	inTask := os.Getenv("WEFT_CONTEXT") == p.Root()
	verbose = verbose || isTerminal(a.stderr)
	if !verbose && !inTask {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		said := []string{"manager", "manager_stopped", "consumer_stopped", "disk_full", "stopping"}
		for ticker := time.NewTicker(whyPatience); ; {
			select {
			case <-ctx.Done():
				ticker.Stop()
				return
			case <-ticker.C:
			}
			s, err := t.Status(ctx)
			if err != nil || s.Status.Terminal() {
				continue
			}
			if s.WhyCode == "" || slices.Contains(said, s.WhyCode) || !verbose && s.WhyCode != "slot" {
				continue
			}
			said = append(said, s.WhyCode)
			why := s.Why
			if inTask && s.WhyCode == "slot" {
				why += "; " + leaveTID
			}
			a.note("task %s %s", taskspec.ShortTID(t.TID()), why)
		}
	}()
	return cancel
}

// An attentiveReader says, once, if nothing can be read from r for a while.
type attentiveReader struct {
	r     io.Reader
	timer *time.Timer
}

// tellStdin returns a reader of standard input, which says to a person, or with verbose, that
// it waits for that: the task begins when the input has ended.
func (a *app) tellStdin(stdin io.Reader, verbose bool) io.Reader {
	if !verbose && !isTerminal(a.stderr) {
		return stdin
	}
	return &attentiveReader{stdin, time.AfterFunc(whyPatience, func() {
		a.note("reading standard input to its end before the task begins: --no-stdin gives it none")
	})}
}

func (r *attentiveReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.timer.Stop()
	return n, err
}
