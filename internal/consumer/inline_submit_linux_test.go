package consumer

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/taskspec"
)

// TestGuests submits calls from many goroutines of the program that serves them, some
// of which change their minds, until the server is told to leave. Each call is either
// carried out, once, or refused; and nobody waits for ever.
func TestGuests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var functions function.Registry
	var entered atomic.Int64
	double := function.New("double", "", func(_ context.Context, in struct{ N int }) (int, error) {
		entered.Add(1)
		return 2 * in.N, nil
	})
	if err := functions.Add(double); err != nil {
		t.Fatal(err)
	}
	i, err := NewInline(InlineOptions{Root: dir, Dir: dir, Broker: store, Functions: &functions, MaxMessage: broker.MaxMessageBytes, Slots: 8})
	if err != nil {
		t.Fatal(err)
	}
	serving, leave := context.WithCancel(t.Context())
	defer leave()
	served := make(chan error, 1)
	go func() { served <- i.Serve(serving) }()
	submit := func(ctx context.Context, n int) (*LocalRun, error) {
		return i.Submit(ctx, ledger.Submission{Item: "{}", Dir: dir, Spec: &taskspec.Spec{
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

// TestGuestNested calls a function from where the server's loop would wait for the
// caller.
func TestGuestNested(t *testing.T) {
	t.Parallel()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
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
