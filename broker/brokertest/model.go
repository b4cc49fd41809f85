package brokertest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"weft/broker"
)

// A model is a broker that is a few maps: what a store should hold.
type model struct {
	queues  map[string][]broker.Message // in id order
	records map[string]broker.Record    // by kind, "/" and key
	aliases map[string]string           // what they stand for
	last    broker.ID
}

func newModel() *model {
	return &model{
		queues:  map[string][]broker.Message{},
		records: map[string]broker.Record{},
		aliases: map[string]string{},
	}
}

// clone copies the model, so that a transaction can fail.
func (m *model) clone() *model {
	c := &model{
		queues:  map[string][]broker.Message{},
		records: maps.Clone(m.records),
		aliases: maps.Clone(m.aliases),
		last:    m.last,
	}
	for q, ms := range m.queues {
		c.queues[q] = slices.Clone(ms)
	}
	return c
}

// insert appends a message under the id that the store gave it.
func (m *model) insert(queue, body string, id broker.ID) {
	m.queues[queue] = append(m.queues[queue], broker.Message{ID: id, Queue: queue, Body: body})
	m.last = max(m.last, id)
}

// restore puts a message to its place by its id.
func (m *model) restore(msg broker.Message) {
	m.insert(msg.Queue, msg.Body, msg.ID)
	m.sort(msg.Queue)
}

func (m *model) sort(queue string) {
	slices.SortFunc(m.queues[queue], func(a, b broker.Message) int { return cmp.Compare(a.ID, b.ID) })
}

// selected is what a selection picks from a queue.
func (m *model) selected(queue string, sel broker.Select) (picked []broker.Message) {
	for _, msg := range m.queues[queue] {
		if (sel.ID == 0 || msg.ID == sel.ID) && msg.ID > sel.After && (sel.Before == 0 || msg.ID < sel.Before) &&
			(sel.Limit == 0 || len(picked) < sel.Limit) {
			picked = append(picked, msg)
		}
	}
	return picked
}

// take removes the selected messages.
func (m *model) take(queue string, sel broker.Select) []broker.Message {
	picked := m.selected(queue, sel)
	m.queues[queue] = slices.DeleteFunc(m.queues[queue], func(msg broker.Message) bool { return slices.Contains(picked, msg) })
	return picked
}

// move puts the selected messages into another queue.
func (m *model) move(src, dst string, sel broker.Select) []broker.Message {
	moved := m.take(src, sel)
	for i := range moved {
		moved[i].Queue = dst
	}
	m.queues[dst] = append(m.queues[dst], moved...)
	m.sort(dst)
	return moved
}

// list is what a selection picks from the records of a kind.
func (m *model) list(kind string, sel broker.RecordSelect) (rs []broker.Record) {
	for _, r := range m.records {
		if r.Kind == kind && r.Rank > sel.AfterRank && (sel.BeforeRank == 0 || r.Rank < sel.BeforeRank) &&
			(len(sel.States) == 0 || slices.Contains(sel.States, r.State)) && strings.HasSuffix(r.Key, sel.KeySuffix) {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b broker.Record) int {
		if sel.Newest {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Key, b.Key))
	})
	if sel.Limit > 0 {
		rs = rs[:min(sel.Limit, len(rs))]
	}
	return rs
}

// state is all that the model holds.
func (m *model) state() state {
	st := state{Held: map[string][]broker.Message{}, Records: map[string][]broker.Record{}}
	for _, q := range slices.Sorted(maps.Keys(m.queues)) {
		if ms := m.queues[q]; len(ms) > 0 {
			st.Queues = append(st.Queues, q)
			st.Held[q] = ms
			st.Stats = append(st.Stats, broker.Stats{Queue: q, Pending: len(ms), Oldest: ms[0].ID, Newest: ms[len(ms)-1].ID})
		}
	}
	for _, kind := range kinds {
		if rs := m.list(kind, broker.RecordSelect{}); len(rs) > 0 {
			st.Records[kind] = rs
		}
	}
	return st
}

// A change is one thing that a transaction does, to the store and to the model
// alike. It returns an error if the two disagree.
type change func(tx *broker.Tx, m *model) error

var errDisagree = errors.New("the store and the model disagree")

// apply runs changes in one transaction that ends as end does, and gives the
// model that follows.
func apply(ctx context.Context, b *broker.Broker, m *model, changes []change, end func() error) (*model, outcome) {
	var after *model
	o := <-start(func() error {
		return b.Update(ctx, func(tx *broker.Tx) error {
			after = m.clone() // anew for each run
			for _, c := range changes {
				if err := c(tx, after); err != nil {
					return err
				}
			}
			return end()
		})
	})
	if o != (outcome{}) {
		return m, o
	}
	return after, o
}
