//go:build linux

package weft_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weft/internal/ledger"
	"weft/internal/proc"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestRandomKills kills managers, consumers and clients at random while clients
// submit tasks of all kinds.
func TestRandomKills(t *testing.T) { randomKills(t, 60) }

// TestLongRandomKills is the same for some minutes.
func TestLongRandomKills(t *testing.T) {
	waittest.NeedLong(t)
	randomKills(t, 1000)
}

// seed returns what decides the random choices of a test: WEFT_SEED, or
// anything. It is printed, so that a run can be repeated; what the processes
// have done by then is up to them.
func seed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("WEFT_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("WEFT_SEED: %v", err)
		}
	}
	t.Logf("WEFT_SEED=%d", seed)
	return seed
}

// A battle is a project under load whose processes are being killed.
type battle struct {
	*project
	random *rand.Rand
	seed   uint64
	ledger string // where the tasks sign

	mu       sync.Mutex
	accepted map[string]bool     // tasks whose submission was acknowledged
	printed  map[string][]string // outputs that clients have written, by task
	errs     []string            // of clients that were not killed
	clients  []*fighter
	born     int
	readers  sync.WaitGroup

	killed map[proc.Identity]time.Time // consumers, and when
	kills  map[string]int
	hits   int // kills of a manager or consumer while its tasks ran
}

// A fighter is a client with a load.
type fighter struct {
	*client
	killed bool
}

// crowd is how many clients there are at a time, each with so many goroutines
// and tasks.
const (
	crowd         = 3
	crowdParallel = 4
	crowdTasks    = 40
)

// randomKills kills until so many have been killed, and then looks whether
// everything that Weft promises was kept.
func randomKills(t *testing.T, kills int) {
	seed := seed(t)
	p := newProject(t, "WEFT_MAX_TASKS=8")
	p.patient(10 * time.Minute)
	b := &battle{
		project:  p,
		random:   rand.New(rand.NewPCG(seed, 0)),
		seed:     seed,
		ledger:   filepath.Join(p.dir, "ledger"),
		accepted: make(map[string]bool),
		printed:  make(map[string][]string),
		killed:   make(map[proc.Identity]time.Time),
		kills:    make(map[string]int),
	}
	p.open()
	began := time.Now()
	for n := 0; n < kills; {
		b.reinforce()
		// A random time is what is wanted, so there is no event to wait for.
		<-time.After(time.Duration(b.random.Int64N(int64(60 * time.Millisecond))))
		if victim := b.strike(); victim != "" {
			b.kills[victim]++
			n++
		}
		if p.ctx.Err() != nil {
			t.Fatalf("only %d kills: %v", n, b.kills)
		}
	}
	b.readers.Wait()
	for _, l := range b.settle() {
		if l.Status == taskspec.StatusCompleted {
			b.printed[l.TID] = append(b.printed[l.TID], l.Output)
		}
	}
	b.judge(kills)
	t.Logf("in %v", time.Since(began).Round(time.Second))
}

// reinforce replaces the clients that have gone.
func (b *battle) reinforce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.clients) < crowd {
		b.born++
		f := &fighter{client: b.user()}
		f.call(call{Do: "load", Load: load{
			Tasks:    crowdTasks,
			Parallel: crowdParallel,
			Prefix:   fmt.Sprint("client", b.born),
			Seed:     b.seed + uint64(b.born),
			Mixed:    true,
			Ledger:   b.ledger,
		}})
		f.calls.Close()
		b.clients = append(b.clients, f)
		b.readers.Go(func() { b.listen(f) })
	}
}

// listen notes what a client reports until it has gone.
func (b *battle) listen(f *fighter) {
	for {
		l, err := f.next()
		b.mu.Lock()
		if err != nil {
			// The last line of a client that was killed may be cut off.
			if waitErr := f.wait(); !f.killed && (waitErr != nil || !errors.Is(err, io.EOF)) {
				b.errs = append(b.errs, fmt.Sprintf("%v, %v: %s", waitErr, err, f.erred.String()))
			}
			b.clients = slices.DeleteFunc(b.clients, func(other *fighter) bool { return other == f })
			b.mu.Unlock()
			return
		}
		if l.Status == "" {
			b.accepted[l.TID] = true
		} else if l.Status == taskspec.StatusCompleted {
			b.printed[l.TID] = append(b.printed[l.TID], l.Output)
		}
		b.mu.Unlock()
	}
}

// strike kills somebody and says whom, or nobody if the one it meant is not
// there.
func (b *battle) strike() (victim string) {
	running := b.tasks(taskspec.StatusRunning)
	switch dice := b.random.IntN(10); {
	case dice < 5:
		if len(running) == 0 {
			return ""
		}
		t := running[b.random.IntN(len(running))]
		if t.Consumer.Signal(syscall.SIGKILL) != nil {
			return ""
		}
		b.killed[t.Consumer] = time.Now()
		// It may have handed the task off since the record was read; it was hit
		// in its work if the task has not completed.
		if now := b.task(t.TID); now.Consumer == t.Consumer && now.Status != taskspec.StatusCompleted {
			b.hits++
		}
		return "consumer"
	case dice < 6:
		for id := range b.consumers() {
			if id.Signal(syscall.SIGKILL) != nil {
				return ""
			}
			b.killed[id] = time.Now()
			return "idle consumer"
		}
		return ""
	case dice < 8:
		m := b.currentManager()
		if m == nil || m.Process.Signal(syscall.SIGKILL) != nil {
			return ""
		}
		if len(running) > 0 {
			b.hits++
		}
		return "manager"
	default:
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.clients) == 0 {
			return ""
		}
		f := b.clients[b.random.IntN(len(b.clients))]
		if f.killed || f.cmd.Process.Kill() != nil {
			return ""
		}
		f.killed = true
		return "client"
	}
}

