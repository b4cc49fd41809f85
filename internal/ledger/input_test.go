package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// wired lets a task take its item from raw.data and hand its result to clean.data.
func wired(s *taskspec.Spec) {
	s.IO = taskspec.IO{Inputs: map[string]string{"inbox": "raw.data"}, Outputs: map[string]string{"outbox": "clean.data"}}
}

// oldest makes the requests ready that can be given out.
func (p *project) oldest(n int) (jobs []*Job, inputs []string) {
	p.Helper()
	err := p.b.View(ctx, func(r broker.Reader) error {
		ready, all, err := Runnable(r, 0, n, 1<<20, true)
		if err != nil {
			return err
		}
		jobs, inputs = nil, all
		for _, m := range ready {
			jobs = append(jobs, must(Prepare(r, p.root, m)))
		}
		return nil
	})
	if err != nil {
		p.Fatal(err)
	}
	return jobs, inputs
}

// dispatch gives a job out and returns the reserved message, 0 if that was not
// possible any more.
func (p *project) dispatch(j *Job) (message broker.ID) {
	p.Helper()
	err := p.try(func(tx *broker.Tx) error {
		message = 0
		t, err := Dispatch(tx, j, consumer, at)
		if t != nil && err == nil {
			message = t.Message
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrChanged) {
		p.Fatal(err)
	}
	return message
}

// TestOldest: requests come in their order, those that wait for a queue as soon as
// it has a message for them.
func TestOldest(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	var tids []string
	for _, edit := range []func(*taskspec.Spec){wired, func(*taskspec.Spec) {}, wired, wired, func(*taskspec.Spec) {}} {
		tids = append(tids, p.submit(edit))
	}
	look := func(n int) (found []string) {
		jobs, inputs := p.oldest(n)
		for _, j := range jobs {
			found = append(found, fmt.Sprint(slices.Index(tids, j.TID), " ", j.item))
		}
		if !slices.Equal(inputs, []string{"raw.data"}) {
			t.Errorf("tasks wait for %v", inputs)
		}
		return found
	}
	if diff := cmp.Diff([]string{"1 item", "4 item"}, look(9)); diff != "" {
		t.Errorf("without a message (-want +got):\n%s", diff)
	}
	p.write("raw.data", "a")
	p.write("raw.data", "b")
	if diff := cmp.Diff([]string{"0 a", "1 item", "2 b", "4 item"}, look(9)); diff != "" {
		t.Errorf("with two messages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0 a", "1 item"}, look(2)); diff != "" {
		t.Errorf("of two (-want +got):\n%s", diff)
	}
}

// TestForwardWired: a request that was written by hand goes to where it waits,
// unless it brings an item of its own.
func TestForwardWired(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	const spec = `{"name":"n","spec":{"type":"command","process_target":"cat"},"io":{"inputs":{"inbox":"raw.data"}}}`
	p.write(Requests, spec)
	p.write(Requests, `{"taskspec":`+spec+`,"inbox_message":"mine"}`)
	p.write("raw.data", "theirs")
	jobs, _ := p.oldest(9)
	if len(jobs) != 2 || !jobs[0].NotForConsumer() || jobs[1].NotForConsumer() || jobs[1].Refused() == "" {
		t.Fatalf("jobs are %+v", jobs)
	}
	p.update(func(tx *broker.Tx) error {
		return errors.Join(Forward(tx, jobs[0], at), Refuse(tx, jobs[1], at))
	})
	jobs, _ = p.oldest(9)
	if len(jobs) != 1 || jobs[0].item != "theirs" || jobs[0].NotForConsumer() || p.dispatch(jobs[0]) == 0 {
		t.Errorf("jobs are %+v", jobs)
	}
}

// TestRefuseSupplied: a message that a task cannot be run with does not hold up
// the others that wait for the queue.
func TestRefuseSupplied(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	bad, good := p.submit(wired), p.submit(wired)
	poison := p.write("raw.data", `{"stdin":1}`)
	p.write("raw.data", "fine")
	jobs, _ := p.oldest(9)
	if len(jobs) != 2 || jobs[0].Refused() == "" {
		t.Fatalf("jobs are %+v", jobs)
	}
	p.update(func(tx *broker.Tx) error { return Refuse(tx, jobs[0], at) })
	if got := p.task(bad); got.Status != taskspec.StatusFailed || got.Message != poison {
		t.Errorf("task is %+v", got)
	}
	if got := p.bodies(QueuesOf(bad).Reserved); !slices.Equal(got, []string{`{"stdin":1}`}) {
		t.Errorf("kept are %q", got)
	}
	if jobs[1].TID != good || p.dispatch(jobs[1]) == 0 {
		t.Error("the next task does not get the next message")
	}
}

// TestSuppliedNested: a task that another has made needs no slot, and gets a
// message without its turn.
func TestSuppliedNested(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	parent, _ := p.submit(), p.submit(wired)
	p.run(parent)
	child := p.submission(Submission{Spec: echo(wired), Dir: p.root, Parent: parent})
	look := func() (ready []Ready) {
		t.Helper()
		if err := p.b.View(ctx, func(r broker.Reader) (err error) { ready, _, err = Runnable(r, 0, 3, 1<<20, false); return err }); err != nil {
			t.Fatal(err)
		}
		return ready
	}
	if got := look(); len(got) != 0 {
		t.Errorf("ready without a message: %+v", got)
	}
	item := p.write("raw.data", "a")
	if got := look(); len(got) != 1 || got[0].Request.ID.String() != child || got[0].Item.ID != item {
		t.Errorf("ready are %+v", got)
	}
	p.update(func(tx *broker.Tx) error { _, err := DropOrphans(tx); return err })
	if got := look(); len(got) != 1 {
		t.Errorf("the mark of a request that waits was dropped")
	}
}

// TestShown: the result that went to a queue is shown although its readers were
// faster, until it is taken, and kept after that; the queue keeps it whoever has seen it.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, form := range []Form{FormText, FormFile} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit(wired)
			p.write("raw.data", "a")
			jobs, _ := p.oldest(1)
			p.dispatch(jobs[0])
			h := handOff(tid, taskspec.Exited(0, ""))
			h.Output.Form = form
			if err := p.finish(h); err != nil {
				t.Fatal(err)
			}
			found := func() (found bool) {
				if err := p.b.View(ctx, func(r broker.Reader) (err error) { _, found, err = ResultMessage(r, p.task(tid)); return err }); err != nil {
					t.Fatal(err)
				}
				return found
			}
			needed := func() (needed bool) {
				a := Attempt{TID: tid, Epoch: 1, Stream: Stdout}
				if err := p.b.View(ctx, func(r broker.Reader) (err error) { needed, err = a.Needed(r); return err }); err != nil {
					t.Fatal(err)
				}
				return needed
			}
			forget := func() (n int) {
				p.update(func(tx *broker.Tx) (err error) {
					gone, _, err := Forget(tx, &Surplus{Tasks: 9}, noBytes, 0, 9)
					n = gone.Tasks
					return err
				})
				return n
			}
			if form == FormFile && forget() != 0 {
				t.Error("forgotten while nobody has read the message that stands for its file")
			}
			ms, err := p.b.Queue("clean.data").ReadAll(ctx, broker.Select{})
			if err != nil || len(ms) != 1 || ms[0].ID != p.task(tid).Result {
				t.Fatalf("queue holds %v, %v", ms, err)
			}
			if !found() {
				t.Error("not shown after a reader has it")
			}
			p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
			if found() {
				t.Error("found after it was taken")
			}
			if body, kept := p.kept(tid); body != ms[0].Body || !kept {
				t.Errorf("kept %q, %v", body, kept)
			}
			if needed() != (form == FormFile) {
				t.Errorf("file is needed: %v", needed())
			}
			if forget() != 1 || needed() || len(p.state().Records[resultCopyKind]) > 0 {
				t.Error("something is left")
			}
		})
	}
}

