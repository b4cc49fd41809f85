// Package broker implements Weft's queues: named, durable, ordered lists of text messages
// that several processes share, and records, which hold the current state of things.
//
// A [Broker] is opened by a backend ([weft/broker/sqlite] is the embedded one) and returns
// queues by name:
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
// There are four ways to take messages, and they differ in what a crash does:
//
//   - [Queue.Read], [Queue.ReadEach] and [Queue.Watch] deliver at most once. A message has been taken durably when they return it, so no other reader gets it; if the reader dies before it is done, the message is lost. [Queue.ReadAll] does that with many messages at once.
//   - [Queue.Reserve] delivers at least once. A delivered message waits in a queue of the consumer's own until [Reservation.Ack]; if the consumer dies, [Reservation.Recover] puts it back, and it is delivered again.
//   - [Queue.Receive] delivers at least once, too, to any number of workers: a message is leased for a time, and comes again when the lease ends, unless [Lease.Ack] has deleted it. It is counted how often, and after [ReceiveOptions.MaxReceives] the message is put aside. [Queue.Work] is a pool of such workers.
//   - [Tx.Read] inside [Broker.Update] commits when the function returns. If the function fails, or the process dies in it, the whole batch is still in its queue. The same holds for all other changes of the function, so work that consists of such changes is done exactly once; but the function runs while others wait, and may run twice before it commits.
//
// # Transactions
//
// Changes that belong together go into one transaction:
//
//	err := b.Update(ctx, func(tx *broker.Tx) error {
//		ms, err := tx.Read("jobs", broker.Select{Limit: 1})
//		…
//		return tx.PutRecord(broker.Record{Kind: "job", Key: ms[0].ID.String(), State: "done"})
//	})
//
// It commits whole or not at all, and the transactions of many goroutines share one commit,
// so that durability costs one fsync for all of them.
//
// # Waiting
//
// [Queue.Wait], [Queue.Watch] and [Waiter] sleep until a writer notifies them. They also
// poll at long intervals, in case a notification was lost.
package broker
