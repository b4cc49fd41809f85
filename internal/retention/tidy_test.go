package retention

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/taskspec"
)

// open opens a store in a project's folder that has a folder of outputs.
func open(t *testing.T) (b *broker.Broker, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := project.Complete(dir); err != nil {
		t.Fatal(err)
	}
	b, err := sqlite.Open(dir, sqlite.Options{Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, dir
}

// stopped submits a task and ends it before it starts.
func stopped(t *testing.T, b *broker.Broker, dir string) (tid string) {
	t.Helper()
	err := b.Update(t.Context(), func(tx *broker.Tx) (err error) {
		spec := &taskspec.Spec{Name: "small", Work: taskspec.Work{Type: taskspec.KindCommand, ProcessTarget: "true"}}
		tid, _, err = ledger.Submit(tx, ledger.Submission{Spec: spec, Item: "{}", Dir: dir, Env: "A=1"}, time.Now())
		if err == nil {
			_, err = ledger.End(tx, tid, ledger.CommandStop, time.Now())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tid
}

// TestLast has a keeper look when its process leaves: the newest tasks are kept.
func TestLast(t *testing.T) {
	t.Parallel()
	b, dir := open(t)
	const most = 5
	k := NewKeeper(b, dir, Bounds(0, most, 0, 0), slog.New(slog.DiscardHandler))
	k.Last(t.Context())
	var tids []string
	for range 3 * tasksAtOnce {
		tids = append(tids, stopped(t, b, dir))
		k.Ended(0)
	}
	k.Last(t.Context())
	recs, err := b.Records(t.Context(), ledger.Kind, broker.RecordSelect{})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, rec := range recs {
		left = append(left, rec.Key)
	}
	if want := tids[len(tids)-most:]; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	if st, err := b.Queue(ledger.Log).Stats(t.Context()); err != nil || st.Pending != 2*most {
		t.Errorf("%d events are left, want two of each task: %v", st.Pending, err)
	}
}

// TestShrink gives room back where that is worth it.
func TestShrink(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		messages int
		shrinks  bool
	}{{leastFree >> 21, false}, {2 * leastFree >> 20, true}} {
		t.Run(fmt.Sprint(test.messages), func(t *testing.T) {
			t.Parallel()
			b, _ := open(t)
			if _, err := b.Queue("big").WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", 1<<20-100)}, test.messages)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Queue("big").Delete(t.Context(), broker.Select{}); err != nil {
				t.Fatal(err)
			}
			before, err := b.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := Shrink(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			after, err := b.Info(t.Context())
			if err != nil || after.Log != 0 || (after.Bytes < before.Bytes/10) != test.shrinks {
				t.Errorf("%+v became %+v, %v", before, after, err)
			}
		})
	}
}
