package weft_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"weft"
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
