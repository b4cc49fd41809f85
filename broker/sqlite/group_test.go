package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/internal/waittest"
)

// group runs calls so that they share a commit, and returns how they ended.
// The calls get a context that they must wait on.
func group(t *testing.T, b *broker.Broker, calls ...func(context.Context) error) (errs []error) {
	t.Helper()
	begun, gate := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- b.Update(context.Background(), func(*broker.Tx) error { close(begun); <-gate; return nil })
	}()
	waittest.Await(t, "the beginning of a transaction", begun)
	ends := make([]chan error, len(calls))
	for i, call := range calls {
		ctx := &asking{Context: context.Background(), asked: make(chan struct{})}
		ends[i] = make(chan error, 1)
		go func() { ends[i] <- call(ctx) }()
		waittest.Await(t, "waiting", ctx.asked)
	}
	close(gate)
	must(t, waittest.Await(t, "the end of a transaction", held))
	for _, end := range ends {
		errs = append(errs, waittest.Await(t, "the end of a transaction", end))
	}
	return errs
}

// TestLostTransaction has SQLite end the transaction of a group while one of
// its functions runs, for want of room: the file must not grow beyond a number
// of pages. That holds for one connection only, and the store takes another
// after the failure: so it has room again, if it tries again.
func TestLostTransaction(t *testing.T) {
	t.Parallel()
	const large = 1 << 20
	for _, tt := range []struct {
		name    string
		ballast bool
		swallow bool // the function that finds no room returns nil
		want    error
	}{
		{"with the ballast", true, false, nil},
		{"with the ballast, swallowed", true, true, nil},
		{"without", false, false, broker.ErrFull},
		{"without, swallowed", false, true, broker.ErrFull},
	} {
		for place := range 4 {
			t.Run(fmt.Sprint(tt.name, " ", place), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				s, err := open(dir, Options{})
				must(t, err)
				b := broker.New(s, broker.Options{})
				if !tt.ballast {
					must(t, os.Remove(filepath.Join(dir, "ballast")))
				}
				must(t, s.writer.conn.exec(t.Context(), "PRAGMA max_page_count = 20"))

				small := func(body string) func(context.Context) error {
					return func(ctx context.Context) error {
						return b.Update(ctx, func(tx *broker.Tx) error { _, err := tx.Write("q", body); return err })
					}
				}
				calls := []func(context.Context) error{
					small("a"),
					func(ctx context.Context) error { _, err := b.Queue("q").Write(ctx, "b"); return err },
					small("c"),
				}
				culprit := func(ctx context.Context) error {
					return b.Update(ctx, func(tx *broker.Tx) error {
						_, err := tx.Write("large", strings.Repeat("x", large))
						if tt.swallow {
							return nil
						}
						return err
					})
				}
				calls = slices.Insert(calls, place, culprit)
				for i, err := range group(t, b, calls...) {
					var want error
					if i == place {
						want = tt.want
					}
					if !errors.Is(err, want) {
						t.Errorf("transaction %d: error %v, want %v", i, err, want)
					}
				}
				bodies := map[string]int{}
				for _, body := range contents(t, b, "q") {
					bodies[body]++
				}
				if diff := cmp.Diff(map[string]int{"a": 1, "b": 1, "c": 1}, bodies); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
				wantLarge := 1
				if tt.want != nil {
					wantLarge = 0
				}
				if n := len(contents(t, b, "large")); n != wantLarge {
					t.Errorf("%d large messages, want %d", n, wantLarge)
				}
				if _, err := os.Lstat(filepath.Join(dir, "ballast")); err == nil {
					t.Error("the ballast is still there")
				}
				must(t, b.Close())
				check(t, dir)
			})
		}
	}
}

// TestLongBusy bounds the time that they wait.
func TestLongBusy(t *testing.T) {
	waittest.NeedLong(t)
	TestBusy(t)
}

// TestBusy has another process hold the store for longer than the callers are
// ready to wait: all that wait are told in time, not one after the other, and
// nothing was done.
func TestBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, err := Open(dir, Options{})
	must(t, err)
	defer holder.Close()
	const patience = 200 * time.Millisecond
	b, err := Open(dir, Options{BusyTimeout: patience})
	must(t, err)
	defer b.Close()
	gate, begun, held := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		held <- holder.Update(context.Background(), func(*broker.Tx) error { close(begun); <-gate; return nil })
	}()
	waittest.Await(t, "the beginning of a transaction", begun)

	const callers = 20
	began := time.Now()
	ends := make(chan error, callers)
	for i := range callers {
		go func() {
			if i%2 == 0 {
				_, err := b.Queue("q").Write(context.Background(), "never")
				ends <- err
				return
			}
			ends <- b.Update(context.Background(), func(tx *broker.Tx) error { _, err := tx.Write("q", "never"); return err })
		}()
	}
	for range callers {
		if err := waittest.Await(t, "the end of a caller's patience", ends); !errors.Is(err, broker.ErrBusy) {
			t.Errorf("error %v, want %v", err, broker.ErrBusy)
		}
	}
	took := time.Since(began)
	if took < patience {
		t.Errorf("%d callers waited for %v, with a patience of %v each", callers, took, patience)
	}
	waittest.Bound(t, "waiting in turn", took, callers/2*patience)
	// Reading does not wait; a caller that gives up does not either.
	if n := len(contents(t, b, "q")); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	patient, err := Open(dir, Options{})
	must(t, err)
	defer patient.Close()
	waiting := &asking{Context: ctx, asked: make(chan struct{})}
	go func() { _, err := patient.Queue("q").Write(waiting, "never"); ends <- err }()
	waittest.Await(t, "waiting for the store", waiting.asked)
	cancel()
	if err := waittest.Await(t, "the end of a caller who gives up", ends); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	close(gate)
	must(t, waittest.Await(t, "the end of a transaction", held))
	if n := len(contents(t, b, "q")); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
}
