package manager

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	consumers "weft/internal/consumer" // the pool has a type called consumer
	"weft/internal/engine"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/taskspec"
)

// seat makes a consumer whose process is played by the test, which gets the
// other end of its link.
func (p *pool) seat(t *testing.T, s state, since time.Time) (*consumer, *consumers.ConsumerLink) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := &consumer{link: consumers.NewLink[consumers.Report, consumers.Order](ours), state: s, since: since}
	other := consumers.NewLink[consumers.Order, consumers.Report](theirs)
	t.Cleanup(func() { c.link.Close(); other.Close() })
	p.consumers = append(p.consumers, c)
	return c, other
}

func TestPoolCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_763_740_800, 0)
	p := &pool{o: Options{MaxTasks: 7}, survivors: survivors{{"1", 1}: {}, {"2", 1}: {}}}
	p.seat(t, starting, now)
	late, _ := p.seat(t, idle, now.Add(2))
	a, _ := p.seat(t, busy, now)
	early, _ := p.seat(t, idle, now.Add(1))
	b, _ := p.seat(t, busy, now)
	nested, _ := p.seat(t, busy, now)
	nested.slotless = true
	p.seat(t, leaving, now)
	if diff := cmp.Diff(load{slots: 7, running: 4, idle: 2, starting: 1}, p.load(), cmp.AllowUnexported(load{})); diff != "" {
		t.Errorf("load (-want +got):\n%s", diff)
	}
	if got := p.busy(); !slices.Equal(got, []*consumer{a, b, nested}) {
		t.Errorf("busy are %v", got)
	}
	if got := p.idle(); !slices.Equal(got, []*consumer{early, late}) {
		t.Errorf("idle are %v", got)
	}

	a.task, a.slotless = task{"3", 1}, true
	a.becomeIdle(now.Add(3))
	if got := p.idle(); !slices.Equal(got, []*consumer{early, late, a}) || a.task != (task{}) || a.slotless {
		t.Errorf("idle are %v, the last %+v", got, a)
	}
	p.remove(early)
	if got := p.idle(); !slices.Equal(got, []*consumer{late, a}) || len(p.consumers) != 6 {
		t.Errorf("idle are %v", got)
	}
	if err := early.link.Send(consumers.Order{Revoke: true}); err == nil {
		t.Error("the link to a dead consumer is open")
	}
}

// Idle consumers leave, those beyond the spares soon and the spares later, as
// the loop lets them: it asks again when it was told to.
func TestPoolRetires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const cores = 2
		begin := time.Now()
		p := &pool{}
		var left sync.Map // consumer → after how long
		var leaving sync.WaitGroup
		for i := range 5 {
			_, other := p.seat(t, idle, begin)
			leaving.Go(func() {
				if _, err := other.Receive(); err != nil {
					left.Store(i, time.Since(begin))
				}
			})
		}
		working, _ := p.seat(t, busy, begin)
		for next := p.retire(cores, time.Now()); !next.IsZero(); next = p.retire(cores, time.Now()) {
			time.Sleep(time.Until(next))
		}
		leaving.Wait()
		got := make(map[int]time.Duration)
		left.Range(func(i, after any) bool { got[i.(int)] = after.(time.Duration); return true })
		const soon, later = 2 * time.Second, 30 * time.Second
		if diff := cmp.Diff(map[int]time.Duration{0: soon, 1: soon, 2: soon, 3: later, 4: later}, got); diff != "" {
			t.Errorf("consumers left after (-want +got):\n%s", diff)
		}
		if working.state != busy || len(p.idle()) != 0 {
			t.Errorf("the one that works is %v, idle are %v", working.state, p.idle())
		}
	})
}

// job is a request made ready, with the environment env.
func job(tid, env string) *ledger.Job {
	return &ledger.Job{Slotless: true, Assignment: ledger.Assignment{
		TID: tid, Epoch: 2, Name: "greet", Root: "/p", Argv: []string{"echo", "a"}, Stdin: "in", Input: "file", Dir: "/d", Env: env,
		Work: taskspec.Work{
			ProcessTarget: "echo", Args: []any{"a"}, WorkingDir: "/d", Key: "once",
			Env: map[string]string{"A": "1"}, Timeout: 1500 * time.Millisecond, StopGrace: new(500 * time.Millisecond), OutputSizeLimitMB: new(2.0), EnableProcessTitle: new(false),
			ReservedPolicyOnError: taskspec.PolicyRequeue, ReservedPolicyOnStop: taskspec.PolicyClear, OnManagerLoss: taskspec.LossStop,
			Limits: taskspec.Limits{MemoryMB: new(1.5), MaxFDs: new(3)}, PollingInterval: 250 * time.Millisecond, ReportingInterval: taskspec.ReportPoll, StreamOutput: true,
		},
	}}
}

