package ledger

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// life is what a task should have lived through.
type life struct {
	tid       string
	policy    taskspec.Policy
	jobs      []*Job // made ready at some time; all but one come too late
	status    taskspec.Status
	epoch     int // how often it was dispatched
	message   broker.ID
	applied   bool // a hand-off was accepted
	result    string
	seq       int      // of the last hand-off that was accepted
	chunks    []string // accepted since its last retry
	tries     int      // how many attempts its policy allows; 0: it has none
	base      int      // attempts before somebody asked for more
	waits     bool     // before it begins, and before each other attempt
	pending   bool     // waits now
	told      bool     // to end, while it ran
	past      []string // results of attempts that were followed by others
	place     string   // where its message should be: a queue, or nowhere
	following []step   // what has been sent and may come again
}

// step is a transaction that a consumer or a manager asks for, perhaps late or
// twice.
type step struct {
	epoch, seq int
	lost       bool // else it is a hand-off
	chunk      bool // of output
	outcome    taskspec.Outcome
	result     string
}

// TestLives sends random sequences of transactions, stale and repeated ones
// among them, and compares the store with a model: a message is in one place
// (G2), one result is accepted for an epoch, and an end is final (G3).
func TestLives(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	rapid.Check(t, func(rt *rapid.T) {
		m := &lives{project: project{rt, p.b, p.root}}
		m.submit(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"submit":   m.submit,
			"prepare":  m.prepareOne,
			"dispatch": m.dispatch,
			"print":    m.print,
			"finish":   m.finishOne,
			"lose":     m.lose,
			"repeat":   m.repeat,
			"end":      m.end,
			"again":    m.again,
			"promote":  m.promote,
			"":         func(rt *rapid.T) { m.compare(rt, m.drawn) },
		})
		m.compare(rt, m.all...)
	})
}

type lives struct {
	project
	all   []*life
	drawn *life // what the last step was about
}

func (m *lives) any(t *rapid.T) *life {
	m.drawn = rapid.SampledFrom(m.all).Draw(t, "task")
	return m.drawn
}

func (m *lives) submit(t *rapid.T) {
	policy := rapid.SampledFrom([]taskspec.Policy{taskspec.PolicyKeep, taskspec.PolicyRequeue, taskspec.PolicyClear}).Draw(t, "policy")
	s := Submission{Spec: echo(policies(policy, policy)), Item: "item", Dir: m.root}
	delay := rapid.SampledFrom([]time.Duration{0, 5 * time.Second}).Draw(t, "delay")
	s.Spec.Delay = delay
	tries := rapid.IntRange(0, 3).Draw(t, "tries")
	if tries > 0 {
		s.Spec.Retry = &taskspec.RetryPolicy{MaxAttempts: &tries, Backoff: &delay}
	}
	if len(m.all) > 0 && rapid.Bool().Draw(t, "nested") {
		parent := m.any(t).tid
		if m.task(parent).Depth < MaxDepth {
			s.Parent = parent
		}
	}
	m.drawn = &life{tid: m.submission(s), policy: policy, status: taskspec.StatusCreated, tries: tries, waits: delay > 0, pending: delay > 0}
	m.all = append(m.all, m.drawn)
}

// prepareOne makes a request ready, as every manager does that sees it.
func (m *lives) prepareOne(t *rapid.T) {
	l := m.any(t)
	if l.status != taskspec.StatusCreated || l.pending {
		t.Skip("its request is gone, or is not due")
	}
	l.jobs = append(l.jobs, m.prepare(l.tid))
}

func (m *lives) dispatch(t *rapid.T) {
	l := m.any(t)
	if len(l.jobs) == 0 {
		t.Skip("nobody has seen its request")
	}
	job := rapid.SampledFrom(l.jobs).Draw(t, "job")
	var message broker.ID
	err := m.try(func(tx *broker.Tx) error {
		message = 0
		task, err := Dispatch(tx, job, consumer, at)
		if task != nil && err == nil {
			message = task.Message
		}
		return err
	})
	if err != nil && !errors.Is(err, ErrChanged) {
		t.Fatal(err)
	}
	if (message != 0) != (l.status == taskspec.StatusCreated && job.Epoch == l.epoch+1) {
		t.Fatalf("a task that is %s after %d attempts was dispatched for attempt %d with message %v", l.status, l.epoch, job.Epoch, message)
	}
	if message != 0 {
		l.epoch++
		l.status, l.message, l.place, l.seq = taskspec.StatusRunning, message, QueuesOf(l.tid).Reserved, 0
	}
}

