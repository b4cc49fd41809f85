package weft_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// Run a command and use what it printed.
func Example() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	defer p.Manager().Stop(context.Background())

	res, err := p.Run(weft.Command("echo", "hello world"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s", res.Status.Status, res.Output)
	// Output: completed hello world
}

// Submit a task, do something else, and look at it later, also from another
// process: the id is all that is needed.
func ExampleContext_Submit() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("sort")
	spec.Spec.Timeout = new(60.0)
	task, err := p.Submit(spec, weft.WithStdin(strings.NewReader("b\na\n")))
	if err != nil {
		log.Fatal(err)
	}
	later, err := p.Task(ctx, task.TID())
	if err != nil {
		log.Fatal(err)
	}
	res, err := later.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Output)
	// Output:
	// a
	// b
}

// A key makes it safe to submit the same again, by a program that does not know
// whether it did so before it was killed: there is one task, and it runs once.
func ExampleContext_Submit_key() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("echo", "mail sent")
	spec.Spec.Key = "mail/order-4711"
	first, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	again, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.TID() == again.TID(), weft.Fresh(first), weft.Fresh(again))

	spec.Spec.Args[0] = "another mail"
	_, err = p.Submit(spec)
	fmt.Println(errors.Is(err, weft.ErrKeyHeld))

	res, err := again.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Output)
	// Output:
	// true true false
	// true
	// mail sent
}

// Prepare a task, and submit it in one transaction with a message: either both
// are there afterwards, or none.
func ExamplePrepare() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	prepared, err := weft.Prepare(ctx, p, weft.Command("tr", "a-z", "A-Z"), weft.WithStdin(strings.NewReader("order 4711\n")))
	if err != nil {
		log.Fatal(err)
	}
	defer prepared.Close()
	err = p.Broker().Update(ctx, func(tx *broker.Tx) error {
		if _, err := tx.Write("orders", "4711"); err != nil {
			return err
		}
		_, err := prepared.SubmitTx(tx)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	// It returns the task that is there, and starts a manager for it.
	task, err := prepared.Submit(ctx)
	if err != nil {
		log.Fatal(err)
	}
	res, err := task.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Output)
	// Output: ORDER 4711
}

// List the tasks that failed, the newest first.
func ExampleContext_Tasks() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	for _, name := range []string{"false", "true", "false"} {
		if task, err := p.Submit(weft.Command(name)); err != nil {
			log.Fatal(err)
		} else if _, err := task.Wait(ctx); err != nil {
			log.Fatal(err)
		}
	}
	failed := []taskspec.Status{taskspec.StatusFailed}
	for s, err := range p.Tasks(ctx, weft.TaskFilter{Statuses: failed}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name, s.Error)
	}
	// Output:
	// false command exited with 1
	// false command exited with 1
}

// A task that fails is an error of Run; the result is there as well.
func ExampleContext_Run() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	defer p.Manager().Stop(context.Background())

	res, err := p.Run(weft.Command("sh", "-c", "echo half; exit 3"))
	fmt.Println(strings.Contains(err.Error(), "command exited with 3"))
	fmt.Printf("%d %s", *res.ReturnCode, res.Output)
	// Output:
	// true
	// 3 half
}

// Follow what a task prints, as it prints it, then take the result.
func ExampleTask_Output() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	task, err := p.Submit(weft.Command("sh", "-c", "echo one; echo two"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := task.Output(ctx, os.Stdout, os.Stderr); err != nil {
		log.Fatal(err)
	}
	if err := task.Take(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one
	// two
}

// The project's queues are there for a program's own messages.
func ExampleContext_Queue() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()

	jobs := p.Queue("jobs")
	if _, err := jobs.Write(ctx, "resize cat.png"); err != nil {
		log.Fatal(err)
	}
	m, err := jobs.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Body)
	// Output: resize cat.png
}

// folder is a new folder for an example.
func folder() string {
	dir, err := os.MkdirTemp("", "weft-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
