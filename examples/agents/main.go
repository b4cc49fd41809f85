// Agents are programs that work through queues: a planner writes jobs, workers
// take them, and their answers come back through another queue. Each of them may
// be killed at any time.
//
//	agents plan 'wc -l *.go' 'go vet ./...'    writes jobs
//	agents work ada                            does them, until it is stopped; start as many as you like
//	agents answers 2                           prints so many answers
//
// A job that fails three times goes to the queue jobs.dead, to be looked at:
// weft queue move jobs.dead jobs --all gives it another chance.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"weft"
	"weft/broker"
)

func main() {
	weft.Init()
	if len(os.Args) < 3 {
		log.Fatal("usage: agents plan COMMAND… | work NAME | answers NUMBER")
	}
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch os.Args[1] {
	case "plan":
		err = plan(ctx, p, os.Args[2:])
	case "work":
		err = work(ctx, p, os.Args[2])
	case "answers":
		err = answers(ctx, p, os.Args[2])
	}
	if err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

// plan writes all jobs in one transaction: all of them are there, or none.
func plan(ctx context.Context, p *weft.Project, commands []string) error {
	var jobs []string
	for _, command := range commands {
		jobs = append(jobs, encode(job{Command: command}))
	}
	_, err := p.Queue("jobs").WriteAll(ctx, jobs)
	return err
}

func answers(ctx context.Context, p *weft.Project, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	for m, err := range p.Queue("answers").Watch(ctx, broker.WatchOptions{Limit: n}) {
		if err != nil {
			return err
		}
		fmt.Println(m.Body)
	}
	return nil
}