func (m *lives) finishOne(t *rapid.T) {
	outcomes := []taskspec.Outcome{taskspec.Exited(0, ""), taskspec.Exited(1, ""), taskspec.Stopped(), taskspec.Killed(), taskspec.TimedOut(1)}
	m.send(t, m.any(t), step{
		epoch: rapid.IntRange(0, 3).Draw(t, "epoch"), seq: rapid.IntRange(1, 3).Draw(t, "seq"),
		outcome: rapid.SampledFrom(outcomes).Draw(t, "outcome"), result: rapid.StringMatching("[a-z]{1,3}").Draw(t, "result"),
	})
}

// print reports output.
func (m *lives) print(t *rapid.T) {
	m.send(t, m.any(t), step{
		epoch: rapid.IntRange(0, 3).Draw(t, "epoch"), seq: rapid.IntRange(1, 3).Draw(t, "seq"),
		chunk: true, result: rapid.StringMatching("[a-z]{1,3}").Draw(t, "output"),
	})
}

func (m *lives) lose(t *rapid.T) {
	m.send(t, m.any(t), step{epoch: rapid.IntRange(0, 3).Draw(t, "epoch"), lost: true, outcome: taskspec.Lost()})
}

// repeat sends again what was sent before.
func (m *lives) repeat(t *rapid.T) {
	l := m.any(t)
	if len(l.following) == 0 {
		t.Skip("nothing was sent")
	}
	m.send(t, l, rapid.SampledFrom(l.following).Draw(t, "again"))
}

func (m *lives) send(t *rapid.T, l *life, s step) {
	l.following = append(l.following, s)
	accepted := s.epoch == l.epoch && l.status == taskspec.StatusRunning && (s.lost || s.seq > l.seq)
	var err error
	switch {
	case s.lost:
		err = m.try(func(tx *broker.Tx) error { return MarkLost(tx, l.tid, s.epoch, at) })
	case s.chunk:
		c := &Chunks{TID: l.tid, Epoch: s.epoch, Seq: s.seq, Chunks: []Chunk{{Stream: Stdout, Data: []byte(s.result)}}}
		err = m.try(func(tx *broker.Tx) error { return WriteChunks(tx, c) })
	default:
		h := handOff(l.tid, s.outcome)
		h.Epoch, h.Seq, h.Result = s.epoch, s.seq, []byte(s.result)
		err = m.finish(h)
	}
	if err != nil && (s.lost || accepted || !errors.Is(err, ErrStale)) {
		t.Fatalf("%+v of a task that is %s: %v", s, l.status, err)
	}
	if !accepted {
		return
	}
	l.seq = s.seq
	if s.chunk {
		l.chunks = append(l.chunks, s.result)
		return
	}
	l.status, l.place = s.outcome.Status, ""
	asked := s.outcome.Event == taskspec.EventWorkCancelled || s.outcome.Event == taskspec.EventWorkKilled
	asked, l.told = asked || l.told, false
	if l.epoch-l.base < l.tries && l.status != taskspec.StatusCompleted && !asked {
		if !s.lost {
			l.past = append(l.past, s.result)
		}
		l.status, l.message, l.chunks = taskspec.StatusCreated, 0, nil
		l.pending = l.waits
		return
	}
	if !s.lost {
		l.applied, l.result = true, s.result
	}
	if l.status != taskspec.StatusCompleted {
		l.place = map[taskspec.Policy]string{taskspec.PolicyKeep: QueuesOf(l.tid).Reserved, taskspec.PolicyRequeue: QueuesOf(l.tid).Inbox}[l.policy]
	}
}

