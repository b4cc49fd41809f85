package broker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"weft/broker"
	"weft/broker/sqlite"
)

// Queues in a file, without tasks.
func Example() {
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// work on one
	// left: two
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "queues")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := sqlite.Open(filepath.Join(dir, "store"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer b.Close()
	jobs := b.Queue("jobs")
	if _, err := jobs.WriteAll(ctx, []string{"one", "two"}); err != nil {
		return err
	}
	// One transaction takes a message and writes its result.
	if err := b.Update(ctx, func(tx *broker.Tx) error {
		ms, err := tx.Read("jobs", broker.Select{Limit: 1})
		for _, m := range ms {
			fmt.Println("work on", m.Body)
			_, err = tx.Write("results", "done: "+m.Body)
		}
		return err
	}); err != nil {
		return err
	}
	left, err := jobs.Peek(ctx)
	fmt.Println("left:", left.Body)
	return err
}
