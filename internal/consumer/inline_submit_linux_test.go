package consumer

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// openStore opens the store of a project in dir.
func openStore(t *testing.T, dir string) *broker.Broker {
	t.Helper()
	b, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// newInline returns an Inline of a new project that has this function.
func newInline(t *testing.T, slots int, f *function.Function) (*Inline, *broker.Broker) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	store, functions := openStore(t, dir), new(function.Registry)
	if err := functions.Add(f); err != nil {
		t.Fatal(err)
	}
	i, err := NewInline(InlineOptions{Root: dir, Dir: dir, Broker: store, Functions: functions, MaxMessage: broker.MaxMessageBytes, Slots: slots})
	if err != nil {
		t.Fatal(err)
	}
	return i, store
}

// TestGuests submits calls from many goroutines of the program that serves them, some
// of which change their minds, until the server is told to leave. Each call is either
// carried out, once, or refused; and nobody waits for ever.
func TestGuests(t *testing.T) {
	t.Parallel()
	var entered atomic.Int64
	i, store := newInline(t, 8, function.New("double", "", func(_ context.Context, in struct{ N int }) (int, error) {
		entered.Add(1)
		return 2 * in.N, nil
	}))
	serving, leave := context.WithCancel(t.Context())
	defer leave()
	served := make(chan error, 1)
	go func() { served <- i.Serve(serving) }()
	submit := func(ctx context.Context, n int) (*LocalRun, error) {
		return i.Submit(ctx, ledger.Submission{Item: "{}", Dir: "/", Spec: &taskspec.Spec{
			Name: "double",
			Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "double", Isolation: taskspec.IsolationInline, KeywordArgs: map[string]any{"N": n}},
		}})
	}
	var begun, withdrawn, taken atomic.Int64
	var callers sync.WaitGroup
	for g := range 16 {
		callers.Go(func() {
			for n := g; serving.Err() == nil; n++ {
				ctx, cancel := context.WithCancel(context.Background())
				if n%5 == 0 {
					go cancel()
				}
				v, err := submit(ctx, n)
				switch {
				case errors.Is(err, context.Canceled):
					withdrawn.Add(1)
				case err != nil:
					t.Errorf("submit: %v", err)
				case v == nil:
					runtime.Gosched() // the server has no room, and needs a turn
				default:
					task, value, got := v.Take(ctx)
					if got && (task.Status != taskspec.StatusCompleted && task.Status != taskspec.StatusCancelled ||
						task.Status == taskspec.StatusCompleted && string(value) != strconv.Itoa(2*n)) {
						t.Errorf("double of %d: %s, %q", n, task.Status, value)
					}
					if got {
						taken.Add(1)
					}
					if begun.Add(1) == 500 {
						leave()
					}
				}
				cancel()
			}
		})
	}
	callers.Wait()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if v, err := submit(t.Context(), 1); v != nil || err != nil {
		t.Errorf("when nobody serves: %v, %v", v, err)
	}
	tasks, err := store.Records(t.Context(), ledger.Kind, broker.RecordSelect{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range tasks {
		if !taskspec.Status(r.State).Terminal() {
			t.Errorf("task %s is %s", r.Key, r.State)
		}
	}
	results := 0
	for name, err := range store.Queues(broker.Pattern{}).Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".outbox") {
			results++
		}
	}
	if len(tasks) != int(begun.Load()) || results != len(tasks)-int(taken.Load()) || int(entered.Load()) > len(tasks) {
		t.Errorf("%d tasks of %d begun, %d entered, %d withdrawn, %d results taken, %d left",
			len(tasks), begun.Load(), entered.Load(), withdrawn.Load(), taken.Load(), results)
	}
	if taken.Load() == 0 || withdrawn.Load() == 0 {
		t.Errorf("%d taken, %d withdrawn: not all has been tried", taken.Load(), withdrawn.Load())
	}
}

