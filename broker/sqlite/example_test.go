package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"weft/broker"
	"weft/broker/sqlite"
)

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

// A message is durable when Write returns, and gone when Read returns it.
func Example() {
	b, closeAll := opened()
	defer closeAll()
	ctx := context.Background()
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

// A worker that may die before it is done reserves its job by moving it.
// Whatever happens, the job is in exactly one queue.
func Example_reserve() {
	b, closeAll := opened()
	defer closeAll()
	ctx := context.Background()

	if _, err := b.Queue("jobs").Write(ctx, "resize cat.png"); err != nil {
		log.Fatal(err)
	}
	job, err := b.Queue("jobs").Move(ctx, "jobs.reserved")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("working on", job.Body)
	n, err := b.Queue("jobs.reserved").Delete(ctx, broker.Select{ID: job.ID})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("done:", n)
	// Output:
	// working on resize cat.png
	// done: 1
}

// What belongs together is one transaction: the result, the end of the
// reservation and the record of how things stand are all there or none is.
func Example_update() {
	b, closeAll := opened()
	defer closeAll()
	ctx := context.Background()

	if _, err := b.Queue("jobs").Write(ctx, "resize cat.png"); err != nil {
		log.Fatal(err)
	}
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

// Watch yields messages as they come. Each has been taken, durably, when it is
// yielded; breaking off loses none.
func Example_watch() {
	b, closeAll := opened()
	defer closeAll()
	ctx := context.Background()
	jobs := b.Queue("jobs")

	if _, err := jobs.WriteAll(ctx, []string{"one", "two"}); err != nil {
		log.Fatal(err)
	}
	for m, err := range jobs.Watch(ctx, broker.WatchOptions{}) {
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
