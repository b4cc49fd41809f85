// Fanout runs one command for each file that is named, four at a time and within
// limits, and prints what the commands printed, in the order of the files. It
// lists failed commands at the end. Ctrl-C stops the tasks.
//
//	fanout *.txt
package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"weft"
	"weft/taskspec"
)

func main() {
	weft.Init()
	p, err := weft.Open(".")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var failures []error
	done := func(task *weft.Task, s *weft.TaskStatus) (take bool, err error) {
		if err := s.Err(); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.Name, err))
			return true, nil // an error here would end it all
		}
		// Output copies it, however large it is. What was copied may be taken.
		_, err = task.Output(ctx, os.Stdout, os.Stderr)
		return true, err
	}
	err = p.RunMany(ctx, checksums(os.Args[1:]), weft.RunManyOptions{Limit: 4}, done)
	if err := errors.Join(append(failures, err)...); err != nil {
		log.Fatal(err)
	}
}

// checksums yields a task for each file, when there is room for it: there may be
// millions.
func checksums(files []string) iter.Seq2[*taskspec.Spec, error] {
	return func(yield func(*taskspec.Spec, error) bool) {
		for _, file := range files {
			spec := weft.Command("sha256sum", "--", file)
			spec.Name = file
			spec.Timeout = time.Minute
			spec.Limits.MemoryMB = new(100.0) // of all its processes together
			if !yield(spec, nil) {
				return
			}
		}
	}
}
