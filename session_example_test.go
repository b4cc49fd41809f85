package weft_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"weft"
)

// Give a program a terminal, leave it, and come back to it, from this process
// or another.
func ExampleProject_OpenSession() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("sh", "-c", `stty -echo; echo "Who is there?"; read name; echo "Hello $name."`)
	spec.TTY = true
	session, err := p.OpenSession(ctx, spec)
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Close(); err != nil { // the task goes on
		log.Fatal(err)
	}

	session, err = session.Task().Attach(ctx, weft.AttachOptions{FromStart: true, Rows: 50, Cols: 132})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
	question := make([]byte, len("Who is there?\r\n"))
	if _, err := io.ReadFull(session, question); err != nil {
		log.Fatal(err)
	}
	if _, err := session.Write([]byte("Ada\r")); err != nil {
		log.Fatal(err)
	}
	answer, err := io.ReadAll(session)
	if err != nil {
		log.Fatal(err)
	}
	status, err := session.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %s", status.Status, answer)
	// Output: completed Hello Ada.
}

// Send lines to a task while it runs, and read what it answers.
func ExampleTask_SendInput() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	spec := weft.Command("sort", "-n")
	spec.Interactive = true
	task, err := p.Submit(spec)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range []string{"10\n", "9\n"} {
		if err := task.SendInput(ctx, []byte(line)); err != nil {
			log.Fatal(err)
		}
	}
	if err := task.CloseInput(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := task.Output(ctx, os.Stdout, nil); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 9
	// 10
}

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

// Run commands one after the other, each with what the one before has written, as a
// task that survives its submitter and its manager.
func ExampleProject_RunPipeline() {
	p, err := weft.Open(folder())
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	res, err := p.RunPipeline(ctx, &weft.Pipeline{
		Name: "names",
		Stages: []weft.Stage{
			{Name: "extract", Spec: weft.Command("cut", "-d,", "-f1"), Input: "bob,7\nada,36\n"},
			{Name: "sort", Spec: weft.Command("sort")},
			{Name: "upper", Spec: weft.Command("tr", "a-z", "A-Z")},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(res.Output)
	// Output:
	// ADA
	// BOB
}

// A pipeline fails with its first stage that does, and goes on there when that is
// mended.
func ExampleProject_SubmitPipeline() {
	dir := folder()
	p, err := weft.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx := context.Background()
	defer p.Manager().Stop(ctx)

	task, err := p.SubmitPipeline(ctx, &weft.Pipeline{
		Name: "deploy",
		Stages: []weft.Stage{
			{Name: "build", Spec: weft.Command("echo", "built")},
			{Name: "ship", Spec: weft.Command("sh", "-c", "test -e ready && cat")},
		},
	}, weft.SubmitOptions{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	s, err := task.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Error)

	if err := os.WriteFile(dir+"/ready", nil, 0o600); err != nil {
		log.Fatal(err)
	}
	if err := task.Retry(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := task.Output(ctx, os.Stdout, nil); err != nil {
		log.Fatal(err)
	}
	stages, err := task.Stages(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range stages {
		fmt.Println(s.Name, s.Status, s.Attempt)
	}
	// Output:
	// stage ship: command exited with 1
	// built
	// build completed 1
	// ship completed 2
}
