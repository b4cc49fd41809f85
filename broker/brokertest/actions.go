package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"weft/broker"
)

// The actions of the machine on whole queues, on aliases and below the broker.

func (m *machine) readAll(r *rapid.T) {
	q, sel := queueName(r), m.selection(r)
	got, err := m.any(r).Queue(q).ReadAll(context.Background(), sel)
	m.must(r, err)
	same(r, "read", m.model.take(q, sel), got)
}

// pattern is a pattern, and what it matches by other means.
func pattern(r *rapid.T) (broker.Pattern, func(string) bool) {
	switch rapid.IntRange(0, 3).Draw(r, "pattern") {
	case 0:
		return broker.Pattern{}, func(string) bool { return true }
	case 1:
		return broker.Prefix("c"), func(q string) bool { return q == "c.d" }
	case 2:
		return glob("[!a]*"), func(q string) bool { return q != "a" }
	default:
		return glob("?"), func(q string) bool { return len(q) == 1 }
	}
}

// matching are the names of the queues that match and hold messages.
func (m *model) matching(match func(string) bool) (names []string) {
	for _, q := range slices.Sorted(maps.Keys(m.queues)) {
		if len(m.queues[q]) > 0 && match(q) {
			names = append(names, q)
		}
	}
	return names
}

func (m *machine) stats(r *rapid.T) {
	p, match := pattern(r)
	var got []string
	for st, err := range m.any(r).Queues(p).Stats(context.Background()) {
		m.must(r, err)
		got = append(got, st.Queue)
		same(r, "pending in "+st.Queue, len(m.model.queues[st.Queue]), st.Pending)
	}
	same(r, "counted", m.model.matching(match), got)
}

func (m *machine) broadcast(r *rapid.T) {
	p, match := pattern(r)
	b, body := m.any(r), messageBody(r)
	got, err := b.Queues(p).Broadcast(context.Background(), body)
	m.must(r, err)
	same(r, "reached", m.model.matching(match), got)
	for _, q := range got {
		st, err := b.Queue(q).Stats(context.Background())
		m.must(r, err)
		m.must(r, m.model.given(q, body, st.Newest, m.clock.Now()))
		m.known = append(m.known, st.Newest)
	}
}

func (m *machine) deleteQueues(r *rapid.T) {
	p, match := pattern(r)
	got, err := m.any(r).Queues(p).Delete(context.Background())
	m.must(r, err)
	n := 0
	for _, q := range m.model.matching(match) {
		n += len(m.model.take(q, broker.Select{}))
	}
	same(r, "deleted", n, got)
}

func (m *machine) rename(r *rapid.T) {
	from, to := queueName(r), queueName(r)
	n, err := m.any(r).Rename(context.Background(), from, to)
	want := m.model.rename(from, to)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		r.Fatalf("rename %s to %s: %v, want %v", from, to, err, want)
	}
	if err == nil {
		same(r, "renamed", len(m.model.queues[to]), n)
	}
	m.compareAliases(r)
}

// rename renames a queue, or says why it cannot be done.
func (m *model) rename(from, to string) error {
	users := m.standFor(from)
	switch _, isAlias := m.aliases[to]; {
	case from == to:
		return broker.ErrSameQueue
	case len(m.queues[to]) > 0:
		return broker.ErrExists
	case len(m.queues[from]) == 0:
		return broker.ErrEmpty
	case len(users) > 0 && isAlias:
		return broker.ErrAlias
	}
	m.move(from, to, broker.Select{})
	for _, name := range users {
		m.aliases[name] = to
	}
	return nil
}

// standFor are the aliases of a queue.
func (m *model) standFor(queue string) (names []string) {
	for name, q := range m.aliases {
		if q == queue {
			names = append(names, name)
		}
	}
	return names
}

// alias adds one. Their names are those of queues, so that they get in the way
// of one another.
func (m *machine) alias(r *rapid.T) {
	name, queue := queueName(r), queueName(r)
	_, there := m.model.aliases[name]
	_, chained := m.model.aliases[queue]
	allowed := !there && !chained && name != queue && len(m.model.standFor(name)) == 0
	err := m.any(r).Aliases().Add(context.Background(), name, queue)
	if allowed != (err == nil) {
		r.Fatalf("add alias %s of %s to %v: %v", name, queue, m.model.aliases, err)
	}
	if allowed {
		m.model.aliases[name] = queue
	}
	m.compareAliases(r)
}