// assigned gives a job to a consumer and returns what that got.
func (p *pool) assigned(t *testing.T, c *consumer, other *consumers.ConsumerLink, j *ledger.Job, block string) *ledger.Assignment {
	t.Helper()
	sent := make(chan error, 1)
	go func() { sent <- p.assign(c, j, block) }()
	o, err := other.Receive()
	if err != nil || o.Task == nil {
		t.Fatalf("received %+v, %v", o, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	return o.Task
}

func TestAssign(t *testing.T) {
	t.Parallel()
	p := &pool{o: Options{Root: "/p", Dir: "/p/.weft", Durability: "full", MaxMessage: 9}}
	c, other := p.seat(t, idle, time.Time{})
	want := job("1", "k").Assignment
	want.WeftDir, want.EnvBlock, want.MaxMessage, want.Durability = "/p/.weft", []byte("B=\xff"), 9, "full"
	want.Work.ProcessTarget, want.Work.Args, want.Work.WorkingDir, want.Work.Key = "", nil, "", "" // resolved
	if diff := cmp.Diff(&want, p.assigned(t, c, other, job("1", "k"), "B=\xff")); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
	if c.state != busy || c.task != (task{"1", 2}) || !c.slotless {
		t.Errorf("consumer is %+v", c)
	}
	other.Close()
	before := *c
	if err := p.assign(c, job("2", "k"), ""); err == nil || *c != before {
		t.Errorf("assigned to a dead consumer: %+v, %v", c, err)
	}
}

// An environment goes to a consumer once, and again only if the consumer may
// not have it any more.
func TestAssignEnvironment(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	d := quiet(nil)
	d.Waiters[engine.Control] = p.listen(t)
	c, other := d.pool.seat(t, idle, time.Time{})
	for i, step := range []struct {
		key   string
		block bool
		drop  bool // the job is taken back
	}{
		{"k1", true, false}, {"k1", false, false}, {"k2", true, false}, {"", false, false}, {"k2", true, false},
		// A consumer that is still being thanked for its last task may forget a
		// task that is taken back, with all that came with it.
		{"k3", true, true}, {"k3", true, false}, {"k3", false, true}, {"k3", true, false},
	} {
		j := job("1", step.key)
		block := "A=1"
		if step.key == "" {
			block = "" // the consumer's own
		}
		a := d.pool.assigned(t, c, other, j, block)
		if a.Env != step.key || (a.EnvBlock != nil) != step.block {
			t.Errorf("step %d: environment %q with %d bytes", i, a.Env, len(a.EnvBlock))
		}
		if !step.drop {
			c.becomeIdle(time.Time{})
			continue
		}
		dropped := make(chan struct{})
		go func() {
			defer close(dropped)
			d.revoke(c, j)
		}()
		if o, err := other.Receive(); err != nil || !o.Revoke {
			t.Fatalf("received %+v, %v", o, err)
		}
		if <-dropped; c.state != idle || c.task != (task{}) {
			t.Errorf("step %d: consumer is %+v", i, c)
		}
	}
}

// TestFill: a request that waits for a slot is not forgotten, and one that needs
// none does not wait.
func TestFill(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	o := Options{Root: p.root, Dir: p.dir, Broker: p.b, MaxTasks: 1, Log: slog.New(slog.DiscardHandler)}
	d := newLoop(o)
	d.Waiters[engine.Control], d.Waiters[engine.Requests] = p.listen(t), p.listen(t)
	working, _ := d.pool.seat(t, busy, time.Time{})
	_, other := d.pool.seat(t, idle, time.Time{})
	parent := p.submit(t, "", "true")
	fill := func(when string, want ...string) {
		t.Helper()
		if err := d.fill(t.Context()); err != nil {
			t.Fatal(err)
		}
		var tids []string
		for _, c := range d.Pending() {
			tids = append(tids, c.TID)
		}
		if !slices.Equal(tids, want) || !d.Stale[engine.Requests] {
			t.Errorf("%s: dispatched %v, waiting %v", when, tids, d.Stale[engine.Requests])
		}
	}
	fill("without a slot")
	given := make(chan consumers.Order, 2)
	var receiving sync.WaitGroup
	receiving.Go(func() {
		for range 2 {
			if o, err := other.Receive(); err == nil {
				given <- o
			}
		}
	})
	child := p.submit(t, parent, "true")
	fill("with a nested one", child)
	if o := <-given; o.Task == nil || o.Task.TID != child || o.Task.EnvBlock == nil {
		t.Errorf("its consumer got %+v", o)
	}
	for _, c := range d.pool.consumers {
		c.becomeIdle(time.Time{})
	}
	working.state = leaving
	fill("with a slot", child, parent)
	if o := <-given; o.Task == nil || o.Task.TID != parent || o.Task.EnvBlock != nil {
		t.Errorf("its consumer got %+v", o)
	}
	receiving.Wait()
}

// quiet is a loop at work without a store: nothing here writes.
func quiet(watch watch) *loop {
	o := Options{Build: build, MaxTasks: 2, Log: slog.New(slog.DiscardHandler), Ready: func() {}}
	l := newLoop(o)
	l.watch = watch
	return l
}

// whats returns what the changes write.
func whats(changes []engine.Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.What+" "+c.TID)
	}
	return all
}