// TestFailedResult: readers of the queue get results of tasks that completed only.
func TestFailedResult(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(wired)
	p.write("raw.data", "a")
	jobs, _ := p.oldest(1)
	p.dispatch(jobs[0])
	if err := p.finish(handOff(tid, taskspec.Exited(1, ""))); err != nil {
		t.Fatal(err)
	}
	if got := p.bodies("clean.data"); len(got) > 0 {
		t.Errorf("queue holds %q", got)
	}
	if got := p.bodies(QueuesOf(tid).Outbox); !slices.Equal(got, []string{"result"}) {
		t.Errorf("outbox holds %q", got)
	}
}

// TestLoadWired: what waits for a queue in a dump waits for it where that is
// loaded, and what was in hand is kept.
func TestLoadWired(t *testing.T) {
	t.Parallel()
	p, other := newProject(t, sqlite.Options{}), newProject(t, sqlite.Options{})
	running, _ := p.submit(wired), p.submit(wired)
	p.write("raw.data", "a")
	jobs, _ := p.oldest(1)
	p.dispatch(jobs[0])
	p.write("raw.data", "b")
	other.mustLoad(p.dump(true, true), true)
	if got := other.bodies(QueuesOf(running).Reserved); !slices.Equal(got, []string{"a"}) {
		t.Errorf("kept are %q", got)
	}
	jobs, _ = other.oldest(9)
	if len(jobs) != 1 || jobs[0].item != "b" || other.dispatch(jobs[0]) == 0 {
		t.Errorf("jobs are %+v", jobs)
	}
}

