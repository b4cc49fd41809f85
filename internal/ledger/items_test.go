package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// A watcher is a persistent task of a test, and plays its consumer.
type watcher struct {
	*project
	tid string
	q   Queues
	seq int
	now time.Time
}

// persistent makes a spec one of a persistent task.
func persistent(s *taskspec.Spec) { s.Persistent = true }

// watcher dispatches a persistent task without a first item.
func (p *project) watcher(edit ...func(*taskspec.Spec)) *watcher {
	p.Helper()
	tid := p.submission(Submission{Spec: echo(append(edit, persistent)...), Item: noItem, Dir: p.root})
	if p.prepare(tid).NotForConsumer() {
		p.Fatal("it is not for a consumer")
	}
	p.run(tid)
	return &watcher{project: p, tid: tid, q: QueuesOf(tid), now: at}
}

// turn carries out a turn, with the hand-off of an item or none.
func (w *watcher) turn(done *HandOff) (next *Item, due time.Time) {
	w.Helper()
	u := ItemRequest{TID: w.tid, Epoch: w.task(w.tid).Epoch, Done: done}
	w.update(func(tx *broker.Tx) (err error) {
		next, due, err = TakeItem(tx, u, w.now)
		return err
	})
	return next, due
}

// takes fails the test unless the next item is this one.
func (w *watcher) takes(want broker.ID, done *HandOff) *Item {
	w.Helper()
	next, _ := w.turn(done)
	if next == nil || next.Message != want {
		w.Fatalf("next item is %+v, want %v", next, want)
	}
	return next
}

// waits fails the test unless there is no item, and says when one is due that rests.
func (w *watcher) waits(done *HandOff) (due time.Time) {
	w.Helper()
	next, due := w.turn(done)
	if next != nil {
		w.Fatalf("there is an item: %+v", next)
	}
	return due
}

// ended is the hand-off of an item that has ended so.
func (w *watcher) ended(item broker.ID, o taskspec.Outcome) *HandOff {
	w.seq++
	h := handOff(w.tid, o)
	h.Epoch, h.Seq, h.Item, h.Ended = w.task(w.tid).Epoch, w.seq, item, w.now
	return h
}