// TestFunctionNeverReturns gives the slot of a function that never returns to another call,
// once its timeout and its grace period are over.
func TestFunctionNeverReturns(t *testing.T) {
	t.Parallel()
	returns := make(chan struct{})
	i, _ := newInline(t, 1, function.New("f", "", func(_ context.Context, deaf bool) (bool, error) {
		if deaf {
			<-returns
		}
		return deaf, nil
	}))
	serving, leave := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- i.Serve(serving) }()
	submit := func(deaf bool) *LocalRun {
		var run *LocalRun
		waittest.Until(t, "a slot is free", func() bool {
			var err error
			run, err = i.Submit(t.Context(), ledger.Submission{Item: "{}", Dir: "/", Spec: &taskspec.Spec{
				Name: "f",
				Work: taskspec.Work{
					Type: taskspec.KindFunction, FunctionTarget: "f", Isolation: taskspec.IsolationInline, Args: []any{deaf},
					Timeout: time.Millisecond, StopGrace: new(time.Millisecond),
				},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return run != nil
		})
		return run
	}
	if task := submit(true).Wait(t.Context()); task.Status != taskspec.StatusTimeout {
		t.Errorf("it ended as %s", task.Status)
	}
	submit(false).Wait(t.Context())
	leave()
	if err := <-served; err != nil {
		t.Error(err)
	}
	close(returns)
}

// TestGuestNested calls a function from where the server's loop would wait for the
// caller.
func TestGuestNested(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	i, err := NewInline(InlineOptions{Broker: store, Functions: new(function.Registry)})
	if err != nil {
		t.Fatal(err)
	}
	err = store.Update(t.Context(), func(*broker.Tx) error {
		_, err := i.Submit(t.Context(), ledger.Submission{})
		return err
	})
	if !errors.Is(err, broker.ErrNested) {
		t.Errorf("inside a transaction: %v", err)
	}
}

// TestLocalSubmitFails has a local submit fail after most of it was written, alone and in
// one transaction with others: it leaves nothing behind, neither in the store nor of its
// slot, and the others run.
func TestLocalSubmitFails(t *testing.T) {
	t.Parallel()
	i, store := newInline(t, 3, function.New("echo", "", func(_ context.Context, s string) (string, error) { return s, nil }))
	served := make(chan error, 1)
	serving, leave := context.WithCancel(context.Background())
	go func() { served <- i.Serve(serving) }()
	submit := func(key, item string) (*LocalRun, error) {
		return i.Submit(t.Context(), ledger.Submission{Item: item, Dir: "/", Spec: &taskspec.Spec{
			Name: "echo",
			Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "echo", Isolation: taskspec.IsolationInline, Key: key},
		}})
	}
	tooLarge := `"` + strings.Repeat("x", broker.MaxMessageBytes) + `"`
	ran := func(key string, run *LocalRun, err error) {
		t.Helper()
		if err != nil || run == nil {
			t.Errorf("%s: %v, %v", key, run, err)
		} else if _, value, _ := run.Take(t.Context()); string(value) != `"hello"` {
			t.Errorf("%s returned %s", key, value)
		}
	}

	waittest.Until(t, "the first start of a task", func() bool { _, err := submit("alone", tooLarge); return err != nil })
	for range 4 { // there are fewer slots
		if run, err := submit("alone", tooLarge); !errors.Is(err, broker.ErrTooLarge) {
			t.Fatalf("got %v, %v", run, err)
		}
	}
	run, err := submit("alone", `"hello"`) // nothing holds the key
	ran("alone", run, err)

	// A request that fits no message is refused by the queue, whether a slot is free or not.
	if run, err := i.Submit(t.Context(), ledger.Submission{Item: "{}", Dir: "/", Spec: &taskspec.Spec{
		Name: "echo",
		Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "echo", Isolation: taskspec.IsolationInline, Args: []any{tooLarge}},
	}}); run != nil || err != nil {
		t.Errorf("a spec that is too large: %v, %v", run, err)
	}

	// They gather while somebody else writes.
	var callers sync.WaitGroup
	err = store.Update(t.Context(), func(*broker.Tx) error {
		for key, item := range map[string]string{"one": `"hello"`, "other": `"hello"`, "bad": tooLarge} {
			callers.Go(func() {
				if run, err := submit(key, item); key != "bad" {
					ran(key, run, err)
				} else if !errors.Is(err, broker.ErrTooLarge) {
					t.Errorf("bad: %v, %v", run, err)
				}
			})
		}
		waittest.Until(t, "three that wait", func() bool { return i.server.slots.used(3) == 3 })
		return nil
	})
	callers.Wait()
	leave()
	if err := errors.Join(err, <-served); err != nil {
		t.Fatal(err)
	}
	var left []string
	if err := store.View(t.Context(), func(r broker.Reader) error {
		left, err = r.Queues("", 99)
		return err
	}); err != nil || slices.ContainsFunc(left, func(queue string) bool { return !strings.HasPrefix(queue, "weft.") }) || slices.Contains(left, ledger.Requests) {
		t.Errorf("queues with messages are %q, %v", left, err)
	}
	keys := make(map[string]bool)
	records, err := store.Records(t.Context(), ledger.Kind, broker.RecordSelect{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		task, err := ledger.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		keys[task.Key] = true
	}
	if want := map[string]bool{"alone": true, "one": true, "other": true}; !maps.Equal(keys, want) {
		t.Errorf("there are tasks %v", keys)
	}
}
