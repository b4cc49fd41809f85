// Package broker holds Weft's queues: named, durable, ordered lists of text
// messages that several processes share, and the records that say how things
// stand now.
//
// A [Broker] is opened by a backend ([weft/broker/sqlite] is the embedded
// one) and hands out queues by name:
//
//	b, err := sqlite.Open(".weft", sqlite.Options{})
//	…
//	id, err := b.Queue("jobs").Write(ctx, "resize cat.png")
//	m, err := b.Queue("jobs").Read(ctx)
//
// A queue exists while it holds a message; nothing is declared. Reading a
// message takes it: the claim has committed when Read returns, so every
// message is handed out once. A reader that may die before it is done moves
// the message to a queue of its own instead ([Queue.Move]) and deletes it
// when the work is finished.
//
// What belongs together goes into one transaction:
//
//	err := b.Update(ctx, func(tx *broker.Tx) error {
//		m, err := tx.Read("jobs", broker.Select{})
//		…
//		return tx.PutRecord(broker.Record{Kind: "job", Key: m.ID.String(), State: "done"})
//	})
//
// It commits whole or not at all, and the transactions of many goroutines
// share one commit, so that durability costs one fsync for all of them.
//
// Nobody polls for work. [Queue.Wait], [Queue.Watch] and [Waiter] sleep until
// a writer rings, and look by themselves at a slow interval in case a ring
// was lost.
package broker
