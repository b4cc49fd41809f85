package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weft/broker"
	"weft/internal/waittest"
)

// crashRole does what it can until it is killed, on several goroutines, and
// says what has been acknowledged.
func crashRole(args []string) error {
	say("opening")
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	q, ctx := b.Queue("q"), context.Background()
	errs := make([]error, 6)
	var work sync.WaitGroup
	for g := range errs {
		work.Go(func() {
			for errs[g] == nil {
				switch g % 3 {
				case 0:
					var id broker.ID
					if id, errs[g] = q.Write(ctx, "x"); errs[g] == nil {
						say("written", id)
					}
				case 1:
					var two [2]broker.ID
					errs[g] = b.Update(ctx, func(tx *broker.Tx) (err error) {
						for i := range two {
							if two[i], err = tx.Write("q", "x"); err != nil {
								return err
							}
						}
						return tx.PutRecord(broker.Record{Kind: "pair", Key: two[0].String(), Rank: int64(two[0]), Body: two[1].String()})
					})
					if errs[g] == nil {
						say("paired", two[0], two[1])
					}
				case 2:
					var m broker.Message
					if m, errs[g] = q.Move(ctx, "r"); errs[g] == nil {
						say("moved", m.ID)
						if _, errs[g] = b.Queue("r").Delete(ctx, broker.Select{ID: m.ID}); errs[g] == nil {
							say("deleted", m.ID)
						}
					} else if errors.Is(errs[g], broker.ErrEmpty) {
						errs[g] = nil
					}
				}
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// TestKill kills a busy process again and again: what it acknowledged must be
// there, and what belongs together must be there together. It makes 20 rounds,
// or 200 where WEFT_LONG is 1.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 20
	if waittest.Long() {
		rounds = 200
	}
	dir := t.TempDir()
	l := newLedger()
	for round := range rounds {
		// At some moment; in each fifth round, while it opens the store.
		c := start(t, "crash", dir)
		c.expect("opening")
		for range min(round%5, 1) * rand.IntN(100) {
			line, ok := c.line()
			if !ok {
				t.Fatalf("it ended by itself: %v", c.end())
			}
			must(t, l.note(line))
		}
		must(t, c.cmd.Process.Kill())
		for _, line := range c.lines() { // said before the signal came
			must(t, l.note(line))
		}
		if err := c.end(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it was not killed: %v", err)
		}
		l.compare(t, dir, round)
	}
	check(t, dir)
	t.Logf("%d rounds, %d acknowledged writes", rounds, len(l.written))
}

// A ledger is what has been acknowledged.
type ledger struct {
	written, moved, deleted map[broker.ID]bool
	pairs                   map[broker.ID]broker.ID
}

func newLedger() *ledger {
	return &ledger{map[broker.ID]bool{}, map[broker.ID]bool{}, map[broker.ID]bool{}, map[broker.ID]broker.ID{}}
}

func (l *ledger) note(line string) error {
	var what string
	var id, second broker.ID
	if n, err := fmt.Sscan(line, &what, &id, &second); n < 2 {
		return fmt.Errorf("%q: %w", line, err)
	}
	switch what {
	case "written":
		l.written[id] = true
	case "paired":
		l.written[id], l.written[second], l.pairs[id] = true, true, second
	case "moved":
		l.moved[id] = true
	case "deleted":
		l.deleted[id] = true
	}
	return nil
}

// compare compares the ledger with the store.
func (l *ledger) compare(t *testing.T, dir string, round int) {
	t.Helper()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	q, r := contents(t, b, "q"), contents(t, b, "r")
	there := func(where map[broker.ID]string, id broker.ID) bool { _, ok := where[id]; return ok }
	unsaid := 0
	for id := range l.written {
		inQ, inR := there(q, id), there(r, id)
		switch {
		case inQ && (inR || l.moved[id]) || inR && l.deleted[id]:
			t.Errorf("round %d: message %v is where it must not be", round, id)
		case !inQ && !inR && !l.moved[id]:
			t.Errorf("round %d: message %v is lost", round, id)
		case !inQ && !inR && !l.deleted[id]:
			unsaid++
		}
	}
	// Each of two goroutines may have died between a deletion and saying so.
	if unsaid > 2*(round+1) {
		t.Errorf("round %d: %d messages that were moved are lost", round, unsaid-2*(round+1))
	}
	pairs, err := b.Records(context.Background(), "pair", broker.RecordSelect{})
	must(t, err)
	stored := map[string]string{}
	for _, p := range pairs {
		stored[p.Key] = p.Body
	}
	for first, second := range l.pairs {
		if stored[first.String()] != second.String() {
			t.Errorf("round %d: pair %v, %v: stored %q", round, first, second, stored[first.String()])
		}
	}
}