// results are the results of items in the outbox.
func (w *watcher) results() (all []ItemResult) {
	w.Helper()
	for _, body := range w.bodies(w.q.Outbox) {
		var r ItemResult
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			w.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// where says in which queue of the task a message is.
func (w *watcher) where(id broker.ID) string {
	w.Helper()
	s := w.state()
	for name, queue := range map[string]string{"inbox": inboxOf(w.task(w.tid)), "reserved": w.q.Reserved} {
		if slices.ContainsFunc(s.Messages[queue], func(m broker.Message) bool { return m.ID == id }) {
			return name
		}
	}
	return "gone"
}

// TestItemEnds: what becomes of an item that has ended, and that the task goes on.
func TestItemEnds(t *testing.T) {
	t.Parallel()
	failed := taskspec.Exited(3, "")
	for name, test := range map[string]struct {
		end    taskspec.Outcome
		policy taskspec.Policy
		where  string
		event  string
		count  Items
	}{
		"completed": {taskspec.Exited(0, ""), "", "gone", "work_item_completed", Items{Done: 1}},
		"keep":      {failed, taskspec.PolicyKeep, "reserved", "work_item_failed", Items{Failed: 1}},
		"requeue":   {failed, taskspec.PolicyRequeue, "inbox", "work_item_failed", Items{Failed: 1}},
		"clear":     {failed, taskspec.PolicyClear, "gone", "work_item_failed", Items{Failed: 1}},
		"timeout":   {taskspec.TimedOut(time.Second), "", "reserved", "work_item_failed", Items{Failed: 1}},
		"refused":   {taskspec.Rejected("bad"), "", "reserved", "work_item_failed", Items{Failed: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			w := p.watcher(policies(test.policy, ""))
			w.waits(nil)
			item, other := w.write(w.q.Inbox, "one"), w.write(w.q.Inbox, "two")
			if got := w.takes(item, nil); got.Body != "one" {
				t.Errorf("item is %+v", got)
			}
			h := w.ended(item, test.end)
			w.takes(other, h)
			before := w.state()
			w.takes(other, h) // it is repeated
			w.unchanged(before)

			if got := w.where(item); got != test.where {
				t.Errorf("the item is %s, want %s", got, test.where)
			}
			got := w.task(w.tid)
			if got.Status != taskspec.StatusRunning || got.Message != other || got.Seq != 1 || got.Items.Done != test.count.Done || got.Items.Failed != test.count.Failed {
				t.Errorf("record is %+v, items %+v", got, got.Items)
			}
			want := []ItemResult{{Type: "item_result", MessageID: item.String(), Status: test.end.Status, ReturnCode: test.end.ReturnCode,
				Output: json.RawMessage(`"result"`), Encoding: ItemText, Error: test.end.Error}}
			if diff := cmp.Diff(want, w.results()); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
			events := w.history(w.tid)
			last := events[len(events)-1]
			if last.Event != test.event || last.MessageID != item.String() || last.Error != test.end.Error || last.Status != taskspec.StatusRunning {
				t.Errorf("last event is %+v", last)
			}
		})
	}
}

// A hand-off of another epoch, of another item, or of a task that has ended,
// changes nothing.
func TestItemStale(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	w := p.watcher()
	item := w.write(w.q.Inbox, "one")
	w.takes(item, nil)
	refused := func(name string, u ItemRequest) {
		t.Helper()
		before := w.state()
		if err := w.try(func(tx *broker.Tx) error { _, _, err := TakeItem(tx, u, at); return err }); !errors.Is(err, ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
		w.unchanged(before)
	}
	h := w.ended(item, taskspec.Exited(0, ""))
	refused("other epoch", ItemRequest{TID: w.tid, Epoch: 2, Done: h})
	other := *h
	other.Item++
	refused("other item", ItemRequest{TID: w.tid, Epoch: 1, Done: &other})
	w.update(func(tx *broker.Tx) error { return MarkLost(tx, w.tid, 1, at) })
	refused("lost", ItemRequest{TID: w.tid, Epoch: 1, Done: h})
	plain := w.submit()
	w.run(plain)
	refused("no persistent task", ItemRequest{TID: plain, Epoch: 1})
}

// TestItemRests: an item that fails again and again waits longer and longer, while
// others are taken, and never keeps the task busy.
func TestItemRests(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	w := p.watcher(policies(taskspec.PolicyRequeue, ""))
	failed := taskspec.Exited(1, "")
	poison := w.write(w.q.Inbox, "poison")
	w.takes(poison, nil)
	for _, rest := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		begun := w.now
		if due := w.waits(w.ended(poison, failed)); !due.Equal(begun.Add(rest * time.Second)) {
			t.Fatalf("it rests until %v, want %v", due.Sub(begun), rest*time.Second)
		}
		good := w.write(w.q.Inbox, "good")
		w.takes(good, nil)
		w.now = w.now.Add(rest*time.Second - 1)
		w.waits(w.ended(good, taskspec.Exited(0, "")))
		w.now = begun.Add(rest * time.Second)
		w.takes(poison, nil)
	}
	w.waits(w.ended(poison, taskspec.Exited(0, "")))
	if got := w.task(w.tid).Items; got.Done != 9 || got.Failed != 8 || len(got.BackingOff) != 0 {
		t.Errorf("items are %+v", got)
	}

	// So many rest at most. Then the task waits for the first of them.
	var bad []broker.ID
	for range maxBackingOff + 1 {
		bad = append(bad, w.write(w.q.Inbox, "bad"))
	}
	begun := w.now
	for _, id := range bad[:maxBackingOff] {
		w.takes(id, nil)
		w.turn(w.ended(id, failed)) // takes the next one
		w.now = w.now.Add(time.Millisecond)
	}
	if due := w.waits(nil); !due.Equal(begun.Add(time.Second)) {
		t.Errorf("the first is due after %v", due.Sub(begun))
	}
	// One that somebody takes away makes room for another.
	if _, err := w.b.Queue(w.q.Inbox).Delete(ctx, broker.Select{ID: bad[0]}); err != nil {
		t.Fatal(err)
	}
	w.now = begun.Add(time.Second)
	w.takes(bad[maxBackingOff], nil)
}

// TestItemHold: a task that is to stand still takes no item, nor one that is to
// end; it can be asked meanwhile what it does.
func TestItemHold(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	w := p.watcher()
	obey := func(c Command) {
		t.Helper()
		w.write(w.q.ControlIn, string(c))
		w.update(func(tx *broker.Tx) error { _, err := ReadTaskControl(tx, w.tid, at); return err })
	}
	activity := func(want string) {
		t.Helper()
		obey(CommandStatus)
		replies := w.bodies(w.q.ControlOut)
		var r reply
		if err := json.Unmarshal([]byte(replies[len(replies)-1]), &r); err != nil || r.Activity != want {
			t.Errorf("activity is %q, want %q: %v", r.Activity, want, err)
		}
	}
	looks := func(want bool) {
		t.Helper()
		err := w.b.View(ctx, func(r broker.Reader) error {
			got, _, err := ItemWaits(r, w.tid, at)
			if got != want {
				t.Errorf("item waits: %v, want %v", got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	activity("waiting")
	looks(false)
	item := w.write(w.q.Inbox, "one")
	looks(true)
	obey(CommandPause)
	looks(false)
	w.waits(nil)
	obey(CommandResume)
	w.takes(item, nil)
	activity("working")
	w.write(w.q.Inbox, "two")
	obey(CommandStop)
	looks(false)
	w.waits(w.ended(item, taskspec.Exited(0, "")))
}

// TestItemTaskEnds: how a persistent task ends that waits, works, or was given an
// item that it has not begun, and what is left for another epoch.
func TestItemTaskEnds(t *testing.T) {
	t.Parallel()
	lost := func(*watcher, broker.ID) *HandOff { return nil }
	waiting := func(o taskspec.Outcome) func(*watcher, broker.ID) *HandOff {
		return func(w *watcher, _ broker.ID) *HandOff { return w.ended(0, o) }
	}
	working := func(o taskspec.Outcome) func(*watcher, broker.ID) *HandOff {
		return func(w *watcher, id broker.ID) *HandOff { return w.ended(id, o) }
	}
	for name, test := range map[string]struct {
		onError, onStop taskspec.Policy
		end             func(w *watcher, given broker.ID) *HandOff
		where           string // the item
		status          taskspec.Status
		results         int
		failed          int64
	}{
		"stopped before it began": {"", taskspec.PolicyClear, waiting(taskspec.Stopped()), "inbox", "cancelled", 0, 0},
		"stopped":                 {"", "", working(taskspec.Stopped()), "reserved", "cancelled", 1, 1},
		"stopped, requeue":        {"", taskspec.PolicyRequeue, working(taskspec.Stopped()), "inbox", "cancelled", 1, 1},
		"killed, clear":           {"", taskspec.PolicyClear, working(taskspec.Killed()), "gone", "killed", 1, 1},
		"lost":                    {"", "", lost, "reserved", "failed", 0, 1},
		"lost, requeue":           {taskspec.PolicyRequeue, "", lost, "inbox", "failed", 0, 1},
		"lost, clear":             {taskspec.PolicyClear, "", lost, "gone", "failed", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			w := p.watcher(policies(test.onError, test.onStop))
			first, item, later := w.write(w.q.Inbox, "first"), w.write(w.q.Inbox, "item"), w.write(w.q.Inbox, "later")
			w.takes(first, nil)
			w.takes(item, w.ended(first, taskspec.Exited(0, "")))
			if h := test.end(w, item); h == nil {
				w.update(func(tx *broker.Tx) error { return MarkLost(tx, w.tid, 1, at) })
			} else {
				for range 2 {
					if err := w.finish(h); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := w.task(w.tid)
			if got.Status != test.status || got.Items.Done != 1 || got.Items.Failed != test.failed {
				t.Errorf("record is %+v, items %+v", got, got.Items)
			}
			if n := len(w.results()); n != 1+test.results {
				t.Errorf("%d results", n)
			}
			if got := w.where(item); got != test.where {
				t.Errorf("the item is %s, want %s", got, test.where)
			}
			if got := w.where(later); got != "inbox" {
				t.Errorf("an item that waited is %s", got)
			}

			// Another epoch takes what was kept first, and results stay.
			w.update(func(tx *broker.Tx) error { _, _, err := Retry(tx, w.tid, at); return err })
			w.run(w.tid)
			next := item
			if test.where == "gone" {
				next = later
			}
			w.takes(next, nil)
			if got := w.task(w.tid); got.Epoch != 2 || got.Items.Done != 1 {
				t.Errorf("record is %+v, items %+v", got, got.Items)
			}
			if n := len(w.results()); n != 1+test.results {
				t.Errorf("%d results after it was retried", n)
			}
		})
	}
}

// A persistent task begins with the item that it was submitted with, if there is
// one, and never with an empty one.
func TestFirstItem(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submission(Submission{Spec: echo(persistent), Item: "first", Dir: p.root})
	var sent broker.ID
	p.update(func(tx *broker.Tx) (err error) {
		sent, err = PutItem(tx, tid, "second")
		return err
	})
	first := p.run(tid)
	w := &watcher{project: p, tid: tid, q: QueuesOf(tid), now: at}
	if got := w.takes(first, nil); got.Body != "first" {
		t.Errorf("first item is %+v", got)
	}
	w.takes(sent, w.ended(first, taskspec.Exited(0, "")))

	// Somebody has taken away what is reserved.
	if _, err := w.b.Queue(w.q.Reserved).Delete(ctx, broker.Select{}); err != nil {
		t.Fatal(err)
	}
	w.waits(nil)

	plain := p.submit()
	for name, test := range map[string]struct {
		tid  string
		want error
	}{
		"not persistent": {plain, ErrNotPersistent},
		"nobody":         {"1", broker.ErrNotFound},
	} {
		if err := p.try(func(tx *broker.Tx) error { _, err := PutItem(tx, test.tid, "x"); return err }); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.finish(w.ended(0, taskspec.Stopped())); err != nil {
		t.Fatal(err)
	}
	if err := p.try(func(tx *broker.Tx) error { _, err := PutItem(tx, tid, "x"); return err }); !errors.Is(err, ErrNotRunning) {
		t.Errorf("ended: %v", err)
	}
}

// TestItemEndpoint: the inbox has the task's name, unless another task has that.
func TestItemEndpoint(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	named := func(name string) func(*taskspec.Spec) { return func(s *taskspec.Spec) { s.Name = name } }
	w := p.watcher(named("resize"))
	other, odd := p.watcher(named("resize")), p.watcher(named("no endpoint"))
	for tid, want := range map[string]Event{
		w.tid:     {Endpoints: []string{"resize"}},
		other.tid: {EndpointHolder: w.tid},
		odd.tid:   {},
	} {
		events := p.history(tid)
		last := events[len(events)-1]
		if last.Event != "work_started" || !slices.Equal(last.Endpoints, want.Endpoints) || last.EndpointHolder != want.EndpointHolder {
			t.Errorf("event is %+v", last)
		}
	}
	e, err := FindEndpoint(ctx, p.b, "resize")
	if err != nil || e != (Endpoint{Name: "resize", Queue: w.q.Inbox, TID: w.tid}) {
		t.Errorf("endpoint is %+v, %v", e, err)
	}
	if err := w.finish(w.ended(0, taskspec.Stopped())); err != nil {
		t.Fatal(err)
	}
	if _, err := FindEndpoint(ctx, p.b, "resize"); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("it is there after the task: %v", err)
	}
}

// TestItemQueues: two tasks share a queue of the user's, and what completed goes to
// another as it is.
func TestItemQueues(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	a, b := p.watcher(wired), p.watcher(wired)
	one, two, three := p.write("raw.data", "1"), p.write("raw.data", "2"), p.write("raw.data", "3")
	a.takes(one, nil)
	b.takes(two, nil)
	b.takes(three, b.ended(two, taskspec.Exited(0, "")))
	a.waits(a.ended(one, taskspec.Exited(2, "")))
	b.waits(b.ended(three, taskspec.Exited(0, "")))
	if got := p.bodies("clean.data"); !slices.Equal(got, []string{"result", "result"}) {
		t.Errorf("results are %q", got)
	}
	if got := a.results(); len(got) != 1 || got[0].MessageID != one.String() || len(b.results()) != 0 {
		t.Errorf("what failed is told of by %+v", got)
	}
	if got := a.where(one); got != "reserved" {
		t.Errorf("what failed is %s", got)
	}
	if got := WaitsFor(p.task(a.tid)); got != "" {
		t.Errorf("it waits for %s to begin", got)
	}
}

// TestItemFile: the file of a large output is needed while it is written, and until
// its result is taken.
func TestItemFile(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	w := p.watcher()
	item := w.write(w.q.Inbox, "one")
	path := ItemOutput(Dir, w.tid, 1, item, Stdout)
	file, ok := ParseOutputFile(path[len(Dir+"/outputs/"):])
	if !ok || file != (Attempt{TID: w.tid, Epoch: 1, Item: item, Stream: Stdout}) {
		t.Fatalf("%s is %+v", path, file)
	}
	needed := func(want bool) {
		t.Helper()
		err := w.b.View(ctx, func(r broker.Reader) error {
			got, err := file.Needed(r)
			if got != want {
				t.Errorf("needed: %v, want %v", got, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	needed(false)
	w.takes(item, nil)
	needed(true)
	h := w.ended(item, taskspec.Exited(0, ""))
	h.Output.Form, h.Result = FormFile, nil
	w.waits(h)
	needed(true)
	if got := w.results(); len(got) != 1 || got[0].Encoding != ItemFile {
		t.Errorf("results are %+v", got)
	}
	var id broker.ID
	for m, err := range w.b.Queue(w.q.Outbox).Messages(ctx, broker.Select{}) {
		if id = m.ID; err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []bool{true, false} {
		w.update(func(tx *broker.Tx) error {
			taken, err := TakeItemResult(tx, w.tid, id)
			if taken != want {
				t.Errorf("taken: %v, want %v", taken, want)
			}
			return err
		})
	}
	needed(false)
	if left := w.state().Records[itemFileKind]; len(left) != 0 {
		t.Errorf("records of files are left: %v", left)
	}
}

// TestItemResult spells out what readers of the outbox get.
func TestItemResult(t *testing.T) {
	t.Parallel()
	ok, bad := taskspec.Exited(0, ""), taskspec.Exited(3, "oops\n")
	for name, test := range map[string]struct {
		kind taskspec.Kind
		h    HandOff
		want string
	}{
		"text": {taskspec.KindCommand, HandOff{Outcome: ok, Output: Output{Form: FormText}, Result: []byte("<a>\n")},
			`"status":"completed","return_code":0,"output":"<a>\n","encoding":"text"}`},
		"nothing": {taskspec.KindCommand, HandOff{Outcome: ok, Output: Output{Form: FormText}},
			`"status":"completed","return_code":0,"output":"","encoding":"text"}`},
		"bytes": {taskspec.KindCommand, HandOff{Outcome: ok, Output: Output{Form: FormBytes}, Result: []byte{0xff}},
			`"status":"completed","return_code":0,"output":"/w==","encoding":"base64"}`},
		"value": {taskspec.KindFunction, HandOff{Outcome: ok, Output: Output{Form: FormText}, Result: []byte(`{"a": 1}`)},
			`"status":"completed","return_code":0,"output":{"a":1},"encoding":"json"}`},
		"no value": {taskspec.KindFunction, HandOff{Outcome: bad, Output: Output{Form: FormText}},
			`"status":"failed","return_code":3,"output":null,"encoding":"json","error":"command exited with 3: oops"}`},
		"failed": {taskspec.KindCommand, HandOff{Outcome: bad, Output: Output{Form: FormText, Stderr: []byte("oops\n")}, Result: []byte("part")},
			`"status":"failed","return_code":3,"output":"part","encoding":"text","error":"command exited with 3: oops","stderr":"oops\n"}`},
		"refused": {taskspec.KindCommand, HandOff{Outcome: taskspec.Rejected("bad item")},
			`"status":"failed","return_code":null,"output":"","encoding":"text","error":"bad item"}`},
		"file": {taskspec.KindCommand, HandOff{TID: "1", Epoch: 2, Outcome: ok, Output: Output{Form: FormFile, Size: 5, Digest: "d"}, Preview: "p"},
			`"status":"completed","return_code":0,"output":{"type":"large_output","path":".weft/outputs/1.2.7.out","size":5,"size_mb":0.00000476837158203125,"sha256":"d","truncated_preview":"p"},"encoding":"file"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.h.Item = 7
			got, err := test.h.itemResult(test.kind)
			want := fmt.Sprintf(`{"type":"item_result","message_id":"7",%s`, test.want)
			if err != nil || got != want {
				t.Errorf("got %v\n%s, want\n%s", err, got, want)
			}
		})
	}
}

// An item that a policy has kept, or that nobody has taken, goes with its task.
func TestKeptItemIsForgotten(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	w := p.watcher()
	item := w.write(w.q.Inbox, "one")
	w.write(w.q.Inbox, "two")
	w.takes(item, nil)
	w.update(func(tx *broker.Tx) error { return MarkLost(tx, w.tid, 1, at) })
	if n := p.forget(Retention{Age: time.Second}, time.Now().Add(time.Hour)); n != 1 {
		t.Fatalf("forgot %d tasks", n)
	}
	if s := p.state(); len(s.Messages) > 0 || len(s.Records[Kind]) > 0 {
		t.Errorf("left is %+v", s)
	}
}
