// Pipeline counts the visits in a log with three functions, each of which gets
// the value of the one before: extract, transform, load. The manager runs them, so
// that this program may be killed while they work.
//
//	pipeline access.log
//	weft task status RUN     shows how far each stage is
//	weft task retry RUN      goes on at the stage that has failed
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"weft"
)

func main() {
	weft.Register("visits.extract", extract)
	weft.Register("visits.transform", transform)
	weft.Register("visits.load", load)
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
	res, err := p.RunPipeline(context.Background(), visits(path))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("run %s: %s pages\n", res.TID, res.Output)
}

// visits is the pipeline for one log.
func visits(path string) *weft.Pipeline {
	return &weft.Pipeline{
		Name: "visits",
		Stages: []weft.Stage{
			{Name: "extract", Spec: weft.Function("visits.extract", plan{Log: path, Report: path + ".json"})},
			{Name: "transform", Spec: weft.Function("visits.transform")},
			{Name: "load", Spec: weft.Function("visits.load")},
		},
	}
}
