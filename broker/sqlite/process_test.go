package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"weft/broker"
	"weft/internal/waittest"
)

// roles are what this binary can be to a test in another process. The first
// argument is the folder of the store.
var roles = map[string]func(args []string) error{
	"write":     writeRole,
	"count":     countRole,
	"crash":     crashRole,
	"load":      loadRole,
	"open once": openRole,
	"compact":   compactRole,
	"inherit":   inheritRole,
	"produce":   produceRole,
	"move on":   moveRole,
	"delete":    deleteRole,
}

// writeRole writes args[1] messages to "q" on each of four goroutines and
// says the id and the body of each.
func writeRole(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	say("ready")
	if err := pause(); err != nil {
		return err
	}
	errs := make([]error, 4)
	var work sync.WaitGroup
	for g := range errs {
		work.Go(func() {
			for i := range n {
				body := fmt.Sprintf("%s.%d.%d", args[2], g, i)
				id, err := b.Queue("q").Write(context.Background(), body)
				if err != nil {
					errs[g] = err
					return
				}
				say(id, body)
			}
		})
	}
	work.Wait()
	return errors.Join(append(errs, b.Close())...)
}

// countRole adds 1 to a record args[1] times.
func countRole(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	say("ready")
	if err := pause(); err != nil {
		return err
	}
	for range n {
		if err := b.Update(context.Background(), count); err != nil {
			return err
		}
	}
	return b.Close()
}

func count(tx *broker.Tx) error {
	// Much is read before the first write: a transaction that did not lock from
	// the start would find that another has written since.
	r, err := tx.Record("counter", "c")
	if errors.Is(err, broker.ErrNotFound) {
		r = broker.Record{Kind: "counter", Key: "c"}
	} else if err != nil {
		return err
	}
	if _, err := tx.Messages("q", broker.Select{}); err != nil {
		return err
	}
	r.Rank++
	if _, err := tx.Write("q", r.Key); err != nil {
		return err
	}
	if _, err := tx.Read("q", broker.Select{Limit: 1}); err != nil {
		return err
	}
	return tx.PutRecord(r)
}

// openRole opens the store, which the others open and create at the same
// time, and writes one message.
func openRole(args []string) error {
	say("ready")
	if err := pause(); err != nil {
		return err
	}
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	if _, err := b.Queue("q").Write(context.Background(), "x"); err != nil {
		return err
	}
	return b.Close()
}

// together starts n children and lets them go at the same time.
func together(t *testing.T, n int, role string, args func(i int) []string) (cs []*child) {
	t.Helper()
	for i := range n {
		cs = append(cs, start(t, role, args(i)...))
	}
	for _, c := range cs {
		c.expect("ready")
	}
	for _, c := range cs {
		c.tell()
	}
	return cs
}

func TestProcessesWriteAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes, each = 4, 50
	cs := together(t, processes, "write", func(i int) []string { return []string{dir, strconv.Itoa(each), strconv.Itoa(i)} })
	acknowledged := map[broker.ID]string{}
	var mu sync.Mutex
	var reading sync.WaitGroup
	for _, c := range cs {
		reading.Go(func() {
			for _, line := range c.lines() {
				var id broker.ID
				var body string
				if _, err := fmt.Sscan(line, &id, &body); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				mu.Lock()
				if was, twice := acknowledged[id]; twice {
					t.Errorf("id %v was given to %s and to %s", id, was, body)
				}
				acknowledged[id] = body
				mu.Unlock()
			}
		})
	}
	reading.Wait()
	for _, c := range cs {
		c.finish()
	}
	if n := len(acknowledged); n != processes*4*each {
		t.Errorf("%d writes were acknowledged, want %d", n, processes*4*each)
	}
	b, err := Open(dir, Options{})
	must(t, err)
	stored := contents(t, b, "q")
	must(t, b.Close())
	for id, body := range acknowledged {
		if stored[id] != body {
			t.Errorf("acknowledged %v %q, stored %q", id, body, stored[id])
		}
	}
	if len(stored) != len(acknowledged) {
		t.Errorf("%d messages are stored, %d were acknowledged", len(stored), len(acknowledged))
	}
	check(t, dir)
}

func TestProcessesReadThenWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes, each = 2, 150
	for _, c := range together(t, processes, "count", func(int) []string { return []string{dir, strconv.Itoa(each)} }) {
		c.finish()
	}
	b, err := Open(dir, Options{})
	must(t, err)
	r, err := b.Record(t.Context(), "counter", "c")
	must(t, err)
	if r.Rank != processes*each {
		t.Errorf("counted to %d, want %d", r.Rank, processes*each)
	}
	must(t, b.Close())
	check(t, dir)
}

func TestProcessesCreateAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const processes = 12
	for _, c := range together(t, processes, "open once", func(int) []string { return []string{dir} }) {
		c.finish()
	}
	b, err := Open(dir, Options{})
	must(t, err)
	if n := len(contents(t, b, "q")); n != processes {
		t.Errorf("%d messages, want %d", n, processes)
	}
	must(t, b.Close())
	check(t, dir)
}

func TestRingFromAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	w, err := b.Listen("q")
	must(t, err)
	defer w.Close()
	c := start(t, "write", dir, "1", "x")
	c.expect("ready")
	c.tell()
	waittest.Await(t, "a ring", w.C())
	c.finish()
}

// TestLostRing writes without ringing, as a process that is killed between
// its commit and its ring: who waits finds the message by its slow look.
func TestLostRing(t *testing.T) {
	t.Parallel()
	s, err := open(t.TempDir(), Options{})
	must(t, err)
	b := broker.New(s, broker.Options{})
	defer b.Close()
	ctx := waittest.Context(t)
	waited := make(chan error, 1)
	asked := make(chan struct{})
	go func() { waited <- b.Queue("q").Wait(&asking{Context: ctx, asked: asked}) }()
	waittest.Await(t, "waiting", asked)
	must(t, s.UpdateOne(ctx, func(tx broker.BackendTx) error { _, err := tx.Insert("q", "x"); return err }))
	must(t, waittest.Await(t, "the slow look", waited))
}

// asking is a context that tells when somebody begins to wait for its end.
type asking struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (a *asking) Done() <-chan struct{} {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Done()
}
