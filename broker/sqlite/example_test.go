package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
)

var ctx = context.Background()

// opened is a store in a folder of its own, for the examples.
func opened() (b *broker.Broker, closeAll func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	b, err = sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return b, func() {
		if err := errors.Join(b.Close(), os.RemoveAll(dir)); err != nil {
			log.Fatal(err)
		}
	}
}

// written is opened, with jobs in its queue "jobs".
func written(jobs ...string) (b *broker.Broker, closeAll func()) {
	b, closeAll = opened()
	if _, err := b.Queue("jobs").WriteAll(ctx, jobs); err != nil {
		log.Fatal(err)
	}
	return b, closeAll
}

// A message is durable when Write returns, and gone when Read returns it.
func Example() {
	b, closeAll := opened()
	defer closeAll()
	jobs := b.Queue("jobs")

	if _, err := jobs.Write(ctx, "resize cat.png"); err != nil {
		log.Fatal(err)
	}
	m, err := jobs.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Queue, m.Body)

	_, err = jobs.Read(ctx)
	fmt.Println(errors.Is(err, broker.ErrEmpty))
	// Output:
	// jobs resize cat.png
	// true
}

// ReadAll takes many messages with one commit. They are gone when it returns:
// what is lost on the way to where they are needed is lost.
func Example_readAll() {
	b, closeAll := written("a", "b", "c")
	defer closeAll()

	ms, err := b.Queue("jobs").ReadAll(ctx, broker.Select{Limit: 2})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range ms {
		fmt.Println(m.Body)
	}
	// Output:
	// a
	// b
}

