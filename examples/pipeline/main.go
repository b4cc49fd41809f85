// Pipeline counts the visits in a log with three functions, each of which gets
// the value of the one before: extract, transform, load. A fourth one, run, calls
// them, and is a task itself, so that the program may be killed while they work.
//
//	pipeline access.log
//	weft list --all          shows the steps, which have the run as their parent
//	weft task retry RUN      does again what has failed, and nothing else
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"weft"
)

// A plan is what a run works on. The paths are absolute.
type plan struct {
	Log    string `json:"log" jsonschema:"one visit on each line, the path first"`
	Report string `json:"report" jsonschema:"the file that is written"`
}

func main() {
	weft.Register("visits.extract", extract)
	weft.Register("visits.transform", transform)
	weft.Register("visits.load", load)
	weft.Register("visits.run", run, weft.WithDescription("Makes a report of a log."))
	weft.Init()
	if len(os.Args) != 2 {
		log.Fatal("usage: pipeline LOG")
	}
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	path, err := filepath.Abs(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	res, err := p.Run(weft.Function("visits.run", plan{Log: path, Report: path + ".json"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("run %s: %s pages\n", res.TID, res.Output)
}

// run submits one step after another. It is a task, so it finds its project in
// the environment.
func run(ctx context.Context, in plan) (pages int, err error) {
	p, err := weft.Open(os.Getenv("WEFT_CONTEXT"))
	if err != nil {
		return 0, err
	}
	defer p.Close()
	lines, err := step(ctx, p, "visits.extract", in.Log)
	if err != nil {
		return 0, err
	}
	counts, err := step(ctx, p, "visits.transform", lines)
	if err != nil {
		return 0, err
	}
	value, err := step(ctx, p, "visits.load", report{Path: in.Report, Counts: counts})
	if err != nil {
		return 0, err
	}
	return pages, json.Unmarshal(value, &pages)
}

// step runs one function as a task, whose parent is the run, and returns its
// value. The key is that of the step in this run: a run that is tried again finds
// the steps that it has made before. Their results are not taken, for its sake.
func step(ctx context.Context, p *weft.Context, function string, argument any) (json.RawMessage, error) {
	weft.Progress(ctx, 0, 0, function)
	spec := weft.Function(function, argument)
	spec.Spec.Key = weft.TID(ctx) + "/" + function
	task, err := p.SubmitContext(ctx, spec)
	if err != nil {
		return nil, err
	}
	if !weft.Fresh(task) {
		s, err := task.Wait(ctx)
		if err == nil && s.Err() != nil {
			err = task.Retry(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	res, err := task.Peek(ctx) // waits
	if err != nil {
		if ctx.Err() != nil { // the run is stopped, so the step is
			_, _ = task.Stop(context.WithoutCancel(ctx))
		}
		return nil, err
	}
	return res.Output, res.Err()
}
