//go:build linux

package weft_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"weft"
	"weft/broker"
	"weft/taskspec"
)

// TestPrepare submits what was prepared, more than once, after all that it was
// prepared from has changed.
func TestPrepare(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	input := strings.Repeat("x", 100_000)
	spec := shell(`wc -c; pwd; echo "$A $1"`, "before")
	env := []string{"A=1", "PATH=/usr/bin:/bin"}
	prepared, err := c.Prepare(p.ctx, spec, weft.SubmitOptions{Stdin: strings.NewReader(input), Dir: "/", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.tasks()) > 0 || len(p.inputs()) != 1 || prepared.Key() == "" || spec.Key != "" {
		t.Errorf("prepared, there are %d tasks and the inputs %q; the key is %q, that of the spec %q",
			len(p.tasks()), p.inputs(), prepared.Key(), spec.Key)
	}
	spec.Args[3], env[0] = "after", "A=2"

	cancelled, cancel := context.WithCancel(p.ctx)
	cancel()
	if task, err := prepared.Submit(cancelled); !errors.Is(err, context.Canceled) || task != nil {
		t.Errorf("cancelled: %v, %v", task, err)
	}
	task, err := prepared.Submit(p.ctx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := prepared.Submit(p.ctx)
	if err != nil || again.TID() != task.TID() || !task.IsNew() || again.IsNew() {
		t.Errorf("submitted again: %+v, %v", again, err)
	}
	if err := prepared.Close(); err != nil {
		t.Error(err)
	}
	res, err := task.Result(p.ctx)
	if err != nil || string(res.Output) != "100000\n/\n1 before\n" {
		t.Errorf("result %+v, %v", res, err)
	}
	if again, err = prepared.Submit(p.ctx); err != nil || again.TID() != task.TID() {
		t.Errorf("submitted after its end: %+v, %v", again, err)
	}
	if n := len(p.tasks()); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
}

// TestPrepareClosed drops what was prepared.
func TestPrepareClosed(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	var invalid *taskspec.ValidationError
	if _, err := c.Prepare(p.ctx, weft.Command("")); !errors.As(err, &invalid) {
		t.Errorf("a bad spec: %v", err)
	}
	prepared, err := c.Prepare(p.ctx, weft.Command("cat"), weft.SubmitOptions{Stdin: strings.NewReader("\xff")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := prepared.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := p.inputs(); len(left) > 0 {
		t.Errorf("inputs are left: %q", left)
	}
	if task, err := prepared.Submit(p.ctx); err == nil {
		t.Errorf("submitted without its input: %v", task)
	}
	if n := len(p.tasks()); n > 0 {
		t.Errorf("%d tasks", n)
	}
}

// TestSubmitTx submits a task together with a message, or neither.
func TestSubmitTx(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	c := p.open()
	prepared, err := c.Prepare(p.ctx, weft.Command("cat"), weft.SubmitOptions{Stdin: strings.NewReader("\xff")})
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	changed := errors.New("changed my mind")
	var task *weft.Task
	submit := func(mind error) error {
		return c.Broker().Update(p.ctx, func(tx *broker.Tx) error {
			if _, err := tx.Write("orders", "one"); err != nil {
				return err
			}
			var err error
			task, err = prepared.SubmitTx(tx)
			return errors.Join(err, mind)
		})
	}
	if err := submit(changed); !errors.Is(err, changed) {
		t.Fatal(err)
	}
	if n := len(p.tasks()); n > 0 {
		t.Errorf("%d tasks of a transaction that was given up", n)
	}
	if err := submit(nil); err != nil {
		t.Fatal(err)
	}
	same, err := prepared.Submit(p.ctx) // it starts a manager
	if err != nil || same.TID() != task.TID() {
		t.Errorf("submitted after the commit: %+v, %v", same, err)
	}
	p.awaitEnd(task.TID())
	orders, err := c.Queue("orders").ReadAll(p.ctx, broker.Select{})
	if err != nil || len(orders) != 1 {
		t.Errorf("orders %v, %v", orders, err)
	}
	if res, err := task.Result(p.ctx); err != nil || string(res.Output) != "\xff" {
		t.Errorf("result %+v, %v", res, err)
	}

	// Another task has its key: the transaction is told so.
	spec := weft.Command("true")
	spec.Key = prepared.Key()
	other, err := c.Prepare(p.ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Broker().Update(p.ctx, func(tx *broker.Tx) error {
		_, err := other.SubmitTx(tx)
		return err
	})
	if e, ok := errors.AsType[*weft.KeyError](err); !ok || e.TID != task.TID() {
		t.Errorf("another task with its key: %v", err)
	}
}
