package consumer

import (
	"context"
	"errors"
	"os"
	"testing"

	"weft/broker"
	"weft/internal/control"
	"weft/internal/function"
	"weft/internal/ledger"
	"weft/internal/waittest"
	"weft/taskspec"
)

// TestInlineOrders stops a function inside its program by an order that comes beside
// the store, and has the store removed under another one.
func TestInlineOrders(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{}, 2)
	i, _ := newInline(t, 0, function.New("wait", "", func(ctx context.Context, _ struct{}) (int, error) {
		entered <- struct{}{}
		<-ctx.Done()
		left <- struct{}{}
		return 0, context.Cause(ctx)
	}))
	dir := i.server.o.Dir
	served := make(chan error, 1)
	go func() { served <- i.Serve(t.Context()) }()
	begin := func() string {
		spec := &taskspec.Spec{Name: "wait", Work: taskspec.Work{Type: taskspec.KindFunction, FunctionTarget: "wait", Isolation: taskspec.IsolationInline}}
		var v *LocalRun
		waittest.Until(t, "what the test waits for", func() bool { // until it serves
			var err error
			v, err = i.Submit(t.Context(), ledger.Submission{Item: "{}", Dir: dir, Spec: spec})
			if err != nil {
				t.Fatal(err)
			}
			return v != nil
		})
		<-entered
		return v.Task().TID
	}

	stop := control.Order{TID: begin(), Command: ledger.CommandStop}
	a, err := control.Give(t.Context(), dir, stop)
	if err != nil || !a.Done || a.Outcome == nil || a.Outcome.Status != taskspec.StatusCancelled {
		t.Errorf("stop: %+v, %v", a, err)
	}
	<-left
	stop.TID = "1795320925719519232"
	if _, err := control.Give(t.Context(), dir, stop); !errors.Is(err, control.ErrNobody) {
		t.Errorf("stop of a task that nobody has: %v", err)
	}

	begin()
	for os.RemoveAll(dir) != nil { // what rings bells makes some
	}
	if err := <-served; !errors.Is(err, broker.ErrGone) {
		t.Errorf("served until the store was removed: %v", err)
	}
	<-left
}