func (m *machine) unalias(r *rapid.T) {
	name := queueName(r)
	_, there := m.model.aliases[name]
	if err := m.any(r).Aliases().Remove(context.Background(), name); there != (err == nil) {
		r.Fatalf("remove alias %s: %v", name, err)
	}
	delete(m.model.aliases, name)
	m.compareAliases(r)
}

// compareAliases compares the aliases, which lead to queues and never on.
func (m *machine) compareAliases(r *rapid.T) {
	b := m.any(r)
	all, err := b.Aliases().List(context.Background(), "")
	m.must(r, err)
	got := map[string]string{}
	for _, a := range all {
		got[a.Name] = a.Queue
		resolved, err := b.Aliases().Resolve(context.Background(), broker.AliasMark+a.Name)
		m.must(r, err)
		same(r, "resolved", a.Queue, resolved)
		if _, chained := m.model.aliases[a.Queue]; chained {
			r.Fatalf("alias %s leads to the alias %s", a.Name, a.Queue)
		}
	}
	same(r, "aliases", m.model.aliases, got)
}

// reserve hands out, acknowledges or puts back.
func (m *machine) reserve(r *rapid.T) {
	from, held := queuePair(r)
	res := m.any(r).Queue(from).Reserve(held)
	switch rapid.SampledFrom([]string{"batch", "ack", "release", "recover"}).Draw(r, "reservation") {
	case "batch":
		n := rapid.IntRange(1, 3).Draw(r, "batch")
		got, err := res.Batch(context.Background(), n)
		m.must(r, err)
		same(r, "reserved", m.model.move(from, held, broker.Select{Limit: n}), got)
	case "ack":
		m.settle(r, held, res.Ack, func(id broker.ID) { m.model.take(held, broker.Select{ID: id}) })
	case "release":
		m.settle(r, held, res.Release, func(id broker.ID) { m.model.move(held, from, broker.Select{ID: id}) })
	default:
		got, err := res.Recover(context.Background())
		m.must(r, err)
		same(r, "recovered", len(m.model.move(held, from, broker.Select{})), got)
	}
}

// settle settles some messages, of which all must be in held.
func (m *machine) settle(r *rapid.T, held string, call func(context.Context, ...broker.ID) error, do func(broker.ID)) {
	if len(m.known) == 0 {
		return
	}
	list := rapid.SliceOfNDistinct(rapid.SampledFrom(m.known), 0, 2, rapid.ID).Draw(r, "settled")
	all := true
	for _, id := range list {
		all = all && len(m.model.selected(held, broker.Select{ID: id})) == 1
	}
	err := call(context.Background(), list...)
	if all != (err == nil) || err != nil && !errors.Is(err, broker.ErrEmpty) {
		r.Fatalf("settle %v of %s: %v", list, held, err)
	}
	if all {
		for _, id := range list {
			do(id)
		}
	}
}

// restore puts back a message that was there before, or one of old, unless its
// id is in use.
func (m *machine) restore(r *rapid.T) {
	q := queueName(r)
	id := broker.ID(rapid.IntRange(1, 20).Draw(r, "old id"))
	if len(m.known) > 0 && rapid.Bool().Draw(r, "known") {
		id = rapid.SampledFrom(m.known).Draw(r, "id")
	}
	used := slices.Contains(m.model.state().ids(), id)
	err := m.raw[rapid.IntRange(0, 1).Draw(r, "handle")].Update(context.Background(), func(txn broker.BackendTx) error {
		return txn.Restore([]broker.Message{{ID: id, Queue: q, Body: fmt.Sprint(id)}})
	})
	if used != errors.Is(err, broker.ErrExists) || !used && err != nil {
		r.Fatalf("restore %v: %v, in use: %v", id, err, used)
	}
	if !used {
		m.model.restore(broker.Message{ID: id, Queue: q, Body: fmt.Sprint(id)})
		m.known = append(m.known, id)
	}
}

func (m *machine) advance(r *rapid.T) {
	by := broker.ID(rapid.IntRange(-5000, 5000).Draw(r, "advance"))
	id := max(1, m.model.last+by)
	m.must(r, m.raw[rapid.IntRange(0, 1).Draw(r, "handle")].Update(context.Background(), func(txn broker.BackendTx) error {
		return txn.Advance(id)
	}))
	m.model.last = max(m.model.last, id)
}

func (m *machine) info(r *rapid.T) {
	info, err := m.any(r).Info(context.Background())
	m.must(r, err)
	same(r, "last id", m.model.last, info.LastID)
}

func (m *machine) compact(r *rapid.T) { m.must(r, m.any(r).Compact(context.Background())) }