// consumerOf is what a task that takes from the queue should have lived through.
type consumerOf struct {
	tid     string
	policy  taskspec.Policy
	status  taskspec.Status
	epoch   int
	message broker.ID
	kept    bool // its message is reserved
}

// consumers is a model of a queue and of the tasks that take from it.
type consumers struct {
	project
	all  []*consumerOf
	raw  []broker.ID // the queue
	jobs []*Job      // made ready at some time; many come too late
	out  int         // results in the other queue
}

// TestConsumers sends random sequences of transactions, late ones among them, and
// compares the store with the model: a message is in one place, and goes to one
// task, the oldest first.
func TestConsumers(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	rapid.Check(t, func(rt *rapid.T) {
		m := &consumers{project: project{rt, p.b, p.root}}
		defer m.clear()
		m.submit(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"submit":   m.submit,
			"write":    func(*rapid.T) { m.raw = append(m.raw, m.write("raw.data", "item")) },
			"read":     m.read,
			"look":     func(rt *rapid.T) { jobs, _ := m.oldest(3); m.jobs = append(m.jobs, jobs...) },
			"dispatch": m.dispatchOne,
			"finish":   m.finishOne,
			"end":      m.end,
			"again":    m.again,
			"":         m.compare,
		})
	})
}

// clear leaves nothing that could be given out.
func (m *consumers) clear() {
	m.update(func(tx *broker.Tx) error {
		for _, queue := range []string{"raw.data", "clean.data"} {
			if _, err := tx.Delete(queue, broker.Select{}); err != nil {
				return err
			}
		}
		for _, c := range m.all {
			if c.status != taskspec.StatusCreated {
				continue
			}
			if _, err := End(tx, c.tid, CommandStop, at); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *consumers) submit(t *rapid.T) {
	policy := rapid.SampledFrom([]taskspec.Policy{taskspec.PolicyKeep, taskspec.PolicyRequeue, taskspec.PolicyClear}).Draw(t, "policy")
	tid := m.project.submit(wired, policies(policy, policy))
	m.all = append(m.all, &consumerOf{tid: tid, policy: policy, status: taskspec.StatusCreated})
}

// one draws a task that has one of the statuses.
func (m *consumers) one(t *rapid.T, statuses ...taskspec.Status) *consumerOf {
	some := slices.DeleteFunc(slices.Clone(m.all), func(c *consumerOf) bool { return !slices.Contains(statuses, c.status) })
	if len(some) == 0 {
		t.Skip("there is none")
	}
	return rapid.SampledFrom(some).Draw(t, "task")
}

// read is somebody else who reads the queue.
func (m *consumers) read(t *rapid.T) {
	if len(m.raw) == 0 {
		t.Skip("the queue is empty")
	}
	got, err := m.b.Queue("raw.data").Read(ctx)
	if err != nil || got.ID != m.raw[0] {
		t.Fatalf("read %v, want %v: %v", got, m.raw[0], err)
	}
	m.raw = m.raw[1:]
}

func (m *consumers) dispatchOne(t *rapid.T) {
	if len(m.jobs) == 0 {
		t.Skip("nothing is ready")
	}
	j := rapid.SampledFrom(m.jobs).Draw(t, "job")
	i := slices.IndexFunc(m.all, func(c *consumerOf) bool { return c.tid == j.TID })
	c := m.all[i]
	possible := c.status == taskspec.StatusCreated && j.Epoch == c.epoch+1 && len(m.raw) > 0 && m.raw[0] == j.item0.ID
	message := m.dispatch(j)
	if possible && message == 0 { // its task was stopped and run again since, so it must be prepared again
		fresh, _ := m.oldest(len(m.all))
		if i := slices.IndexFunc(fresh, func(other *Job) bool { return other.TID == j.TID }); i >= 0 {
			message = m.dispatch(fresh[i])
		}
	}
	switch {
	case possible != (message != 0):
		t.Fatalf("%+v of %v dispatched with %v: %v", c, m.raw, j.item0.ID, message)
	case possible:
		c.status, c.epoch, c.message, c.kept = taskspec.StatusRunning, j.Epoch, message, true
		m.raw = m.raw[1:]
	}
}

func (m *consumers) finishOne(t *rapid.T) {
	c := m.one(t, taskspec.StatusRunning)
	outcome := rapid.SampledFrom([]taskspec.Outcome{taskspec.Exited(0, ""), taskspec.Exited(1, ""), taskspec.Stopped(), taskspec.Lost()}).Draw(t, "outcome")
	var err error
	if outcome.Event == taskspec.EventWorkLost {
		err = m.try(func(tx *broker.Tx) error { return MarkLost(tx, c.tid, c.epoch, at) })
	} else {
		h := handOff(c.tid, outcome)
		h.Epoch = c.epoch
		err = m.finish(h)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.status, c.kept = outcome.Status, false
	switch {
	case c.status == taskspec.StatusCompleted:
		m.out++
	case c.policy == taskspec.PolicyKeep:
		c.kept = true
	case c.policy == taskspec.PolicyRequeue:
		m.putBack(c)
	}
}

func (m *consumers) putBack(c *consumerOf) {
	m.raw = append(m.raw, c.message)
	slices.Sort(m.raw)
}

func (m *consumers) end(t *rapid.T) {
	c := m.one(t, taskspec.StatusCreated)
	m.update(func(tx *broker.Tx) error { _, err := End(tx, c.tid, CommandStop, at); return err })
	c.status = taskspec.StatusCancelled
}

func (m *consumers) again(t *rapid.T) {
	c := m.one(t, taskspec.StatusCompleted, taskspec.StatusFailed, taskspec.StatusCancelled)
	possible := c.epoch > 0 && (c.message == 0 || c.kept || slices.Contains(m.raw, c.message))
	err := m.try(func(tx *broker.Tx) error { _, _, err := Retry(tx, c.tid, at); return err })
	if (err == nil) != possible {
		t.Fatalf("retry of %+v: %v", c, err)
	}
	if !possible {
		return
	}
	if c.kept {
		m.putBack(c)
	}
	c.status, c.message, c.kept = taskspec.StatusCreated, 0, false
}

func (m *consumers) compare(t *rapid.T) {
	ids := func(queue string) (ids []broker.ID) {
		for msg, err := range m.b.Queue(queue).Messages(ctx, broker.Select{}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, msg.ID)
		}
		return ids
	}
	if got := ids("raw.data"); !slices.Equal(got, m.raw) {
		t.Fatalf("queue holds %v, want %v", got, m.raw)
	}
	if got := ids("clean.data"); len(got) != m.out {
		t.Fatalf("%d results, want %d", len(got), m.out)
	}
	for _, c := range m.all {
		var want []broker.ID
		if c.kept {
			want = []broker.ID{c.message}
		}
		if got := ids(QueuesOf(c.tid).Reserved); !slices.Equal(got, want) {
			t.Fatalf("%+v has reserved %v", c, got)
		}
		if got := m.task(c.tid).Status; got != c.status {
			t.Fatalf("%+v is %s", c, got)
		}
	}
}
