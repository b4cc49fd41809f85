//go:build linux

package weft_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft"
	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// A watch is a persistent task of a test.
type watch struct {
	*project
	tid   string
	ids   map[string]string // of its items, by their messages
	drain *client           // takes the results, once there is one
}

// watch submits a persistent task and waits until it runs.
func (p *project) watch(u *client, spec *taskspec.Spec) *watch {
	p.t.Helper()
	spec.Persistent = true
	u.call(call{Do: "submit", Spec: spec})
	w := &watch{project: p, tid: u.accepted(), ids: make(map[string]string)}
	w.begun(1)
	return w
}

// begun waits until an epoch of the task runs.
func (w *watch) begun(epoch int) {
	w.t.Helper()
	w.await("the beginning of task "+w.tid, func(e ledger.Event) bool {
		if e.TID == w.tid && e.Event == "work_started" {
			epoch--
		}
		return epoch == 0
	})
}

// give puts items into the inbox.
func (w *watch) give(bodies ...string) {
	w.t.Helper()
	ids, err := w.open().Queue(ledger.QueuesOf(w.tid).Inbox).WriteAll(w.ctx, bodies)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, id := range ids {
		w.ids[id.String()] = bodies[i]
	}
}

// take is the result of the next item that has ended.
func (w *watch) take() line {
	w.t.Helper()
	if w.drain == nil {
		w.drain = w.client(call{Do: "items", TID: w.tid})
	}
	return w.drain.line()
}

// ended lets the client that takes the results come to its end: there must be none
// that was not expected.
func (w *watch) ended() {
	w.t.Helper()
	w.awaitEnd(w.tid)
	if w.drain == nil {
		return
	}
	if l, err := w.drain.next(); !errors.Is(err, io.EOF) {
		w.t.Errorf("there is another result: %+v, %v", l, err)
	}
	if err := w.drain.wait(); err != nil {
		w.t.Errorf("client: %v\n%s", err, w.drain.erred.String())
	}
	w.drain = nil
}

// TestItemsOfKilledManagers kills managers at moments of all kinds while items
// come: each is worked on once and has one result, in order, and the next manager
// starts no second consumer of the task.
func TestItemsOfKilledManagers(t *testing.T) {
	t.Parallel()
	const rounds, items = 4, 20
	p := newProject(t, "WEFT_DURABILITY=normal")
	u := p.user()
	signed := filepath.Join(p.dir, "signed")
	spec := shell(`read token; echo "$WEFT_MESSAGE_ID" >> "$1"; echo "$token"`, signed)
	worked := make(map[string]int)
	for round := range rounds {
		w := p.watch(u, spec)
		killed := rand.IntN(items)
		for i := range items {
			w.give(fmt.Sprint("token ", i))
			if i == killed {
				p.kill(p.manager())
			}
		}
		for i := range items {
			got := w.take()
			if want := fmt.Sprintf("token %d", i); got.Output != want+"\n" || w.ids[got.TID] != want {
				t.Fatalf("round %d, manager killed after %d: got %+v, want %q", round, killed, got, want)
			}
			worked[got.TID]++
		}
		p.awaitManager(round + 2) // the client has started one
		w.give("last")
		if got := w.take(); got.Output != "last\n" {
			t.Errorf("got %+v", got)
		}
		if got := p.task(w.tid); got.Epoch != 1 || got.Items.Done != items+1 || got.Items.Failed != 0 {
			t.Errorf("record is %+v, items %+v", got, got.Items)
		}
		u.call(call{Do: "stop", TID: w.tid})
		if got := u.line(); got.Status != taskspec.StatusCancelled {
			t.Errorf("got %+v", got)
		}
		w.ended()
	}
	text, err := os.ReadFile(signed)
	if err != nil {
		t.Fatal(err)
	}
	for id := range strings.Lines(string(text)) {
		worked[strings.TrimSpace(id)]--
	}
	if n := strings.Count(string(text), "\n"); n != rounds*(items+1) {
		t.Errorf("%d items were worked on, want %d", n, rounds*(items+1))
	}
	for id, n := range worked {
		if n != 0 && n != -1 { // the last ones were not counted
			t.Errorf("item %s: results minus work is %d", id, n)
		}
	}
}

