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
// A queue exists while it holds a message; nothing is declared.
//
// # How often a message is delivered
//
// There are three ways to take messages, and they differ in what a crash does:
//
//   - [Queue.Read], [Queue.ReadEach] and [Queue.Watch] claim once. The claim has
//     committed when they hand a message out, so that nobody gets it twice; if
//     the reader dies before it is done, nobody gets it again. [Queue.ReadAll]
//     does that with many messages at once.
//   - [Queue.Reserve] delivers at least once. A message that was handed out
//     waits in a queue of the worker's own until [Reservation.Ack]; if the
//     worker dies, [Reservation.Recover] puts it back, and it comes again.
//   - [Tx.Read] inside [Broker.Update] commits when the function returns. If
//     the function fails, or the process dies in it, the whole batch is still
//     in its queue. All other changes of the function share that fate, so
//     work that consists of such changes is done exactly once; but the
//     function runs while others wait, and may run twice before it counts.
//
// # Transactions
//
// What belongs together goes into one transaction:
//
//	err := b.Update(ctx, func(tx *broker.Tx) error {
//		ms, err := tx.Read("jobs", broker.Select{Limit: 1})
//		…
//		return tx.PutRecord(broker.Record{Kind: "job", Key: ms[0].ID.String(), State: "done"})
//	})
//
// It commits whole or not at all, and the transactions of many goroutines
// share one commit, so that durability costs one fsync for all of them.
//
// # Waiting
//
// Nobody polls for work. [Queue.Wait], [Queue.Watch] and [Waiter] sleep until
// a writer rings, and look by themselves at a slow interval in case a ring
// was lost.
package broker