// Take takes one message at a time: who breaks off loses none.
func Example_take() {
	b, closeAll := written("a", "b", "c")
	defer closeAll()
	jobs := b.Queue("jobs")

	for m, err := range jobs.ReadEach(ctx, broker.Select{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("took", m.Body)
		if m.Body == "b" {
			break
		}
	}
	next, err := jobs.Peek(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("next is", next.Body)
	// Output:
	// took a
	// took b
	// next is c
}

// Messages looks at messages and leaves them. Who remembers the last id goes on
// from there.
func Example_messages() {
	b, closeAll := written("a", "b")
	defer closeAll()
	jobs := b.Queue("jobs")

	var last broker.ID
	show := func() {
		for m, err := range jobs.Messages(ctx, broker.Select{After: last}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(m.Body)
			last = m.ID
		}
	}
	show()
	if _, err := jobs.Write(ctx, "c"); err != nil {
		log.Fatal(err)
	}
	show()
	// Output:
	// a
	// b
	// c
}

// Watch yields messages as they come. Each has been taken, durably, when it is
// yielded; breaking off loses none.
func Example_watch() {
	b, closeAll := written("one", "two")
	defer closeAll()

	for m, err := range b.Queue("jobs").Watch(ctx, broker.WatchOptions{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(m.Body)
		if m.Body == "two" {
			break
		}
	}
	// Output:
	// one
	// two
}

// MoveAll moves any number of messages, all of them or none.
func Example_moveAll() {
	b, closeAll := written("a", "b", "c")
	defer closeAll()

	n, err := b.Queue("jobs").MoveAll(ctx, "later", broker.Select{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "moved")
	// Output: 3 moved
}

// A worker that may die before it is done reserves its job. Whatever happens,
// the job is in exactly one queue, and comes again if its worker did not say
// that it is done.
func Example_reserve() {
	b, closeAll := written("resize cat.png")
	defer closeAll()

	worker := b.Queue("jobs").Reserve("jobs.worker1")
	job, err := worker.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("working on", job.Body)

	// Here the worker dies. In its next life it begins with what it had.
	n, err := worker.Recover(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("recovered:", n)
	if job, err = worker.Next(ctx); err != nil {
		log.Fatal(err)
	}
	if err := worker.Ack(ctx, job.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println("done:", job.Body)
	// Output:
	// working on resize cat.png
	// recovered: 1
	// done: resize cat.png
}

// Any number of workers receive from one queue. What one of them fails to do, or dies of, is
// received again, three times at most.
func Example_receive() {
	b, closeAll := written("resize cat.png", "resize dog.gif")
	defer closeAll()

	o := broker.ReceiveOptions{Lease: time.Minute, MaxReceives: 3, NoWait: true}
	for {
		job, err := b.Queue("jobs").Receive(ctx, o)
		if errors.Is(err, broker.ErrEmpty) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, time %d\n", job.Body, job.Receives)
		if strings.HasSuffix(job.Body, ".gif") {
			err = job.Nack(ctx, 0) // it failed
		} else {
			err = job.Ack(ctx)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	dead, err := b.Queue("jobs.dead").Peek(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("given up:", dead.Body)
	// Output:
	// resize cat.png, time 1
	// resize dog.gif, time 1
	// resize dog.gif, time 2
	// resize dog.gif, time 3
	// given up: resize dog.gif
}

// Four goroutines work on a queue. Without NoWait they would wait for more.
func Example_work() {
	b, closeAll := written("resize cat.png", "resize dog.png")
	defer closeAll()

	o := broker.WorkOptions{Workers: 4}
	o.NoWait = true
	err := b.Queue("jobs").Work(ctx, o, func(_ context.Context, job *broker.Lease) error {
		fmt.Println("done:", job.Body)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// done: resize cat.png
	// done: resize dog.png
}

// A batch that is read in a transaction is taken when the function has
// returned, and not before: if it fails, all of the batch is still there.
func Example_batch() {
	b, closeAll := written("a", "b", "c")
	defer closeAll()

	pack := func(fails bool) error {
		return b.Update(ctx, func(tx *broker.Tx) error {
			batch, err := tx.Read("jobs", broker.Select{Limit: 2})
			if err != nil {
				return err
			}
			if fails {
				return errors.New("power cut")
			}
			_, err = tx.Write("parcels", batch[0].Body+batch[1].Body)
			return err
		})
	}
	for _, fails := range []bool{true, false} {
		err := pack(fails)
		st, err2 := b.Queue("jobs").Stats(ctx)
		if err2 != nil {
			log.Fatal(err2)
		}
		fmt.Println(err, st.Pending)
	}
	// Output:
	// power cut 3
	// <nil> 1
}

// What belongs together is one transaction: the result, the end of the job and
// the record of how things stand are all there or none is.
func Example_update() {
	b, closeAll := written("resize cat.png")
	defer closeAll()

	err := b.Update(ctx, func(tx *broker.Tx) error {
		jobs, err := tx.Read("jobs", broker.Select{Limit: 1})
		if err != nil || len(jobs) == 0 {
			return err
		}
		if _, err := tx.Write("results", "small cat.png"); err != nil {
			return err
		}
		return tx.PutRecord(broker.Record{Kind: "job", Key: "cat", State: "done", Rank: int64(jobs[0].ID)})
	})
	if err != nil {
		log.Fatal(err)
	}
	job, err := b.Record(ctx, "job", "cat")
	if err != nil {
		log.Fatal(err)
	}
	result, err := b.Queue("results").Peek(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.State, result.Body)
	// Output: done small cat.png
}

// A broadcast goes to all queues that match and exist, in one transaction.
func Example_broadcast() {
	b, closeAll := opened()
	defer closeAll()
	for _, name := range []string{"worker.1", "worker.2", "log"} {
		if _, err := b.Queue(name).Write(ctx, "hello"); err != nil {
			log.Fatal(err)
		}
	}

	workers, err := broker.Glob("worker.*")
	if err != nil {
		log.Fatal(err)
	}
	reached, err := b.Queues(workers).Broadcast(ctx, "stop")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reached)
	// Output: [worker.1 worker.2]
}

// An alias is a second name for a queue, used with an @ before it.
func Example_aliases() {
	b, closeAll := opened()
	defer closeAll()

	if err := b.Aliases().Add(ctx, "mail", "outgoing.mail"); err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"@mail", "mail"} {
		queue, err := b.Aliases().Resolve(ctx, name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, "means", queue)
	}
	// Output:
	// @mail means outgoing.mail
	// mail means mail
}

// A queue gets another name with all that it holds, and its aliases follow.
func Example_rename() {
	b, closeAll := written("a", "b")
	defer closeAll()

	n, err := b.Rename(ctx, "jobs", "jobs.2026")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "messages")
	_, err = b.Rename(ctx, "jobs", "jobs.2027")
	fmt.Println(errors.Is(err, broker.ErrEmpty)) // there is no such queue any more
	// Output:
	// 2 messages
	// true
}

// Stats counts, for one queue or for all that match.
func Example_stats() {
	b, closeAll := written("a", "b")
	defer closeAll()
	if _, err := b.Queue("results").Write(ctx, "c"); err != nil {
		log.Fatal(err)
	}

	for st, err := range b.Queues(broker.Pattern{}).Stats(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d\n", st.Queue, st.Pending)
	}
	// Output:
	// jobs: 2
	// results: 1
}
