//go:build linux

package weft_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"weft"
	"weft/taskspec"
)

// A load is what one client submits, waiting for each result before the next
// task of the same goroutine.
type load struct {
	Tasks    int
	Parallel int
	Prefix   string // of the tasks' names, which are all different
	Seed     uint64 // decides which tasks these are, if Mixed
	Mixed    bool   // of all kinds; else each echoes its name
	Ledger   string // where the tasks of a mixed load sign

	// For keys: so many of the tasks have the key of another, and of all of them
	// every second one is this client's, from the first or the second on.
	Repeated int
	Part     int
}

// keys submits the client's part of tasks with keys, and reports each with its
// key. Those that repeat a key are the other client's, if they are in order, and
// come about when it submits the first.
func (l load) keys(ctx context.Context, p *weft.Project, out *json.Encoder) error {
	var keys []int
	for i := range l.Tasks - l.Repeated {
		keys = append(keys, i)
		if i < l.Repeated {
			keys = append(keys, i)
		}
	}
	var mu sync.Mutex
	errs := make([]error, l.Parallel)
	var all sync.WaitGroup
	for g := range l.Parallel {
		all.Go(func() {
			for i := l.Part + 2*g; i < len(keys) && errs[g] == nil; i += 2 * l.Parallel {
				key := fmt.Sprintf("key-%d", keys[i])
				t, err := p.SubmitContext(ctx, keyed(l.Ledger, key))
				if err != nil {
					errs[g] = err
					return
				}
				mu.Lock()
				errs[g] = out.Encode(line{TID: t.TID(), Output: key})
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// run submits the tasks and reports each twice: when it has been accepted, and
// how it ended.
func (l load) run(ctx context.Context, p *weft.Project, out *json.Encoder) error {
	var mu sync.Mutex
	say := func(v any) error {
		mu.Lock()
		defer mu.Unlock()
		return out.Encode(v)
	}
	errs := make([]error, l.Parallel)
	var all sync.WaitGroup
	for g := range l.Parallel {
		all.Go(func() {
			random := rand.New(rand.NewPCG(l.Seed, uint64(g)))
			for i := g; i < l.Tasks && errs[g] == nil; i += l.Parallel {
				name := fmt.Sprintf("%s-%d", l.Prefix, i)
				spec := shell(`echo "$1"`, name)
				if l.Mixed {
					spec = kinds[random.IntN(len(kinds))].spec(random, l.Ledger, name)
				} else {
					spec.Name = name
				}
				errs[g] = runTask(ctx, p, spec, say)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// A kind is a kind of tasks in a mixed load. What a task has to print follows
// from its name.
type kind struct {
	name   string
	script string // $1 is the ledger, $2 the task's name, $3 a number of seconds
	output func(task string) string
}

var kinds = []kind{
	{"echo", `sign start; echo "$2"; sign end`, once},
	{"nap", `sign start; sleep "$3"; echo "$2"; sign end`, once},
	{"talk", `sign start; for i in 1 2 3 4 5; do echo "$2"; sleep 0.01; done; sign end`,
		func(task string) string { return strings.Repeat(once(task), 5) }},
	{"flood", `sign start; echo "$2"; printf '%0100000d\n' 0; sign end`,
		func(task string) string { return once(task) + strings.Repeat("0", 100000) + "\n" }},
	// One child's parent leaves at once; both hold the output open and would
	// live much longer than the task.
	{"kids", `sign start; (sleep 1000 & :); sleep 1000 & sleep "$3"; echo "$2"; sign end`, once},
}

// mixedLimit is how many of the tasks of a mixed load that have a concurrency key may run at
// once.
const mixedLimit = 2

func once(task string) string { return task + "\n" }

// sign writes a line into the ledger in one piece.
const sign = `sign() { echo "$1 $WEFT_TID $WEFT_EPOCH" >>"$ledger"; }; ledger=$1; `

// spec is a task of this kind.
func (k kind) spec(random *rand.Rand, ledger, name string) *taskspec.Spec {
	seconds := fmt.Sprintf("%.3f", 0.01+0.29*random.Float64())
	s := shell(sign+k.script, ledger, name, seconds)
	s.Name = k.name + ":" + name
	if random.IntN(3) == 0 {
		s.Concurrency = &taskspec.Concurrency{Key: "mixed", Limit: new(mixedLimit)}
	}
	return s
}

// expected is what a task has to print.
func expected(task string) string {
	name, rest, _ := strings.Cut(task, ":")
	for _, k := range kinds {
		if k.name == name {
			return k.output(rest)
		}
	}
	return once(task)
}
