package weft_test

import (
	"context"
	"fmt"
	"log"

	"weft"
)

// Keep a command at work on one item after the other, send items to it, and read
// what it made of them.
func ExampleTask_Items() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("tr", "a-z", "A-Z")
	spec.Persistent = true
	task, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, item := range []string{"hello", "again", ""} {
		if _, err := task.SendItem(ctx, item); err != nil {
			log.Fatal(err)
		}
	}
	for result, err := range task.Items(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %q\n", result.Status, result.Output)
		last := len(result.Output) == 0
		if err := result.Discard(ctx); err != nil { // it is safe now
			log.Fatal(err)
		}
		if last {
			break
		}
	}
	status, err := task.Stop(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Status, status.Items.Done)
	// Output:
	// completed "HELLO"
	// completed "AGAIN"
	// completed ""
	// cancelled 3
}
