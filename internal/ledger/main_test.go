package ledger

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/proc"
	"weft/taskspec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bare compares tasks and jobs without the decoded copies of what they hold in
// JSON, and without the ids of events.
var bare = cmp.Options{
	cmpopts.IgnoreUnexported(Task{}),
	cmpopts.IgnoreFields(Job{}, "task", "byHand", "queue", "request"),
	cmpopts.IgnoreFields(Task{}, "LastEvent"), // see linked
	cmpopts.IgnoreFields(Event{}, "Prev"),
}

// at is when everything happens in these tests.
var at = time.Unix(1_763_740_800, 123)

// consumer is who runs the tasks of these tests, and process what it runs.
var (
	consumer = proc.Identity{PID: 41, Ticks: 5, Boot: "boot"}
	process  = proc.Identity{PID: 42, Ticks: 6, Boot: "boot"}
)

// A project is a real store. At the end of a test everything in it must agree.
type project struct {
	rapid.TB
	b    *broker.Broker
	root string
}

// ctx is not that of the test, which has ended before its clean-up begins.
var ctx = context.Background()

func newProject(t testing.TB, o sqlite.Options) *project {
	t.Helper()
	root := t.TempDir()
	o.Shows = Shows
	b, err := sqlite.Open(filepath.Join(root, Dir), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &project{t, b, root}
	t.Cleanup(func() {
		p.check()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// try runs fn in a transaction.
func (p *project) try(fn func(tx *broker.Tx) error) error {
	return p.b.Update(ctx, fn)
}

// update is try for what must succeed.
func (p *project) update(fn func(tx *broker.Tx) error) {
	p.Helper()
	if err := p.try(fn); err != nil {
		p.Fatal(err)
	}
}

// echo is the smallest valid spec with what edit adds.
func echo(edit ...func(*taskspec.Spec)) *taskspec.Spec {
	s := &taskspec.Spec{Name: "greet", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "echo", Args: []any{"hello"}}}
	for _, e := range edit {
		e(s)
	}
	return s
}

func policies(onError, onStop taskspec.Policy) func(*taskspec.Spec) {
	return func(s *taskspec.Spec) { s.ReservedPolicyOnError, s.ReservedPolicyOnStop = onError, onStop }
}

// submit submits a task from the project's root.
func (p *project) submit(edit ...func(*taskspec.Spec)) (tid string) {
	p.Helper()
	return p.submission(Submission{Spec: echo(edit...), Item: "item", Dir: p.root, Env: EncodeEnv([]string{"A=1"})})
}

func (p *project) submission(s Submission) (tid string) {
	p.Helper()
	p.update(func(tx *broker.Tx) (err error) {
		tid, _, err = Submit(tx, s, at)
		return err
	})
	return tid
}

// write writes a message by hand.
func (p *project) write(queue, body string) broker.ID {
	p.Helper()
	id, err := p.b.Queue(queue).Write(ctx, body)
	if err != nil {
		p.Fatal(err)
	}
	return id
}

// prepare makes a waiting request ready.
func (p *project) prepare(tid string) (j *Job) {
	p.Helper()
	id, err := broker.ParseID(tid)
	if err != nil {
		p.Fatal(err)
	}
	err = p.b.View(ctx, func(r broker.Reader) error {
		ms, err := r.Messages(Requests, broker.Select{ID: id})
		if err == nil && len(ms) == 0 {
			ms, err = r.Messages(SlotlessRequests, broker.Select{ID: id})
		}
		if err != nil {
			return err
		}
		if len(ms) != 1 {
			p.Fatalf("%d requests for task %s", len(ms), tid)
		}
		j, err = Prepare(r, p.root, Ready{Request: ms[0]})
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	return j
}

// run dispatches a waiting task and returns the id of its reserved message.
func (p *project) run(tid string) (message broker.ID) {
	p.Helper()
	j := p.prepare(tid)
	if j.Refused() != "" {
		p.Fatalf("task %s is refused: %s", tid, j.Refused())
	}
	var t *Task
	p.update(func(tx *broker.Tx) (err error) {
		t, err = Dispatch(tx, j, consumer, at)
		return err
	})
	return t.Message
}

// handOff is what a consumer reports of the first attempt at a task that wrote
// "result".
func handOff(tid string, o taskspec.Outcome) *HandOff {
	return &HandOff{
		TID: tid, Epoch: 1, Seq: 1, Process: process, Outcome: o, Ended: at,
		Output: Output{Form: FormText, Size: 6}, Result: []byte("result"), Usage: Usage{CPUSeconds: 0.25},
	}
}

func (p *project) finish(h *HandOff) error {
	return p.try(func(tx *broker.Tx) error { return Finish(tx, h, nil) })
}

func (p *project) task(tid string) *Task {
	p.Helper()
	r, err := p.b.Record(ctx, Kind, tid)
	if err != nil {
		p.Fatal(err)
	}
	t, err := Decode(r)
	if err != nil {
		p.Fatal(err)
	}
	return t
}

// bodies are the messages of a queue.
func (p *project) bodies(queue string) []string {
	p.Helper()
	var all []string
	for m, err := range p.b.Queue(queue).Messages(ctx, broker.Select{}) {
		if err != nil {
			p.Fatal(err)
		}
		all = append(all, m.Body)
	}
	return all
}

// history is every event of a task, of everything if tid is empty, as its readers see it. It
// checks that the state in the spec is that of the event, and leaves it out.
func (p *project) history(tid string) []Event {
	p.Helper()
	var all []Event
	for _, body := range p.bodies(Log) {
		if !strings.Contains(body, tid) {
			continue // cheaper than to decode it
		}
		var e Event
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			p.Fatalf("event %s: %v", body, err)
		}
		if tid != "" && e.TID != tid {
			continue
		}
		if len(e.TaskSpec) > 0 && string(e.TaskSpec) != "null" && e.TID != "" {
			s, err := taskspec.Decode(e.TaskSpec)
			if err != nil {
				p.Fatalf("event %s: %v", body, err)
			}
			if s.State == nil || s.State.Status != e.Status || s.State.Error != e.Error {
				p.Errorf("event %s has the state %+v", body, s.State)
			}
			s.State = nil
			if e.TaskSpec, err = json.Marshal(s); err != nil {
				p.Fatal(err)
			}
		}
		all = append(all, e)
	}
	return all
}

// shownSpec is the spec that the events of a task show, without its state.
func (p *project) shownSpec(t *Task) *taskspec.Spec {
	p.Helper()
	text, err := t.specAt(Event{})
	if err != nil {
		p.Fatal(err)
	}
	s, err := taskspec.Decode(text)
	if err != nil {
		p.Fatal(err)
	}
	s.State = nil
	return s
}

// A state is all that a store holds.
type state struct {
	Messages map[string][]broker.Message
	Records  map[string][]broker.Record
	Events   []broker.Message // as they are stored
}

func (p *project) state() state {
	p.Helper()
	s := state{Messages: make(map[string][]broker.Message), Records: make(map[string][]broker.Record)}
	for name, err := range p.b.Queues(broker.Pattern{}).Names(ctx) {
		if err != nil {
			p.Fatal(err)
		}
		for m, err := range p.b.Queue(name).Messages(ctx, broker.Select{}) {
			if err != nil {
				p.Fatal(err)
			}
			s.Messages[name] = append(s.Messages[name], m)
		}
	}
	for _, kind := range []string{Kind, ManagerKind, indexKind, attemptKind, envKind, endpointKind, resultCopyKind, itemFileKind} {
		recs, err := p.b.Records(ctx, kind, broker.RecordSelect{})
		if err != nil {
			p.Fatal(err)
		}
		s.Records[kind] = recs
	}
	err := p.b.View(ctx, func(r broker.Reader) (err error) { s.Events, err = r.Messages(Log, broker.Select{}); return err })
	if err != nil {
		p.Fatal(err)
	}
	return s
}

// unchanged fails the test if anything has changed since before.
func (p *project) unchanged(before state) {
	p.Helper()
	if diff := cmp.Diff(before, p.state(), bare); diff != "" {
		p.Errorf("store has changed (-before +after):\n%s", diff)
	}
}

// ends are the events that record the end of a task.
var ends = []string{
	taskspec.EventWorkCompleted, taskspec.EventWorkFailed, taskspec.EventWorkTimeout, taskspec.EventWorkLimitViolation,
	taskspec.EventWorkCancelled, taskspec.EventWorkKilled, taskspec.EventWorkLost, taskspec.EventWorkInterrupted,
}

// check reports everything in the store that contradicts something else.
func (p *project) check() {
	p.Helper()
	s := p.state()
	ended := make(map[string]int)
	for _, e := range p.history("") {
		if slices.Contains(ends, e.Event) {
			ended[e.TID]++
		}
		if e.Event == eventRetried {
			ended[e.TID]--
		}
	}
	claimed := make(map[string]string) // by the tasks
	waiting := make(map[string]indexed)
	for _, r := range s.Records[indexKind] {
		i, err := index.decode(r)
		if err != nil {
			p.Error(err)
		}
		waiting[r.Key] = i
	}
	for _, r := range s.Records[Kind] {
		t, err := Decode(r)
		if err != nil {
			p.Error(err)
			continue
		}
		for _, problem := range s.disagreements(r, t, ended[t.TID], waiting[t.TID]) {
			p.Errorf("task %s, which is %s: %s", t.TID, t.Status, problem)
		}
		delete(waiting, t.TID)
		for _, name := range t.Endpoints {
			claimed[name] = t.TID
		}
	}
	for _, r := range s.Records[endpointKind] {
		e, err := endpoints.decode(r)
		if err != nil || e.TID == "" || claimed[r.Key] != e.TID || e.Queue != r.State {
			p.Errorf("endpoint %s of task %q is not the task's: %v", r.Key, e.TID, err)
		}
		delete(claimed, r.Key)
	}
	if len(claimed) > 0 {
		p.Errorf("claimed endpoints that are gone: %v", claimed)
	}
	if len(waiting) > 0 {
		p.Errorf("in the index and no tasks: %v", slices.Collect(maps.Keys(waiting)))
	}
}

// linked reports whether all events of the task in the log follow from its record.
func (s state) linked(t *Task) bool {
	next := t.LastEvent
	for _, m := range slices.Backward(s.Events) {
		var e Event
		if json.Unmarshal([]byte(m.Body), &e) != nil || e.TID != t.TID {
			continue
		}
		if m.ID != next {
			return false
		}
		next = e.Prev
	}
	return next == 0
}

// disagreements are the facts that contradict the record r of a task, of which
// so many events say that it ended.
func (s state) disagreements(r broker.Record, t *Task, ended int, i indexed) (problems []string) {
	must := func(holds bool, problem string) {
		if !holds {
			problems = append(problems, problem)
		}
	}
	q := t.Queues()
	holds := func(queue string, id broker.ID) bool {
		return slices.ContainsFunc(s.Messages[queue], func(m broker.Message) bool { return m.ID == id })
	}
	must(r.Key == t.TID && r.State == string(t.Status) && r.Rank == int64(t.Number()), "its record is filed wrongly")
	created := t.Status == taskspec.StatusCreated
	must(holds(t.requests(), t.Number()) == created, "a request waits if and only if it is created")
	must((i.lane == laneDue && i.rank == t.NotBefore) == (t.NotBefore != 0), "it is delayed if and only if it has a time")
	must((i.lane != "") == t.isIndexed() && (i.lane == "" || i == t.indexed(i.wait)), "it is in the index if and only if it cannot run yet, or was admitted")
	for _, r := range s.Records[attemptKind] {
		if past, err := pastAttempts.decode(r); err != nil || past.TID == t.TID {
			must(err == nil && past.Epoch < t.Epoch+btoi(t.Message == 0) && past.Status.Terminal(), "a past attempt is not one")
			must(err == nil && holds(q.Attempts, past.Result) == (past.Output.Form != FormNone), "a past attempt has one result if and only if it reported")
		}
	}
	must(s.linked(t), "its events do not follow from its record")
	must(t.Env == "" || slices.ContainsFunc(s.Records[envKind], func(r broker.Record) bool { return r.Key == t.Env }), "its environment is gone")
	must(len(s.Messages[q.Reserved]) <= 1 || t.Items != nil, "it has reserved more than one message")
	passedOn := t.Stage > 0 && !t.Last && t.Status == taskspec.StatusCompleted && !holds(q.Outbox, t.Result)
	must(!passedOn || inUserQueue(t) || holds(TakenOutputs, t.Result) == isKept(t), "what it passed on is kept if and only if there is any")
	results := q.Outbox
	if t.Last && t.Status == taskspec.StatusCompleted {
		results = PipelineQueues(t.Parent).Outbox
	}
	must(holds(results, t.Result) == (t.Output.Form != FormNone && !inUserQueue(t) && !passedOn), "it has one result if and only if it was executed")
	must(!slices.ContainsFunc(s.Messages[q.Outbox], func(m broker.Message) bool {
		return m.ID != t.Result && !strings.HasPrefix(m.Body, `{"type":"stream",`) && !(t.Items != nil && strings.HasPrefix(m.Body, `{"type":"item_result",`))
	}), "it has more than its result and chunks")
	must(ended == btoi(t.Status.Terminal()), "one event since its last retry says that it ended if and only if it did")
	must((t.Completed != 0) == t.Status.Terminal(), "it has a time of its end if and only if it ended")
	must(t.Message == 0 || t.Epoch != 0 || t.In != "", "it has reserved a message and was never dispatched")
	switch t.Status {
	case taskspec.StatusCreated:
		must(t.Message == 0, "it has a reserved message")
	case taskspec.StatusRunning:
		if t.Pipeline {
			must(s.living(t), "it runs, and no stage of it waits or runs")
			break
		}
		must(holds(q.Reserved, t.Message) != unreserved(t) || t.Items != nil && t.Message == 0, "its message is not reserved")
		must(t.Consumer != proc.Identity{}, "nobody runs it")
	default:
		must(t.Status.Terminal(), "no task may be left so")
		must(!t.Pipeline || !s.living(t), "it has ended, and a stage of it waits or runs")
		must(!holds(q.Reserved, t.Message) || !holds(inboxOf(t), t.Message), "its message is in two places")
	}
	return problems
}

// living reports whether the pipeline has one stage that has not ended, which is the
// one that it has come to.
func (s state) living(p *Task) bool {
	var alive []string
	for _, r := range s.Records[Kind] {
		t, err := Decode(r)
		if err == nil && t.Stage > 0 && t.Parent == p.TID && !t.Status.Terminal() {
			alive = append(alive, t.TID)
		}
	}
	return len(alive) == 1 && p.Plan != nil && p.Plan.Current().TID == alive[0]
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
