//go:build linux

package weft_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/manager"
	"weft/taskspec"
)

// A project is a folder with a project in it, and what a test knows about it.
type project struct {
	t       *testing.T
	ctx     context.Context // ends when the test has waited too long
	dir     string
	env     []string // of its clients, and so of all its processes
	project *weft.Project
}

// newProject returns a project that does not exist yet. Its clients, and
// by inheritance its managers, consumers and tasks, have env. When the test
// ends, the project is stopped and examined.
func newProject(t *testing.T, env ...string) *project {
	t.Helper()
	// A name of its own kind: it is what finds the project's processes.
	p := &project{t: t, ctx: waittest.ContextFor(t, 3*waittest.Limit()), dir: t.TempDir()} // for many waits
	p.env = append(os.Environ(), p.mark(), partVariable+"="+partClient)
	// A process with the race detector would sleep for a second when it ends.
	p.env = append(p.env, "GORACE=atexit_sleep_ms=0")
	// On a busy machine the process that writes may not get on for seconds.
	p.env = append(p.env, fmt.Sprint("WEFT_BUSY_TIMEOUT=", waittest.Limit().Seconds()))
	p.env = append(p.env, env...)
	t.Cleanup(p.end)
	return p
}

// patient gives the test more time than others have.
func (p *project) patient(d time.Duration) {
	p.t.Helper()
	p.ctx = waittest.ContextFor(p.t, waittest.Scale(d))
}

// open gives the test's own look at the project. The test never submits: what
// it does cannot help a task along.
func (p *project) open() *weft.Project {
	p.t.Helper()
	if p.project == nil {
		c, err := weft.Open(p.dir)
		if err != nil {
			p.t.Fatal(err)
		}
		p.project = c
	}
	return p.project
}

// task is how a task stands.
func (p *project) task(tid string) *ledger.Task {
	p.t.Helper()
	r, err := p.open().Broker().Record(p.ctx, ledger.Kind, tid)
	if err != nil {
		p.t.Fatal(err)
	}
	t, err := ledger.Decode(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// tasks is how all tasks stand, or those with one of the statuses.
func (p *project) tasks(statuses ...taskspec.Status) []*ledger.Task {
	p.t.Helper()
	sel := broker.RecordSelect{}
	for _, s := range statuses {
		sel.States = append(sel.States, string(s))
	}
	recs, err := p.open().Broker().Records(p.ctx, ledger.Kind, sel)
	if err != nil {
		p.t.Fatal(err)
	}
	all := make([]*ledger.Task, len(recs))
	for i, r := range recs {
		if all[i], err = ledger.Decode(r); err != nil {
			p.t.Fatal(err)
		}
	}
	return all
}

// await follows the log of the project from its beginning until seen returns
// true.
func (p *project) await(what string, seen func(ledger.Event) bool) {
	p.t.Helper()
	for m, err := range p.open().Queue(ledger.Log).Watch(p.ctx, broker.WatchOptions{Peek: true}) {
		if err != nil {
			p.t.Fatalf("wait for %s: %v", what, err)
		}
		var e ledger.Event
		if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
			p.t.Fatalf("event %s: %v", m.Body, err)
		}
		if seen(e) {
			return
		}
	}
}

// awaitEnd waits until the task has ended and returns how. Nothing is started
// for it.
func (p *project) awaitEnd(tid string) *ledger.Task {
	p.t.Helper()
	p.await("the end of task "+tid, func(e ledger.Event) bool { return e.TID == tid && e.Status.Terminal() })
	return p.task(tid)
}

// manager is the process of the latest manager.
func (p *project) manager() proc.Identity {
	p.t.Helper()
	m := p.currentManager()
	if m == nil {
		p.t.Fatal("there has been no manager")
	}
	return m.Process
}

// currentManager is the record of the latest manager, nil if there is none.
func (p *project) currentManager() *ledger.Manager {
	p.t.Helper()
	r, err := p.open().Broker().Record(p.ctx, ledger.ManagerKind, ledger.CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return nil
	}
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := ledger.DecodeManager(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// signal sends a signal to a process that has to be alive.
func (p *project) signal(id proc.Identity, s syscall.Signal) {
	p.t.Helper()
	if err := id.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill kills a process that has to be alive and waits for its end.
func (p *project) kill(id proc.Identity) {
	p.t.Helper()
	p.signal(id, syscall.SIGKILL)
	if err := id.Wait(p.ctx); err != nil {
		p.t.Fatal(err)
	}
}

// end stops the project, and proves that nothing is left of it that should
// not be.
func (p *project) end() {
	t := p.t
	defer func() {
		if t.Failed() {
			p.dump()
		}
	}()
	p.ctx = waittest.Context(t)
	c := p.open()
	defer c.Close()
	for _, task := range p.tasks() {
		if !task.Status.Terminal() {
			t.Errorf("task %s (%s) has not ended: %s", task.TID, task.Name, task.Status)
		}
	}
	for leading := true; leading || p.coming(); {
		var err error
		if leading, err = manager.Running(filepath.Join(p.dir, ledger.Dir)); err != nil {
			t.Fatal(err)
		}
		if !leading {
			continue
		}
		if _, err := c.Manager().Stop(p.ctx); err != nil {
			t.Fatalf("stop manager: %v", err)
		}
	}
	p.vanish()
	p.examine()
	p.checkCrashes()
}

// coming reports whether a manager is there that does not lead yet, after it has
// given it a moment: a client that was killed may have started one.
func (p *project) coming() bool {
	for id, title := range p.processes() {
		if strings.HasPrefix(title, "weft-manager") {
			ctx, cancel := context.WithTimeout(p.ctx, 10*time.Millisecond)
			defer cancel()
			_ = id.Wait(ctx) // it may also find that it is not needed, and end
			return p.ctx.Err() == nil
		}
	}
	return false
}

// dump shows what may explain a failure.
func (p *project) dump() {
	logs, _ := filepath.Glob(filepath.Join(p.dir, ledger.Dir, "logs", "*"))
	for _, path := range logs {
		text, err := os.ReadFile(path)
		const most = 8 << 10
		p.t.Logf("%s (%v):\n%s", filepath.Base(path), err, text[max(0, len(text)-most):])
	}
}