// judge compares what happened with what was promised.
func (b *battle) judge(kills int) {
	t := b.t
	lost, latest, byConsumer := 0, time.Duration(0), make(map[proc.Identity]int)
	tasks := b.tasks()
	for _, task := range tasks {
		delete(b.accepted, task.TID)
		switch {
		case task.Status == taskspec.StatusCompleted:
			b.judgeOutput(task)
		case task.Error != "lost: consumer process died":
			t.Errorf("task %s (%s) is %s: %s", task.TID, task.Name, task.Status, task.Error)
		case b.killed[task.Consumer].IsZero():
			t.Errorf("task %s (%s) was lost, but nobody killed its consumer %+v", task.TID, task.Name, task.Consumer)
		default:
			lost++
			byConsumer[task.Consumer]++
			latest = max(latest, time.Unix(0, task.Completed).Sub(b.killed[task.Consumer]))
		}
	}
	for id, n := range byConsumer {
		if n > 1 {
			t.Errorf("consumer %d took %d tasks with it", id.PID, n)
		}
	}
	for tid := range b.accepted {
		t.Errorf("task %s was accepted and is not there", tid)
	}
	for _, err := range b.errs {
		t.Errorf("a client that was not killed failed: %s", err)
	}
	b.judgeLedger(tasks)
	b.judgeConcurrency(tasks)
	t.Logf("%d kills (%v), %d of them hit running tasks; %d tasks, %d lost, the last one known after %v; %d managers, %d clients",
		kills, b.kills, b.hits, len(tasks), lost, latest.Round(time.Millisecond), b.managers(), b.born)
	if waittest.Long() && b.hits*10 < kills*3 {
		t.Errorf("only %d of %d kills hit running tasks, want 30 %%", b.hits, kills)
	}
}

// judgeOutput checks the output of a task that completed: a client has written
// it, or it waits in the outbox, or, when a client died between writing it and
// taking it, both.
func (b *battle) judgeOutput(task *ledger.Task) {
	outputs := b.printed[task.TID]
	m, err := b.open().Queue(ledger.QueuesOf(task.TID).Outbox).Peek(b.ctx)
	if err == nil {
		outputs = append(outputs, m.Body)
	}
	if len(outputs) == 0 {
		b.t.Errorf("task %s (%s) completed and nobody has its output", task.TID, task.Name)
	}
	for _, got := range outputs {
		if want := expected(task.Name); got != want {
			b.t.Errorf("task %s (%s): output of %d bytes, %s, want %d bytes, %s",
				task.TID, task.Name, len(got), ends(got), len(want), ends(want))
		}
	}
}

// ends shows the beginning and the end of an output.
func ends(s string) string {
	const some = 40
	if len(s) <= 2*some {
		return strconv.Quote(s)
	}
	return strconv.Quote(s[:some]) + " … " + strconv.Quote(s[len(s)-some:])
}

// judgeConcurrency checks that never more tasks with the concurrency key ran than may, from
// the dispatch of each to the record of its end, and that none is counted any more.
func (b *battle) judgeConcurrency(tasks []*ledger.Task) {
	type change struct {
		at int64
		by int
	}
	var changes []change
	for _, task := range tasks {
		if task.Concurrency.Key != "" {
			changes = append(changes, change{task.Started, 1}, change{task.Completed, -1})
		}
	}
	slices.SortFunc(changes, func(x, y change) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.by, y.by)) })
	running, most := 0, 0
	for _, c := range changes {
		running += c.by
		most = max(most, running)
	}
	if most > mixedLimit {
		b.t.Errorf("%d tasks with the concurrency key ran at once, of %d", most, len(changes)/2)
	}
	if left, limit, err := b.open().ConcurrencyUse(b.ctx, "mixed"); err != nil || left != 0 || limit != 0 {
		b.t.Errorf("%d tasks of %d are still counted, %v", left, limit, err)
	}
	b.t.Logf("%d tasks with a concurrency key, at most %d at once", len(changes)/2, most)
}

// judgeLedger checks what the tasks themselves have written: no attempt began
// twice, none that was never given out began, and what completed has ended.
func (b *battle) judgeLedger(tasks []*ledger.Task) {
	text, err := os.ReadFile(b.ledger)
	if err != nil {
		b.t.Error(err)
	}
	lines := make(map[string]int)
	for line := range bytes.Lines(text) {
		lines[strings.TrimSpace(string(line))]++
	}
	for _, task := range tasks {
		for epoch := 1; epoch <= task.Epoch; epoch++ {
			begun := fmt.Sprint("start ", task.TID, " ", epoch)
			done := fmt.Sprint("end ", task.TID, " ", epoch)
			if lines[begun] > 1 {
				b.t.Errorf("task %s (%s) was executed %d times in epoch %d", task.TID, task.Name, lines[begun], epoch)
			}
			if task.Status == taskspec.StatusCompleted && (lines[begun] != 1 || lines[done] != 1) {
				b.t.Errorf("task %s (%s) completed, but signed %d times at its start and %d times at its end",
					task.TID, task.Name, lines[begun], lines[done])
			}
			delete(lines, begun)
			delete(lines, done)
		}
	}
	for line, n := range lines {
		b.t.Errorf("the ledger has %d × %q, which is no attempt at a task", n, line)
	}
}
