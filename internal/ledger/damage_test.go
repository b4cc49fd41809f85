package ledger

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/proc"
	"weft/internal/protocol"
)

// damage gives the record another body.
func (p *project) damage(kind, key, body string) {
	p.Helper()
	p.update(func(tx *broker.Tx) error {
		rec, err := tx.Record(kind, key)
		if err != nil {
			return err
		}
		rec.Body = body
		return tx.PutRecord(rec)
	})
}

// repaired repairs all that is damaged.
func (p *project) repaired() (done []*Repair) {
	p.Helper()
	var found []Damage
	if err := p.b.View(ctx, func(r broker.Reader) (err error) { found, err = FindDamage(ctx, r); return err }); err != nil {
		p.Fatal(err)
	}
	for _, d := range found {
		var fix *Repair
		if err := p.b.View(ctx, func(r broker.Reader) (err error) { fix, err = PrepareRepair(r, d); return err }); err != nil {
			p.Fatal(err)
		}
		p.update(func(tx *broker.Tx) error {
			was, err := fix.Apply(tx, at)
			if err == nil && !was {
				err = errors.New("it was not done")
			}
			return err
		})
		done = append(done, fix)
	}
	return done
}

// TestEnvironmentMended: who submits with an environment of which the record is damaged
// gets the one that he has, not the damaged one.
func TestEnvironmentMended(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	key := p.task(p.submit()).Env
	p.damage(envKind, key, "PATH=/evil")
	again := p.task(p.submit()).Env
	err := p.b.View(ctx, func(r broker.Reader) error { _, err := Environment(r, again); return err })
	if err != nil || again != key {
		t.Errorf("got environment %s, error %v, want %s", again, err, key)
	}
}

// A task whose environment is damaged, or gone, is not run with another one.
func TestDamagedEnvironment(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	key := p.task(tid).Env
	p.damage(envKind, key, "PATH=/evil")
	err := p.b.View(ctx, func(r broker.Reader) error { _, err := Environment(r, key); return err })
	if !errors.Is(err, broker.ErrDamaged) || !RefuseEnvironment(new(Job), err) {
		t.Errorf("got error %v", err)
	}
	p.repaired()
	err = p.b.View(ctx, func(r broker.Reader) error { _, err := Environment(r, key); return err })
	if !errors.Is(err, broker.ErrNotFound) || !RefuseEnvironment(new(Job), err) {
		t.Errorf("got error %v", err)
	}
	p.update(func(tx *broker.Tx) error { _, err := End(tx, tid, CommandStop, at); return err })
	p.update(func(tx *broker.Tx) error {
		_, _, err := Forget(tx, &Surplus{Tasks: 10}, noBytes, 0, 10)
		return err
	})
}

// What a record said that is damaged, and something else says too, is made anew just as
// it was, but for what nobody else knows.
func TestMended(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	m := p.arrive(consumer)
	s := &Server{Process: proc.Identity{PID: 7, Ticks: 8, Boot: "boot"}, Started: 9}
	p.update(func(tx *broker.Tx) error { return PutServer(tx, s) })
	before := p.state().Records
	for _, kind := range []string{ManagerKind, serverKind} {
		for _, rec := range before[kind] {
			p.damage(kind, rec.Key, "garbage")
			for _, fix := range p.repaired() {
				if fix.Instead == nil || *fix.Instead != rec {
					t.Errorf("%s %s became %+v, want %+v", kind, rec.Key, fix.Instead, rec)
				}
			}
		}
	}
	for _, key := range []string{m.TID, CurrentManager} {
		p.damage(ManagerKind, key, "{}")
	}
	p.repaired()
	if got := p.current(); got.TID != m.TID || got.Status != ManagerRunning {
		t.Errorf("of the latest manager is left %+v", got)
	}
	p.update(func(tx *broker.Tx) error { return DropServer(tx, s) })
}

