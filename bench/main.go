// Bench measures what Weft costs beyond what cannot be avoided, and prints one
// table. Run it on Linux, with nothing else going on:
//
//	go run .                          every row
//	go run . -run queue -rounds 20    some rows, longer
//	go run . -markdown                as in BENCHMARKS.md
//
// A number alone says little on a machine whose disk and neighbours change by
// the minute. So each number has a floor, which is the same work done with the
// least possible means, measured in the same run and in turns with ours
// (sample.go). The target of a row is a bound on the ratio of the two. Where a
// target is missed the table says so, and the program still ends with 0: it
// fails only if something does not work.
//
// The benchmarks are in one file for each subject: start.go, run.go, batch.go,
// cli.go, function.go, inline.go, client.go, queue.go, together.go, goqite.go,
// jobs.go, list.go, million.go, wake.go, idle.go, watchers.go. Where several
// processes are needed the program executes itself again (role.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"weft"
)

func main() {
	weft.Register(nothing, doNothing)
	weft.Init()
	if len(os.Args) > 2 && os.Args[1] == roleArg {
		exit(play(os.Args[2], os.Args[3:]))
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "measure each row in `n` rounds, after one to warm up")
	run := flag.String("run", "", "only the benchmarks whose name matches `regexp`")
	flag.StringVar(&o.dir, "dir", "/var/tmp", "put stores below `folder`, which must be on a disk")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the manager of the batch benchmarks to `file`.<durability>")
	markdown := flag.Bool("markdown", false, "print the table in Markdown")
	list := flag.Bool("list", false, "only list the benchmarks")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	pattern, err := regexp.Compile(*run)
	if err != nil {
		exit(fmt.Errorf("-run: %w", err))
	}
	chosen := slices.DeleteFunc(benchmarks(), func(m benchmark) bool { return !pattern.MatchString(m.name) })
	if *list {
		for _, m := range chosen {
			fmt.Println(m.name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(measure(ctx, o, chosen, *markdown))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A benchmark measures one or more rows of the table.
type benchmark struct {
	name string
	run  func(context.Context, *bench) ([]row, error)
}

func benchmarks() []benchmark {
	return []benchmark{
		{"start", start},
		{"run-warm", runWarm},
		{"run-cold", runCold},
		{"batch-normal", batch("normal")},
		{"batch-full", batch("full")},
		{"cli", throughCLI},
		{"pipelines-normal", pipelines("normal")},
		{"pipelines-full", pipelines("full")},
		{"functions", functions},
		{"inline", inline},
		{"queue-client", queueClient},
		{"queue-write", queueWrite},
		{"queue-read", queueRead},
		{"queue-batch", queueBatch},
		{"queue-goroutines", queueGoroutines},
		{"queue-processes", queueProcesses},
		{"goqite", besideGoqite},
		{"jobs", besideJobs},
		{"queue-list", queueList},
		{"million", million},
		{"wake", wake},
		{"idle", idle},
		{"watchers", watchers},
	}
}

// measure runs the benchmarks and prints the table.
func measure(ctx context.Context, o options, chosen []benchmark, markdown bool) (err error) {
	// What a shell says about its own project is not for the projects here.
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "WEFT_") {
			os.Unsetenv(name)
		}
	}
	// Nor is what weft remembers of them for its user.
	state, err := os.MkdirTemp("", "weft-bench-state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	if err := os.Setenv("XDG_STATE_HOME", state); err != nil {
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if cleanErr := b.close(); err == nil {
			err = cleanErr
		}
	}()
	facts, err := b.machine()
	if err != nil {
		return err
	}
	var t table
	for _, m := range chosen {
		fmt.Fprintln(os.Stderr, "bench:", m.name)
		rows, err := m.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		t = append(t, rows...)
	}
	if markdown {
		fmt.Print(facts.markdown(), "\n", t.markdown())
	} else {
		fmt.Print(facts.text(), "\n", t.text())
	}
	return nil
}
