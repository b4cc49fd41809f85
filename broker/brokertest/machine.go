package brokertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/broker"
)

// checkModel compares the broker with the model over random actions.
func checkModel(t *testing.T, b Backend) {
	root := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		m := newMachine(t, b, root)
		defer m.close(r)
		r.Repeat(map[string]func(*rapid.T){
			"":             m.look,
			"write":        m.write,
			"writeall":     m.writeAll,
			"read":         m.read,
			"readall":      m.readAll,
			"peek":         m.peek,
			"take":         m.take,
			"messages":     m.messages,
			"move":         m.move,
			"moveall":      m.moveAll,
			"delete":       m.delete,
			"stats":        m.stats,
			"broadcast":    m.broadcast,
			"deletequeues": m.deleteQueues,
			"rename":       m.rename,
			"alias":        m.alias,
			"unalias":      m.unalias,
			"reserve":      m.reserve,
			"restore":      m.restore,
			"advance":      m.advance,
			"info":         m.info,
			"compact":      m.compact,
			"records":      m.records,
			"update":       m.update,
			"reopen":       m.reopen,
			"clock":        m.step,
		})
		m.compare(r)
	})
}

// A machine does the same things to a store, through two handles that stand
// for two processes, and to a model.
type machine struct {
	t       *testing.T // what opening the store may end
	backend Backend
	dir     string
	clock   *clock
	handles [2]*broker.Broker
	raw     [2]broker.Backend // below the handles
	model   *model
	known   []broker.ID // all ids that were ever given
	actions int
}

func newMachine(t *testing.T, b Backend, root string) *machine {
	dir, err := os.MkdirTemp(root, "")
	must(t, err)
	m := &machine{t: t, backend: b, dir: dir, clock: &clock{now: epoch}, model: newModel()}
	for i := range m.handles {
		m.open(i)
	}
	return m
}

func (m *machine) open(i int) {
	m.raw[i] = m.backend.Open(m.t, m.dir, m.clock.Now)
	m.handles[i] = broker.New(m.raw[i], broker.Options{})
}

// close ends the run; the next begins with an empty store.
func (m *machine) close(r *rapid.T) {
	for _, b := range m.handles {
		m.must(r, b.Close())
	}
	if m.backend.Check != nil {
		m.backend.Check(m.t, m.dir)
	}
	m.must(r, os.RemoveAll(m.dir))
}

// look compares after every second action: it costs as much as several.
func (m *machine) look(r *rapid.T) {
	if m.actions++; m.actions%2 == 0 {
		m.compare(r)
	}
}

// compare compares all that the store holds.
func (m *machine) compare(r *rapid.T) {
	got, err := read(m.any(r))
	m.must(r, err)
	for _, problem := range got.contradictions() {
		r.Error(problem)
	}
	same(r, "state", m.model.state(), got)
}

func (m *machine) write(r *rapid.T) {
	q, body := queueName(r), messageBody(r)
	id, err := m.any(r).Queue(q).Write(context.Background(), body)
	m.must(r, err)
	m.must(r, m.model.given(q, body, id, m.clock.Now()))
	m.known = append(m.known, id)
}

func (m *machine) writeAll(r *rapid.T) {
	q, bodies := queueName(r), rapid.SliceOfN(rapid.Custom(messageBody), 0, 5).Draw(r, "bodies")
	ids, err := m.any(r).Queue(q).WriteAll(context.Background(), bodies)
	m.must(r, err)
	if len(ids) != len(bodies) {
		r.Fatalf("%d ids for %d messages", len(ids), len(bodies))
	}
	for i, id := range ids {
		m.must(r, m.model.given(q, bodies[i], id, m.clock.Now()))
		m.known = append(m.known, id)
	}
}

func (m *machine) read(r *rapid.T) {
	q := queueName(r)
	got, err := m.any(r).Queue(q).Read(context.Background())
	m.one(r, "read", m.model.take(q, broker.Select{Limit: 1}), got, err)
}

func (m *machine) peek(r *rapid.T) {
	q := queueName(r)
	got, err := m.any(r).Queue(q).Peek(context.Background())
	m.one(r, "peek", m.model.selected(q, broker.Select{Limit: 1}), got, err)
}

func (m *machine) move(r *rapid.T) {
	src, dst := queuePair(r)
	got, err := m.any(r).Queue(src).Move(context.Background(), dst)
	m.one(r, "move", m.model.move(src, dst, broker.Select{Limit: 1}), got, err)
}

// one compares the result of an operation on the oldest message.
func (m *machine) one(r *rapid.T, what string, want []broker.Message, got broker.Message, err error) {
	if len(want) == 0 {
		if !errors.Is(err, broker.ErrEmpty) {
			r.Fatalf("%s of an empty queue: %+v, %v", what, got, err)
		}
		return
	}
	m.must(r, err)
	same(r, what, want[0], got)
}

