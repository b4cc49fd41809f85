package weft_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"sync"
	"time"

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
	fmt.Printf("%s %s", res.Status, res.Output)
	// Output: completed hello world
}

// Submit a task, do something else, and look at it later, also from another
// process: the id is all that is needed.
func ExampleProject_Submit() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("sort")
	spec.Timeout = time.Minute
	task, err := p.Submit(spec, weft.SubmitOptions{Stdin: strings.NewReader("b\na\n")})
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
func ExampleProject_Submit_key() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("echo", "mail sent")
	spec.Key = "mail/order-4711"
	first, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	again, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(first.TID() == again.TID(), first.IsNew(), again.IsNew())

	spec.Args[0] = "another mail"
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
func ExampleProject_Prepare() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	prepared, err := p.Prepare(ctx, weft.Command("tr", "a-z", "A-Z"), weft.SubmitOptions{Stdin: strings.NewReader("order 4711\n")})
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
func ExampleProject_Tasks() {
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
func ExampleProject_Run() {
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
	if err := task.Discard(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one
	// two
}

// The project's queues are there for a program's own messages.
func ExampleProject_Queue() {
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

// Registered functions are tasks that any program in the project can ask for.
// This is a whole main.
func ExampleRegister() {
	type image struct {
		Path  string `json:"path"`
		Width int    `json:"width" jsonschema:"in pixels"`
	}
	weft.Register("images.resize", func(ctx context.Context, in image) (string, error) {
		weft.Logger(ctx).Info("resize", "path", in.Path) // to the standard error of the task
		return fmt.Sprintf("%s at %d", in.Path, in.Width), nil
	}, weft.FunctionOptions{Description: "Makes an image smaller."})
	weft.Init()
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	res, err := p.Run(weft.Function("images.resize", image{"cat.png", 100}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(res.Output)) // "cat.png at 100", with the quotes: it is JSON
}

// A service is its project's manager until its context ends. Tasks that run then
// go on.
func ExampleProject_Serve() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx, leave := context.WithCancel(context.Background())
	ready, served := make(chan struct{}), make(chan error, 1)
	o := weft.ServeOptions{Ready: sync.OnceFunc(func() { close(ready) })}
	go func() { served <- p.Serve(ctx, o) }()
	<-ready

	res, err := p.Run(weft.Command("echo", "served"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Output)
	leave()
	<-served
	// Output: served
}

// Run a command for each of many inputs, two at a time. Results come in the order
// of the inputs.
func ExampleProject_RunMany() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	specs := func(yield func(*taskspec.Spec, error) bool) {
		for _, word := range []string{"one", "two", "three"} {
			if !yield(weft.Command("echo", word), nil) {
				return
			}
		}
	}
	done := func(task *weft.Task, s *weft.TaskStatus) (take bool, err error) {
		if err := s.Err(); err != nil {
			return false, err
		}
		_, err = task.Output(ctx, os.Stdout, nil)
		return true, err
	}
	if err := p.RunMany(ctx, specs, weft.RunManyOptions{Limit: 2}, done); err != nil {
		log.Fatal(err)
	}
	// Output:
	// one
	// two
	// three
}

// Submit tasks in one transaction, and wait for whichever ends next.
func ExampleProject_SubmitMany() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	tasks, err := p.SubmitMany(ctx, []*taskspec.Spec{weft.Command("true"), weft.Command("true")})
	if err != nil {
		log.Fatal(err)
	}
	g, err := p.NewBatch()
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	if err := g.Add(ctx, tasks...); err != nil {
		log.Fatal(err)
	}
	for g.Len() > 0 {
		s, err := g.Next(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Name, s.Status)
	}
	// Output:
	// true completed
	// true completed
}

// Stop a task and read its history.
func ExampleTask_Stop() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	task, err := p.Submit(weft.Command("sleep", "1000"))
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range task.Events(ctx, true) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Name == "work_started" {
			break
		}
	}
	s, err := task.Stop(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Status)
	for e, err := range task.Events(ctx, false) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Name)
	}
	// Output:
	// cancelled
	// task_initialized
	// task_spawning
	// work_started
	// control_stop
	// work_cancelled
}

// Run a task that failed again, when what it lacked is there.
func ExampleTask_Retry() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	list := p.Root() + "/list"
	task, err := p.Submit(weft.Command("cat", list))
	if err != nil {
		log.Fatal(err)
	}
	s, err := task.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Status)
	if err := os.WriteFile(list, []byte("milk\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := task.Retry(ctx); err != nil {
		log.Fatal(err)
	}
	res, err := task.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", res.Output)
	// Output:
	// failed
	// milk
}

// folder is a new folder for an example.
func folder() string {
	dir, err := os.MkdirTemp("", "weft-example-")
	if err != nil {
		log.Fatal(err)
	}
	return dir
}
