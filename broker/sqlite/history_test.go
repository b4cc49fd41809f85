package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/notify"
	"weft/internal/waittest"
)

// These are the defects of brokertest's history that need other processes, or
// the means of this backend.

// TestHistoryFollower (1) follows a queue by the last id seen while 16
// processes write to it.
func TestHistoryFollower(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	w, err := b.Listen("q")
	must(t, err)
	defer w.Close()
	const processes, each = 16, 4
	cs := together(t, processes, "write", func(i int) []string { return []string{dir, strconv.Itoa(each), strconv.Itoa(i)} })
	ctx := waittest.Context(t)
	var last broker.ID
	for n := 0; n < processes*4*each; {
		for m, err := range b.Queue("q").Messages(ctx, broker.Select{After: last}) {
			must(t, err)
			last = m.ID
			n++
		}
		if n < processes*4*each {
			if err := w.Wait(ctx); err != nil {
				t.Fatalf("followed %d of %d messages: %v", n, processes*4*each, err)
			}
		}
	}
	for _, c := range cs {
		c.finish()
	}
}

// TestHistoryBusy (5) takes from a queue that holds a message while another
// process holds the store: the queue must not seem empty.
func TestHistoryBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, err := Open(dir, Options{})
	must(t, err)
	defer holder.Close()
	b, err := Open(dir, Options{BusyTimeout: 20 * time.Millisecond})
	must(t, err)
	defer b.Close()
	ctx, q := t.Context(), b.Queue("q")
	_, err = q.Write(ctx, "x")
	must(t, err)
	must(t, holder.Update(ctx, func(*broker.Tx) error {
		for what, call := range map[string]func() error{
			"read":      func() error { _, err := q.Read(ctx); return err },
			"read all":  func() error { _, err := q.ReadAll(ctx, broker.Select{}); return err },
			"move":      func() error { _, err := q.Move(ctx, "r"); return err },
			"move all":  func() error { _, err := q.MoveAll(ctx, "r", broker.Select{}); return err },
			"delete":    func() error { _, err := q.Delete(ctx, broker.Select{}); return err },
			"reserve":   func() error { _, err := q.Reserve("r").Next(ctx); return err },
			"rename":    func() error { _, err := b.Rename(ctx, "q", "r"); return err },
			"broadcast": func() error { _, err := b.Queues(broker.Pattern{}).Broadcast(ctx, "x"); return err },
		} {
			if err := call(); !errors.Is(err, broker.ErrBusy) || errors.Is(err, broker.ErrEmpty) {
				t.Errorf("%s: error %v, want %v", what, err, broker.ErrBusy)
			}
		}
		return nil
	}))
	if n := len(contents(t, b, "q")); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// compactRole compacts the store again and again.
func compactRole(args []string) error {
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	for {
		say("compacting")
		if err := b.Compact(context.Background()); err != nil {
			return err
		}
	}
}

// TestHistoryKilledCompact (12) kills a process that compacts the store: the
// next can do so at once, and nothing is lost.
func TestHistoryKilledCompact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	bodies := make([]string, 500)
	for i := range bodies {
		bodies[i] = strings.Repeat("x", 2000)
	}
	for round := range 3 {
		_, err := b.Queue("q").WriteAll(t.Context(), bodies)
		must(t, err)
		c := start(t, "compact", dir)
		for range 1 + rand.IntN(3) {
			c.expect("compacting")
		}
		must(t, c.cmd.Process.Kill())
		if err := c.end(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it was not killed: %v", err)
		}
		must(t, b.Compact(t.Context()))
		if n := len(contents(t, b, "q")); n != (round+1)*len(bodies) {
			t.Errorf("%d messages, want %d", n, (round+1)*len(bodies))
		}
	}
	must(t, b.Close())
	check(t, dir)
}

// inheritRole says what it has open of a store without having opened it, and
// then uses it.
func inheritRole(args []string) error {
	say("inherited", len(openFiles(args[0])))
	return openRole(args)
}

// TestHistoryChild (14) starts a child while the store is open and used: it
// inherits nothing of it, and both go on.
func TestHistoryChild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	w, err := b.Listen("q")
	must(t, err)
	defer w.Close()
	must(t, b.Update(t.Context(), func(tx *broker.Tx) error {
		if _, err := tx.Write("q", "parent"); err != nil {
			return err
		}
		c := start(t, "inherit", dir)
		c.expect("inherited 0")
		c.expect("ready")
		must(t, c.cmd.Process.Kill()) // and its end drops no lock of this process
		if err := c.end(); err == nil {
			t.Error("the child was not killed")
		}
		return nil
	}))
	c := start(t, "inherit", dir)
	c.expect("inherited 0")
	c.expect("ready")
	c.tell()
	_, err = b.Queue("q").Write(t.Context(), "parent")
	must(t, err)
	c.finish()
	if n := len(contents(t, b, "q")); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	must(t, b.Close())
	check(t, dir)
}

// TestHistoryUnrelatedRing (31) writes to one queue: who waits for another is
// not woken, so that he does not look either.
func TestHistoryUnrelatedRing(t *testing.T) {
	t.Parallel()
	b, err := Open(t.TempDir(), Options{})
	must(t, err)
	defer b.Close()
	if notify.Channel("busy") == notify.Channel("idle") {
		t.Fatal("the queues share a bell: choose other names")
	}
	idle, err := b.Listen("idle")
	must(t, err)
	defer idle.Close()
	busy, err := b.Listen("busy")
	must(t, err)
	defer busy.Close()
	for range 50 {
		_, err := b.Queue("busy").Write(t.Context(), "x")
		must(t, err)
		waittest.Await(t, "the ring", busy.C())
		select {
		case <-idle.C():
			t.Fatal("a waiter was woken by another queue")
		default:
		}
	}
	_, err = b.Queue("idle").Write(t.Context(), "x")
	must(t, err)
	waittest.Await(t, "the ring", idle.C())
}
