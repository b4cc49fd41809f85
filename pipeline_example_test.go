package weft_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"weft"
)

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
