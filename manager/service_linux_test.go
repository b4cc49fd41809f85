package manager

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// testServices are manifests that a test changes.
type testServices struct {
	declared atomic.Pointer[[]Declared]
	spec     *taskspec.Spec
	root     string
}

// service is a service that writes into the gate when it begins.
func (p *project) service(g *waittest.FIFO) *testServices {
	s := &testServices{root: p.root, spec: &taskspec.Spec{Name: "serve", Work: taskspec.Work{
		Type: taskspec.KindCommand, ProcessTarget: "sh", Args: []any{"-c", `echo up >"$1"; exec sleep 1000`, "sh", g.Path},
	}}}
	s.set(Declared{File: "web.json", Manifest: &taskspec.Manifest{
		Name: "web", Target: taskspec.ManifestTarget{Type: taskspec.TargetTask, Name: "serve"},
		Policy: taskspec.ServicePolicy{Mode: taskspec.ModeEnsure, Backoff: 10 * time.Millisecond},
	}}, Declared{File: "worse.json", Err: errors.New("name: required")},
		Declared{File: "none.json", Manifest: &taskspec.Manifest{Name: "none"}})
	return s
}

func (s *testServices) set(all ...Declared) { s.declared.Store(&all) }

// options gives a manager the services, and one slot.
func (s *testServices) options(o *Options) {
	o.MaxTasks, o.Lifetime = 1, 10*time.Millisecond
	o.Autostart = &Autostart{
		Declared: func() []Declared { return *s.declared.Load() },
		Submission: func(m *taskspec.Manifest) (ledger.Submission, error) {
			if m.Name != "web" {
				return ledger.Submission{}, errors.New("target.name: no such spec")
			}
			return ledger.Submission{Spec: s.spec, Item: "{}", Dir: s.root, Env: ledger.EncodeEnv(os.Environ())}, nil
		},
	}
}

// webService is the record of the service.
func (p *project) webService(t *testing.T) (s *ledger.Service) {
	t.Helper()
	err := p.b.View(t.Context(), func(r broker.Reader) (err error) {
		s, _, err = ledger.FindService(r, "web")
		return err
	})
	if err != nil || s == nil {
		t.Fatalf("service %v, %v", s, err)
	}
	return s
}

// TestService: a service is there again when it has ended; it outlives its manager
// and is not started twice then; it holds no slot, neither from this manager nor
// from an earlier one; and while it lives the manager does not leave.
func TestService(t *testing.T) {
	t.Parallel()
	p, g := newProject(t), newGate(t)
	s := p.service(g)
	first := p.manage(t, s.options)
	g.Read()
	p.wantEnd(t, p.submit(t, "", "exit 0"), taskspec.Exited(0, ""))
	tid := p.webService(t).TID
	p.end(t, tid, ledger.CommandKill)
	g.Read()
	web := p.webService(t)
	if web.TID == tid || web.Restarts != 1 {
		t.Errorf("after its end: %+v, it was %s", web, tid)
	}

	first.cancel(errors.New("gone"))
	_ = first.left(t)
	second := p.manage(t, s.options)
	p.wantEnd(t, p.submit(t, "", "exit 0"), taskspec.Exited(0, ""))
	if now := p.webService(t); now.TID != web.TID || now.Manager != p.currentManager(t).TID {
		t.Errorf("under the next manager: %+v, it was %+v", now, web)
	}

	// Nobody declares it any more: it is left alone, and does not come back.
	s.set()
	p.end(t, web.TID, ledger.CommandKill)
	if err := second.left(t); err != nil {
		t.Error(err)
	}
	if now := p.webService(t); now.TID != web.TID {
		t.Errorf("it came back: %+v", now)
	}
}

// end ends a task and waits until it has ended.
func (p *project) end(t *testing.T, tid string, c ledger.Command) {
	t.Helper()
	err := p.b.Update(t.Context(), func(tx *broker.Tx) error { _, err := ledger.End(tx, tid, c, time.Now()); return err })
	if err != nil {
		t.Fatal(err)
	}
	p.ended(t, tid)
}

// TestServiceAppears: a manifest that somebody writes by hand is noticed, although
// nobody tells the manager.
func TestServiceAppears(t *testing.T) {
	t.Parallel()
	p, g := newProject(t), newGate(t)
	s := p.service(g)
	declared := *s.declared.Load()
	s.set()
	p.manage(t, func(o *Options) { s.options(o); o.Lifetime = 0 })
	p.wantEnd(t, p.submit(t, "", "exit 0"), taskspec.Exited(0, "")) // by then it has looked
	began := time.Now()
	s.set(declared...)
	g.Read()
	t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
}

// TestServiceGivenUp: a service that may be restarted once is, and then its manager
// leaves.
func TestServiceGivenUp(t *testing.T) {
	t.Parallel()
	p, g := newProject(t), newGate(t)
	s := p.service(g)
	(*s.declared.Load())[0].Manifest.Policy.MaxRestarts = new(1)
	s.spec.Args = []any{"-c", `echo up >"$1"; exit 1`, "sh", g.Path}
	m := p.manage(t, s.options)
	g.Read()
	g.Read()
	if err := m.left(t); err != nil {
		t.Error(err)
	}
	if web := p.webService(t); web.Restarts != 1 {
		t.Errorf("it was restarted %d times", web.Restarts)
	}
}

// TestHeld: of a project that nobody trusts no service is started, nor what waited
// there, until somebody trusts it.
func TestHeld(t *testing.T) {
	t.Parallel()
	p, g := newProject(t), newGate(t)
	s := p.service(g)
	old := p.submit(t, "", "exit 0")
	id, err := broker.ParseID(old)
	if err != nil {
		t.Fatal(err)
	}
	var held atomic.Int64
	held.Store(int64(id))
	p.manage(t, func(o *Options) {
		s.options(o)
		o.Lifetime = 0
		o.Quarantined = func() broker.ID { return broker.ID(held.Load()) }
	})
	p.wantEnd(t, p.submit(t, "", "exit 0"), taskspec.Exited(0, ""))
	if was := p.task(t, old); was.Status != taskspec.StatusCreated {
		t.Errorf("the old task is %s", was.Status)
	}
	held.Store(0)
	if err := p.b.Update(t.Context(), func(tx *broker.Tx) error { tx.Notify(ledger.Services); return nil }); err != nil {
		t.Fatal(err)
	}
	p.wantEnd(t, old, taskspec.Exited(0, ""))
	g.Read()
}
