package brokertest

import (
	"context"
	"testing"

	"weft/broker"
)

// everyCall is every call that asks the store something, by its name. None of
// them may get as far as to do it.
func everyCall(t testing.TB, ctx context.Context, b *broker.Broker) map[string]func() error {
	q := b.Queue("q")
	reserved := q.Reserve("q.held")
	all := b.Queues(broker.Pattern{})
	return map[string]func() error{
		"write":         func() error { _, err := q.Write(ctx, "x"); return err },
		"write all":     func() error { _, err := q.WriteAll(ctx, []string{"x"}); return err },
		"read":          func() error { _, err := q.Read(ctx); return err },
		"read all":      func() error { _, err := q.ReadAll(ctx, broker.Select{}); return err },
		"take":          func() error { return last(q.ReadEach(ctx, broker.Select{})) },
		"peek":          func() error { _, err := q.Peek(ctx); return err },
		"messages":      func() error { return last(q.Messages(ctx, broker.Select{})) },
		"move":          func() error { _, err := q.Move(ctx, "r"); return err },
		"move all":      func() error { _, err := q.MoveAll(ctx, "r", broker.Select{}); return err },
		"delete":        func() error { _, err := q.Delete(ctx, broker.Select{}); return err },
		"stats":         func() error { _, err := q.Stats(ctx); return err },
		"wait":          func() error { return q.Wait(ctx) },
		"watch":         func() error { return last(q.Watch(ctx, broker.WatchOptions{})) },
		"peeking watch": func() error { return last(q.Watch(ctx, broker.WatchOptions{Peek: true})) },
		"moving watch":  func() error { return last(q.Watch(ctx, broker.WatchOptions{MoveTo: "r"})) },

		"reserve":         func() error { _, err := reserved.Next(ctx); return err },
		"reserve a batch": func() error { _, err := reserved.Batch(ctx, 2); return err },
		"acknowledge":     func() error { return reserved.Ack(ctx, 1) },
		"release":         func() error { return reserved.Release(ctx, 1) },
		"recover":         func() error { _, err := reserved.Recover(ctx); return err },

		"names":         func() error { return last(all.Names(ctx)) },
		"all stats":     func() error { return last(all.Stats(ctx)) },
		"broadcast":     func() error { _, err := all.Broadcast(ctx, "x"); return err },
		"delete queues": func() error { _, err := all.Delete(ctx); return err },
		"rename":        func() error { _, err := b.Rename(ctx, "q", "r"); return err },
		"add alias":     func() error { return b.Aliases().Add(ctx, "a", "q") },
		"remove alias":  func() error { return b.Aliases().Remove(ctx, "a") },
		"list aliases":  func() error { _, err := b.Aliases().List(ctx, ""); return err },
		"resolve alias": func() error { _, err := b.Aliases().Resolve(ctx, "@a"); return err },

		"record":  func() error { _, err := b.Record(ctx, "task", "t"); return err },
		"records": func() error { _, err := b.Records(ctx, "task", broker.RecordSelect{}); return err },
		"count":   func() error { _, err := broker.CountRecords(ctx, b, "task"); return err },
		"info":    func() error { _, err := b.Info(ctx); return err },
		"id":      func() error { _, err := b.StoreID(ctx); return err },
		"compact": func() error { return b.Compact(ctx) },
		"update":  func() error { return b.Update(ctx, func(*broker.Tx) error { t.Error("update ran"); return nil }) },
		"view":    func() error { return b.View(ctx, func(broker.Reader) error { t.Error("view ran"); return nil }) },
	}
}

// everyChange is every call that changes messages of the queue called name,
// outside a transaction.
func everyChange(ctx context.Context, b *broker.Broker, name string) map[string]func() error {
	q, x := b.Queue(name), b.Queue("x")
	return map[string]func() error{
		"write":           func() error { _, err := q.Write(ctx, "x"); return err },
		"write all":       func() error { _, err := q.WriteAll(ctx, []string{"x"}); return err },
		"read":            func() error { _, err := q.Read(ctx); return err },
		"read all":        func() error { _, err := q.ReadAll(ctx, broker.Select{}); return err },
		"take":            func() error { return last(q.ReadEach(ctx, broker.Select{})) },
		"move":            func() error { _, err := q.Move(ctx, "x"); return err },
		"move to":         func() error { _, err := x.Move(ctx, name); return err },
		"move all":        func() error { _, err := q.MoveAll(ctx, "x", broker.Select{}); return err },
		"move all to":     func() error { _, err := x.MoveAll(ctx, name, broker.Select{}); return err },
		"delete":          func() error { _, err := q.Delete(ctx, broker.Select{}); return err },
		"watch":           func() error { return last(q.Watch(ctx, broker.WatchOptions{})) },
		"moving watch":    func() error { return last(q.Watch(ctx, broker.WatchOptions{MoveTo: "x"})) },
		"rename":          func() error { _, err := b.Rename(ctx, name, "x"); return err },
		"rename to":       func() error { _, err := b.Rename(ctx, "x", name); return err },
		"add alias":       func() error { return b.Aliases().Add(ctx, "alias", name) },
		"reserve":         func() error { _, err := q.Reserve("x").Next(ctx); return err },
		"reserve a batch": func() error { _, err := q.Reserve("x").Batch(ctx, 2); return err },
		"reserve into":    func() error { _, err := x.Reserve(name).Next(ctx); return err },
		"acknowledge":     func() error { return x.Reserve(name).Ack(ctx, 1) },
		"release":         func() error { return x.Reserve(name).Release(ctx, 1) },
		"release to":      func() error { return q.Reserve("x").Release(ctx, 1) },
		"recover":         func() error { _, err := q.Reserve("x").Recover(ctx); return err },
	}
}

// everyChangeIn is everyChange inside a transaction.
func everyChangeIn(tx *broker.Tx, name string) map[string]func() error {
	return map[string]func() error{
		"write":       func() error { _, err := tx.Write(name, "x"); return err },
		"read":        func() error { _, err := tx.Read(name, broker.Select{}); return err },
		"move":        func() error { _, err := tx.Move(name, "x", broker.Select{}); return err },
		"move to":     func() error { _, err := tx.Move("x", name, broker.Select{}); return err },
		"move all":    func() error { _, err := tx.MoveAll(name, "x", broker.Select{}); return err },
		"move all to": func() error { _, err := tx.MoveAll("x", name, broker.Select{}); return err },
		"delete":      func() error { _, err := tx.Delete(name, broker.Select{}); return err },
		"clear":       func() error { return tx.Clear("x", name) },
	}
}
