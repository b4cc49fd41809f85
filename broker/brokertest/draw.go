package brokertest

import (
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"weft/broker"
)

// states are the states of the records that the machine puts.
var states = []string{"created", "running", "done"}

func queueName(r *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c.d"}).Draw(r, "queue")
}

// queuePair is two different queues.
func queuePair(r *rapid.T) (src, dst string) {
	names := rapid.Permutation([]string{"a", "b", "c.d"}).Draw(r, "from, to")
	return names[0], names[1]
}

func messageBody(r *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "x", "\x00", "ü\n"}), rapid.String()).Draw(r, "body")
}

// selection is a selection around ids that were given, of messages that may be
// there or gone.
func (m *machine) selection(r *rapid.T) (sel broker.Select) {
	id := func(label string) broker.ID {
		if len(m.known) == 0 || !rapid.Bool().Draw(r, label+" given") {
			return 0
		}
		return rapid.SampledFrom(m.known).Draw(r, label) + broker.ID(rapid.IntRange(-1, 1).Draw(r, label+" offset"))
	}
	switch rapid.IntRange(0, 3).Draw(r, "selection") {
	case 0:
	case 1:
		sel.ID = id("id")
	case 2:
		sel.After, sel.Limit = id("after"), rapid.IntRange(0, 3).Draw(r, "limit")
	default:
		sel.After, sel.Before, sel.Limit = id("after"), id("before"), rapid.IntRange(0, 3).Draw(r, "limit")
	}
	return sel
}

// change is something that a transaction does.
func (m *machine) change(r *rapid.T) change {
	q, sel := queueName(r), m.selection(r)
	switch rapid.SampledFrom([]string{"write", "read", "move", "moveall", "delete", "clear", "messages", "scan", "put", "swap", "drop"}).Draw(r, "change") {
	case "write":
		body, now := messageBody(r), m.clock.Now()
		return func(tx *broker.Tx, m *model) error {
			id, err := tx.Write(q, body)
			if err != nil {
				return err
			}
			return m.given(q, body, id, now)
		}
	case "read":
		return func(tx *broker.Tx, m *model) error {
			got, err := tx.Read(q, sel)
			return agree("read", m.take(q, sel), got, err)
		}
	case "move":
		src, dst := queuePair(r)
		return func(tx *broker.Tx, m *model) error {
			got, err := tx.Move(src, dst, sel)
			return agree("moved", m.move(src, dst, sel), got, err)
		}
	case "moveall":
		src, dst := queuePair(r)
		return func(tx *broker.Tx, m *model) error {
			got, err := tx.MoveAll(src, dst, sel)
			return agree("moved", len(m.move(src, dst, sel)), got, err)
		}
	case "delete":
		return func(tx *broker.Tx, m *model) error {
			got, err := tx.Delete(q, sel)
			return agree("deleted", len(m.take(q, sel)), got, err)
		}
	case "clear":
		one, other := queuePair(r)
		return func(tx *broker.Tx, m *model) error {
			m.take(one, broker.Select{})
			m.take(other, broker.Select{})
			return tx.Clear(one, other)
		}
	case "messages":
		return func(tx *broker.Tx, m *model) error {
			got, err := tx.Messages(q, sel)
			return agree("peeked", m.selected(q, sel), got, err)
		}
	case "scan":
		most := rapid.IntRange(1, 3).Draw(r, "most")
		return func(tx *broker.Tx, m *model) error {
			var got []broker.Message
			err := tx.Scan(q, sel, func(msg broker.Message) bool {
				got = append(got, msg)
				return len(got) < most
			})
			want := m.selected(q, sel)
			return agree("scanned", want[:min(most, len(want))], got, err)
		}
	case "put":
		rec := record(r)
		return func(tx *broker.Tx, m *model) error {
			m.records[rec.Kind+"/"+rec.Key] = rec
			return tx.PutRecord(rec)
		}
	case "swap":
		rec, wrong := record(r), rapid.Bool().Draw(r, "wrong")
		return func(tx *broker.Tx, m *model) error {
			old, there := m.records[rec.Kind+"/"+rec.Key]
			old.Kind, old.Key = rec.Kind, rec.Key
			if wrong {
				old.Body += "x"
			}
			if there && !wrong {
				m.records[rec.Kind+"/"+rec.Key] = rec
			}
			got, err := tx.SwapRecord(old, rec)
			return agree("swapped", there && !wrong, got, err)
		}
	default:
		kind, key := rapid.SampledFrom(kinds).Draw(r, "kind"), rapid.SampledFrom([]string{"", "k", "K"}).Draw(r, "key")
		return func(tx *broker.Tx, m *model) error {
			want, there := m.records[kind+"/"+key]
			got, err := tx.Record(kind, key)
			if !there && errors.Is(err, broker.ErrNotFound) {
				err = nil
			}
			delete(m.records, kind+"/"+key)
			return errors.Join(agree("record", want, got, err), tx.DeleteRecord(kind, key))
		}
	}
}

// record draws a record.
func record(r *rapid.T) broker.Record {
	return broker.Record{
		Kind:  rapid.SampledFrom(kinds).Draw(r, "kind"),
		Key:   rapid.SampledFrom([]string{"", "k", "K", "l"}).Draw(r, "key"),
		State: rapid.SampledFrom(states).Draw(r, "state"),
		Rank:  rapid.Int64Range(1, 6).Draw(r, "rank"),
		Body:  messageBody(r),
	}
}

// agree returns an error unless got is want.
func agree(what string, want, got any, err error) error {
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("%w: %s (-model +store):\n%s", errDisagree, what, diff)
	}
	return nil
}