func TestHeard(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_763_740_800, 0)
	l := quiet(nil)
	ready := 0
	l.o.Ready = func() { ready++ }
	l.failedStarts = 2
	c, _ := l.pool.seat(t, starting, time.Time{})
	self := proc.Identity{PID: 7, Ticks: 1, Boot: "b"}
	if err := l.onReport(c, consumers.Report{Hello: &consumers.Hello{Protocol: consumers.Protocol, Build: build, Process: self}}, now); err != nil {
		t.Fatal(err)
	}
	if c.state != idle || !c.since.Equal(now) || c.self != self || ready != 1 || l.failedStarts != 0 {
		t.Errorf("after hello the consumer is %+v, ready %d times", c, ready)
	}
	given := task{"1", 1}
	c.state, c.task = busy, given
	process := proc.Identity{PID: 8, Ticks: 2, Boot: "b"}
	h := &ledger.HandOff{TID: "1", Epoch: 1, Seq: 1}
	for _, r := range []consumers.Report{{Started: &process}, {Used: &ledger.Usage{FDs: 3}}, {Finished: h}} {
		if err := l.onReport(c, r, now.Add(1)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"note a report of task 1", "note a report of task 1", "finish task 1"}, whats(l.Pending())); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if l.ended != 1 || c.state != idle || !c.since.Equal(now.Add(1)) {
		t.Errorf("%d ended, consumer %+v", l.ended, c)
	}
	for _, hello := range []consumers.Hello{{Protocol: consumers.Protocol, Build: "other"}, {Protocol: consumers.Protocol + 1, Build: build}} {
		if err := l.onReport(c, consumers.Report{Hello: &hello}, now); err == nil {
			t.Errorf("a consumer that says %+v is welcome", hello)
		}
	}
}

// The death of a consumer matters by what it was doing.
func TestMourn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state     state
		stillborn int
		lost      bool
		fails     bool
	}{
		"idle":                 {idle, 0, false, false},
		"leaving":              {leaving, 0, false, false},
		"busy":                 {busy, 0, true, false},
		"starting, once again": {starting, maxFailedStarts - 1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watched := 0
			l := quiet(func(func(context.Context, func(event)) event) { watched++ })
			l.failedStarts = test.stillborn
			c, _ := l.pool.seat(t, test.state, time.Time{})
			if test.state == busy {
				c.task = task{"1", 1}
			}
			if err := l.onExit(c, nil); (err != nil) != test.fails {
				t.Errorf("got error %v", err)
			}
			if _, counted := l.pool.survivors[task{"1", 1}]; counted != test.lost || (watched == 1) != test.lost {
				t.Errorf("its task is counted: %v, watched %d", counted, watched)
			}
			if len(l.pool.consumers) != 0 || len(l.Pending()) != 0 {
				t.Errorf("consumers %v, pending %+v", l.pool.consumers, l.Pending())
			}
			if !test.lost {
				return
			}
			// Until its remains are gone the task holds its slot, then it is lost.
			if err := l.onLost(task{"1", 1}); err != nil || len(l.pool.survivors) != 0 || !slices.Equal(whats(l.Pending()), []string{"note loss of task 1"}) {
				t.Errorf("survivors %v, pending %v, %v", l.pool.survivors, whats(l.Pending()), err)
			}
		})
	}
}

// A watch ends with its loop, whether or not anybody takes its events.
func TestWatcher(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan func() error)
	var background sync.WaitGroup
	watch := watcher(ctx, &background, events)
	handled := 0
	happens := func(n int) event { return func() error { handled = n; return nil } }
	watch(func(_ context.Context, emit func(event)) event {
		emit(happens(1))
		return happens(2)
	})
	for want := 1; want <= 2; want++ {
		if err := (<-events)(); err != nil || handled != want {
			t.Errorf("event %d, want %d; %v", handled, want, err)
		}
	}
	watch(func(context.Context, func(event)) event { return nil }) // no event
	watch(func(ctx context.Context, emit func(event)) event {
		emit(happens(3)) // never taken
		<-ctx.Done()
		return happens(4) // nor this
	})
	cancel()
	background.Wait()
}