// The stage of a pipeline takes the pipeline along, and one whose pipeline is damaged
// ends by itself.
func TestDamagedStage(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.pipeline(noItem, stage("a"), stage("b"))
	p.begin(tid)
	first := p.task(tid).Plan.Current().TID
	p.run(first)
	p.damage(Kind, first, "garbage")
	if err := p.b.View(ctx, func(r broker.Reader) error { return CheckTask(r, p.task(tid)) }); !errors.Is(err, broker.ErrDamaged) {
		t.Errorf("who waits for the pipeline is told %v", err)
	}
	p.repaired()
	if got := p.task(tid); !got.Status.Terminal() || !strings.Contains(got.Error, "damaged") {
		t.Errorf("the pipeline is %s: %s", got.Status, got.Error)
	}
}

// What is not one task's manager does not get work from this version.
func TestSkew(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	self, err := proc.Self()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		m       Manager
		managed bool
		err     error
	}{
		"of this version":                {Manager{Process: self, Protocol: protocol.Version}, true, nil},
		"of the one before":              {Manager{Process: self, Protocol: protocol.Version - 1}, false, ErrVersionSkew},
		"of before there was a protocol": {Manager{Process: self}, false, ErrVersionSkew},
		"of a later one":                 {Manager{Process: self, Protocol: protocol.Version + 1}, false, ErrVersionSkew},
		"dead":                           {Manager{Process: consumer, Protocol: protocol.Version - 1}, true, nil},
	} {
		p.update(func(tx *broker.Tx) error {
			test.m.TID, test.m.Status = "1763740800000000000", ManagerRunning
			if err := test.m.save(tx, eventManagerStarted, false, at); err != nil {
				return err
			}
			managed, err := Managed(tx)
			if managed != test.managed && test.err == nil || !errors.Is(err, test.err) {
				t.Errorf("%s: managed is %v, %v", name, managed, err)
			}
			if err != nil && !strings.Contains(err.Error(), "weft manager stop") {
				t.Errorf("%s: %v does not say what to do", name, err)
			}
			return SendManagerControl(tx, CommandStop) // which any version obeys
		})
	}
}

// However many control messages come, what is left of them is bounded, and those that
// are behind others are obeyed.
func TestControlFlood(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	m := p.arrive(consumer)
	tid := p.submit()
	p.run(tid)
	const flood = 2*controlsAtOnce + 500
	q := QueuesOf(tid)
	p.update(func(tx *broker.Tx) error {
		for i := range flood + 1 {
			for _, queue := range []string{q.ControlIn, ManagerControl} {
				word := "junk"
				if i == flood {
					word = "STOP"
				}
				if _, err := tx.Write(queue, word); err != nil {
					return err
				}
			}
		}
		return nil
	})
	var orders []Command
	for len(orders) < 2 {
		p.update(func(tx *broker.Tx) error {
			for _, obey := range []func() ([]Command, error){
				func() ([]Command, error) { return ReadTaskControl(tx, tid, at) },
				func() ([]Command, error) { return m.ReadControl(tx, at) },
			} {
				some, err := obey()
				if err != nil {
					return err
				}
				orders = append(orders, some...)
			}
			return nil
		})
	}
	state := p.state()
	for _, queue := range []string{q.ControlOut, ManagerReplies} {
		if n := len(state.Messages[queue]); n > maxReplies {
			t.Errorf("%d replies are in %s", n, queue)
		}
	}
	if n := len(state.Messages[Log]); n > 4*maxLogged {
		t.Errorf("%d events are in the log", n)
	}
	if !slices.Equal(orders, []Command{CommandStop, CommandStop}) {
		t.Errorf("orders are %v", orders)
	}
}

// Each kind of record that the sources name is one of [Kinds], so that it is looked at.
func TestKinds(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\s*(?:const )?\w*Kind\s+= "(\w+)"$`).FindAllSubmatch(text, -1) {
			named[string(m[1])] = true
		}
	}
	if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, Kinds()) {
		t.Errorf("the sources name %q, and %q are looked at", got, Kinds())
	}
}