func (m *lives) end(t *rapid.T) {
	l := m.any(t)
	var got *Task
	m.update(func(tx *broker.Tx) (err error) { got, err = End(tx, l.tid, CommandKill, at); return err })
	if l.status == taskspec.StatusCreated {
		l.status, l.pending = taskspec.StatusKilled, false // else it is told, which its consumer has to obey
	}
	l.told = l.status == taskspec.StatusRunning
	if got.Status != l.status {
		t.Fatalf("task is %s, want %s", got.Status, l.status)
	}
}

// again lets a task run once more, which needs that it has ended and that its
// work item is still there.
func (m *lives) again(t *rapid.T) {
	l := m.any(t)
	possible := l.status.Terminal() && l.place != ""
	err := m.try(func(tx *broker.Tx) error { _, _, err := Retry(tx, l.tid, at); return err })
	if (err == nil) != possible {
		t.Fatalf("retry of a task that is %s and whose message is in %q: %v", l.status, l.place, err)
	}
	if possible {
		l.status, l.message, l.place, l.applied, l.result = taskspec.StatusCreated, 0, "", false, ""
		l.chunks, l.base = nil, l.epoch
	}
}

// promote lets all begin that wait for their time, or those that are due: none.
func (m *lives) promote(t *rapid.T) {
	if rapid.Bool().Draw(t, "early") {
		m.update(func(tx *broker.Tx) error { _, err := Promote(tx, at); return err })
		return
	}
	for more := true; more; {
		m.update(func(tx *broker.Tx) error {
			next, err := Promote(tx, at.Add(time.Minute))
			more = !next.IsZero()
			return err
		})
	}
	for _, l := range m.all {
		l.pending = false
	}
}

// compare compares the store with the model.
func (m *lives) compare(t *rapid.T, some ...*life) {
	err := m.b.View(ctx, func(r broker.Reader) error {
		for _, l := range some {
			if err := l.compare(t, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *life) compare(t *rapid.T, r broker.Reader) error {
	rec, err := r.Record(Kind, l.tid)
	if err != nil {
		return err
	}
	if got := must(Decode(rec)); got.Status != l.status || got.Message != l.message || rec.State != string(l.status) {
		t.Fatalf("record is %+v, want %s with message %v", rec, l.status, l.message)
	}
	if got := must(Decode(rec)); (got.NotBefore != 0) != l.pending || l.pending && got.NotBefore != at.Add(5*time.Second).UnixNano() && l.epoch == 0 {
		t.Fatalf("task %s, which waits for its time: %v, waits for %d", l.tid, l.pending, got.NotBefore)
	}
	q := QueuesOf(l.tid)
	past, err := r.Messages(q.Attempts, broker.Select{})
	if err != nil {
		return err
	}
	if !slices.EqualFunc(past, l.past, func(m broker.Message, want string) bool { return m.Body == want }) {
		t.Fatalf("past results of task %s are %v, want %q", l.tid, past, l.past)
	}
	for _, place := range []string{q.Inbox, q.Reserved} {
		held, err := r.Messages(place, broker.Select{})
		if err != nil {
			return err
		}
		if place != l.place && len(held) > 0 || place == l.place && (len(held) != 1 || held[0].ID != l.message || held[0].Body != "item") {
			t.Fatalf("%s holds %v, its message should be in %q", place, held, l.place)
		}
	}
	results, err := r.Messages(q.Outbox, broker.Select{})
	if err != nil {
		return err
	}
	for i, text := range l.chunks {
		want := fmt.Sprintf(`{"type":"stream","stream":"stdout","chunk":0,"final":false,"encoding":"text","size":%d,"data":%q}`, len(text), text)
		if i >= len(results) || results[i].Body != want {
			t.Fatalf("outbox of task %s is %v, want %q at %d", l.tid, results, want, i)
		}
	}
	results = results[len(l.chunks):]
	if len(results) != btoi(l.applied) || l.applied && results[0].Body != l.result {
		t.Fatalf("results of task %s are %v, want %q, accepted: %v", l.tid, results, l.result, l.applied)
	}
	return nil
}