func (m *machine) take(r *rapid.T) {
	q, sel := queueName(r), m.selection(r)
	var got []broker.Message
	for msg, err := range m.any(r).Queue(q).ReadEach(context.Background(), sel) {
		m.must(r, err)
		got = append(got, msg)
	}
	same(r, "taken", m.model.take(q, sel), got)
}

func (m *machine) messages(r *rapid.T) {
	q, sel := queueName(r), m.selection(r)
	var got []broker.Message
	for msg, err := range m.any(r).Queue(q).Messages(context.Background(), sel) {
		m.must(r, err)
		got = append(got, msg)
	}
	same(r, "peeked", m.model.selected(q, sel), got)
}

func (m *machine) moveAll(r *rapid.T) {
	src, dst := queuePair(r)
	sel := m.selection(r)
	got, err := m.any(r).Queue(src).MoveAll(context.Background(), dst, sel)
	m.must(r, err)
	same(r, "moved", len(m.model.move(src, dst, sel)), got)
}

func (m *machine) delete(r *rapid.T) {
	q, sel := queueName(r), m.selection(r)
	got, err := m.any(r).Queue(q).Delete(context.Background(), sel)
	m.must(r, err)
	same(r, "deleted", len(m.model.take(q, sel)), got)
}

func (m *machine) records(r *rapid.T) {
	kind := rapid.SampledFrom(kinds).Draw(r, "kind")
	sel := broker.RecordSelect{
		States:    rapid.SliceOfN(rapid.SampledFrom(states), 0, 2).Draw(r, "states"),
		KeySuffix: rapid.SampledFrom([]string{"", "", "a", "b", "ü"}).Draw(r, "key suffix"),
		AfterRank: rapid.Int64Range(0, 5).Draw(r, "after rank"),
		Limit:     rapid.IntRange(0, 4).Draw(r, "limit"),
		Newest:    rapid.Bool().Draw(r, "newest"),
	}
	got, err := m.any(r).Records(context.Background(), kind, sel)
	m.must(r, err)
	same(r, "records", m.model.list(kind, sel), got)
}

// update runs a transaction of several changes that succeeds or fails.
func (m *machine) update(r *rapid.T) {
	changes := make([]change, rapid.IntRange(0, 6).Draw(r, "changes"))
	for i := range changes {
		changes[i] = m.change(r)
	}
	ending := rapid.SampledFrom([]string{"commit", "commit", "error", "panic", "exit"}).Draw(r, "ending")
	end, want := succeed, outcome{}
	for i, name := range []string{"error", "panic", "exit"} {
		if ending == name {
			end, want = endings[i].end, endings[i].want
		}
	}
	after, got := apply(context.Background(), m.any(r), m.model, changes, end)
	if got != want {
		r.Fatalf("update that ends with %s: %+v", ending, got)
	}
	for _, id := range after.state().ids() {
		if id > m.model.last {
			m.known = append(m.known, id)
		}
	}
	m.model = after
}

func (m *machine) reopen(r *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(r, "handle")
	m.must(r, m.handles[i].Close())
	if rapid.Bool().Draw(r, "both") { // nobody has it open for a moment
		m.must(r, m.handles[1-i].Close())
		m.open(1 - i)
	}
	m.open(i)
	m.compareAliases(r)
}

func (m *machine) step(r *rapid.T) {
	step := rapid.SampledFrom([]time.Duration{time.Nanosecond, broker.Grain, time.Hour, 10 * 365 * 24 * time.Hour}).Draw(r, "step")
	if rapid.Bool().Draw(r, "back") {
		step = -step
	}
	now := m.clock.Now().Add(step)
	if now.Year() > 2200 {
		now = epoch // ids end in 2262
	}
	m.clock.Set(now)
}

// any is one of the handles.
func (m *machine) any(r *rapid.T) *broker.Broker {
	return m.handles[rapid.IntRange(0, 1).Draw(r, "handle")]
}

func (m *machine) must(r *rapid.T, err error) {
	if err != nil {
		r.Fatal(err)
	}
}

// same fails the run unless got is want.
func same(r *rapid.T, what string, want, got any) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		r.Fatalf("%s (-model +store):\n%s", what, diff)
	}
}

// given inserts a message and says why the store must not have given it id.
func (m *model) given(queue, body string, id broker.ID, now time.Time) error {
	if id <= m.last || id < broker.IDAt(now) {
		return fmt.Errorf("%w: id %v at %v after %v", errDisagree, id, now, m.last)
	}
	m.insert(queue, body, id)
	return nil
}
