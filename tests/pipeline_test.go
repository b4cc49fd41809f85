//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"weft"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// A boundary is the time after a transaction of a pipeline: the event that it
// wrote, of the pipeline (0) or of one of its stages.
type boundary struct {
	stage int
	event string
}

// boundaries are those of a pipeline of three stages.
func boundaries() []boundary {
	all := []boundary{{0, "task_initialized"}, {0, "work_started"}}
	for stage := 1; stage <= 3; stage++ {
		all = append(all, boundary{stage, "work_started"}, boundary{stage, "work_completed"})
	}
	return all
}

// TestKillPipeline kills the client, the manager and the consumer at each boundary
// of a pipeline. It completes, each of its stages having run once and its output
// being right and taken once, or fails and names the stage whose consumer died.
func TestKillPipeline(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"client", "manager", "consumer"} {
		for _, at := range boundaries() {
			t.Run(fmt.Sprintf("%s/%d %s", victim, at.stage, at.event), func(t *testing.T) {
				t.Parallel()
				killPipeline(t, victim, at)
			})
		}
	}
}

// TestLongKillPipeline does the same many times over: where exactly the victim dies
// depends on the machine.
func TestLongKillPipeline(t *testing.T) {
	waittest.NeedLong(t)
	kills := 0
	for range 20 {
		for _, victim := range []string{"client", "manager", "consumer"} {
			for _, at := range boundaries() {
				if !t.Run(fmt.Sprintf("%s/%d %s", victim, at.stage, at.event), func(t *testing.T) { killPipeline(t, victim, at) }) {
					return
				}
				kills++
			}
		}
	}
	t.Logf("%d pipelines, each killed at one of %d boundaries", kills, len(boundaries()))
}

func killPipeline(t *testing.T, victim string, at boundary) {
	p := newProject(t)
	p.open()
	signed := filepath.Join(p.dir, "signed")
	c := p.client(call{Do: "pipeline", Pipeline: signing(signed)})
	tid := p.reach(at)
	switch victim {
	case "client":
		_ = c.cmd.Process.Signal(syscall.SIGKILL)
	case "manager":
		if m := p.currentManager(); m != nil {
			p.kill(m.Process)
		}
	case "consumer":
		for id, title := range p.processes() {
			if strings.HasPrefix(title, "weft-") && !strings.Contains(title, "manager") {
				_ = id.Signal(syscall.SIGKILL)
			}
		}
	}
	got, taken := p.outcome(c, tid)
	ran, err := os.ReadFile(signed)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	stages := strings.Fields(string(ran))
	if got.Status == taskspec.StatusCompleted {
		if want := []string{"1", "2", "3"}; !slices.Equal(stages, want) {
			t.Errorf("completed, and its stages ran so: %v", stages)
		}
		if !taken && got.Output != "in123\n" {
			t.Errorf("completed with %q", got.Output)
		}
		return
	}
	if victim != "consumer" || got.Status != taskspec.StatusFailed || !strings.HasPrefix(got.Reason, "stage ") || !strings.HasSuffix(got.Reason, ": lost: consumer process died") {
		t.Errorf("%s: %s", got.Status, got.Reason)
	}
	for n, stage := range stages {
		if stage != fmt.Sprint(n+1) {
			t.Errorf("its stages ran so: %v", stages)
		}
	}
}

// signing is a pipeline of three stages, each of which puts its number behind what
// it reads, and into a file.
func signing(signed string) *weft.Pipeline {
	p := &weft.Pipeline{Name: "signing"}
	for n := 1; n <= 3; n++ {
		s := shell(`echo "$1" >>"$2"; read -r line; echo "$line$1"`, fmt.Sprint(n), signed)
		p.Stages = append(p.Stages, weft.Stage{Name: fmt.Sprint("s", n), Spec: s})
	}
	p.Stages[0].Input = "in\n"
	return p
}

// reach waits for a boundary of the project's only pipeline, and returns its id.
func (p *project) reach(at boundary) (tid string) {
	p.t.Helper()
	stages := []string{} // ids, in order; the pipeline comes first
	p.await(fmt.Sprint("boundary ", at), func(e ledger.Event) bool {
		if e.Event == "task_initialized" {
			stages = append(stages, e.TID)
		}
		return e.TID != "" && slices.Index(stages, e.TID) == at.stage && e.Event == at.event
	})
	return stages[0]
}

// outcome is how the pipeline ended, as its client says or, if that is dead, another
// one: then taken says that the first has taken its output.
func (p *project) outcome(c *client, tid string) (got line, taken bool) {
	p.t.Helper()
	said := false
	for {
		l, err := c.next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if l.Status != "" {
			got, said = l, true
		}
	}
	_ = c.wait()
	if said && got.Status == taskspec.StatusCompleted {
		return got, false
	}
	// Whoever waits starts a manager, if there is none.
	other := p.client(call{Do: "result", TID: tid})
	l, err := other.next()
	if err != nil { // taken by the first, which did not come to say so
		if !strings.Contains(other.erred.String(), weft.ErrResultConsumed.Error()) {
			_ = other.wait()
			p.t.Fatalf("%v: %s", err, other.erred.String())
		}
		t := p.task(tid)
		return line{Status: t.Status, Reason: t.Error}, true
	}
	_ = other.wait()
	return l, false
}