// TestItemsOfKilledConsumers kills the consumer during an item, with a manager and
// alone: the task is lost with that item and no other, and goes on when retried.
func TestItemsOfKilledConsumers(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	u := p.user()
	tell, proceed := p.fifo("tell"), p.fifo("proceed")
	for _, alone := range []bool{false, true} {
		spec := shell(`read token; echo "$token" > "$1"; read go < "$2"; echo "$token"`, tell.Path, proceed.Path)
		w := p.watch(u, spec)
		w.give("one", "two", "three")
		proceed.Open(1)
		if got := tell.Read() + tell.Read(); got != "onetwo" {
			t.Fatalf("items began: %s", got)
		}
		if got := w.take(); got.Output != "one\n" {
			t.Errorf("got %+v", got)
		}
		if alone {
			p.kill(p.manager())
		}
		held := p.task(w.tid).Message
		p.kill(p.task(w.tid).Consumer)
		killed := time.Now()
		w.ended()
		waittest.Bound(t, "the end of its task", time.Since(killed), lostWithin)
		got := p.task(w.tid)
		if got.Status != taskspec.StatusFailed || got.Error != "lost: consumer process died" || got.Items.Done != 1 || got.Items.Failed != 1 {
			t.Errorf("record is %+v, items %+v", got, got.Items)
		}
		if q := p.held()[ledger.QueuesOf(w.tid).Reserved]; !slices.Equal(q, []broker.ID{held}) || w.ids[held.String()] != "two" {
			t.Errorf("reserved are %v, want %v", q, held)
		}
		u.call(call{Do: "retry", TID: w.tid})
		u.line()
		proceed.Open(2)
		if got := tell.Read() + tell.Read(); got != "twothree" {
			t.Errorf("items began: %s", got)
		}
		if got := w.take().Output + w.take().Output; got != "two\nthree\n" {
			t.Errorf("got %q", got)
		}
		u.call(call{Do: "kill", TID: w.tid})
		if got := u.line(); got.Status != taskspec.StatusKilled {
			t.Errorf("got %+v", got)
		}
		w.ended()
	}
}

// TestItemsOfFunctions: each call has a process of its own, and what is wrong with
// one item is that item's affair.
func TestItemsOfFunctions(t *testing.T) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal", programVariable+"=1")
	u := p.user()
	w := p.watch(u, function("add", "a", 1))
	w.give(`{"kwargs":{"b":2}}`, `{"kwargs":{"b":"x"}}`, `{"args":5}`, `{}`)
	for i, want := range []line{
		{Status: taskspec.StatusCompleted, Output: "3"},
		{Status: taskspec.StatusFailed, Reason: `"b": `},
		{Status: taskspec.StatusFailed, Reason: "read work item: args: want a list"},
		{Status: taskspec.StatusCompleted, Output: "1"},
	} {
		if got := w.take(); got.Status != want.Status || got.Output != want.Output || !strings.Contains(got.Reason, want.Reason) {
			t.Errorf("item %d: got %+v, want %+v", i, got, want)
		}
	}
	u.call(call{Do: "stop", TID: w.tid})
	u.line()
	w.ended()

	w = p.watch(u, function("pid"))
	w.give("1", "2", "3")
	pids := []string{w.take().Output, w.take().Output, w.take().Output}
	slices.Sort(pids)
	if n := len(slices.Compact(pids)); n != 3 {
		t.Errorf("three calls had %d processes", n)
	}
	u.call(call{Do: "stop", TID: w.tid})
	u.line()
	w.ended()
}

// TestItemsStayBounded: what has been done leaves nothing in the memory of client,
// manager, consumer and record.
func TestItemsStayBounded(t *testing.T) { itemsStayBounded(t, 200, 800) }

// TestLongItems is the same for 100,000 items.
func TestLongItems(t *testing.T) {
	waittest.NeedLong(t)
	itemsStayBounded(t, 5000, 95_000)
}

// growth is how much more memory a process may have after all items than it had
// after the first ones, in bytes: the heap of a Go program is not always equally full.
const growth = 24 << 20

// itemsStayBounded works on so many items, looks how large everybody is, works on
// more, and looks again.
func itemsStayBounded(t *testing.T, first, more int) {
	t.Parallel()
	p := newProject(t, "WEFT_DURABILITY=normal")
	p.patient(time.Hour)
	u := p.user()
	w := p.watch(u, weft.Command("cat"))
	work := func(n int) {
		const atOnce = 500
		for ; n > 0; n -= atOnce {
			clear(w.ids)
			some := min(n, atOnce)
			w.give(slices.Repeat([]string{"item\n"}, some)...)
			for range some {
				got := w.take()
				if got.Output != "item\n" || w.ids[got.TID] == "" {
					t.Fatalf("got %+v", got)
				}
				delete(w.ids, got.TID)
			}
		}
	}
	sizes := func() map[string]int64 {
		task := p.task(w.tid)
		size := map[string]int64{"record": int64(len(p.record(w.tid)))}
		for name, id := range map[string]proc.Identity{"manager": p.manager(), "consumer": task.Consumer, "client": {PID: w.drain.cmd.Process.Pid}} {
			size[name] = resident(t, id.PID)
		}
		return size
	}
	work(first)
	before, began := sizes(), time.Now()
	work(more)
	took, after := time.Since(began), sizes()
	t.Logf("%d items in %v, %v each; bytes before %v, after %v", more, took.Round(time.Millisecond), (took / time.Duration(more)).Round(time.Microsecond), before, after)
	for name, size := range after {
		if most := before[name] + growth; size > most || name == "record" && size > before[name]+100 {
			t.Errorf("%s has grown from %d to %d bytes", name, before[name], size)
		}
	}
	if got := p.task(w.tid); got.Items.Done != int64(first+more) || got.Items.Failed != 0 || got.Epoch != 1 {
		t.Errorf("items are %+v", got.Items)
	}
	u.call(call{Do: "stop", TID: w.tid})
	u.line()
	w.ended()
}

// record is the record of a task, in JSON.
func (p *project) record(tid string) string {
	p.t.Helper()
	r, err := p.open().Broker().Record(p.ctx, ledger.Kind, tid)
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Body
}

// resident is how much memory a process has, in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
