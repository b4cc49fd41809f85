package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

// The traffic: processes write into "q", others move what comes there on to
// "r", others delete it there, all at once.
const (
	producers  = 8 // processes that write, of 8 goroutines each
	movers     = 2 // processes that move, of 2 goroutines each
	deleters   = 2 // the same that delete
	perWriter  = 8
	perReader  = 2
	writeBound = time.Second // for 99 % of the writes
)

// TestTraffic lets 64 writers in 8 processes write while others move and
// delete what they write: each message must be where it was last put and
// nowhere else, each producer's in its order, and nobody may be told that the
// store is busy.
func TestTraffic(t *testing.T) {
	t.Parallel()
	traffic(t, Full, 2*time.Second)
}

// TestLongTraffic is the same for longer, and bounds how long a write takes.
func TestLongTraffic(t *testing.T) {
	waittest.NeedLong(t)
	for _, d := range []Durability{Full, Normal} {
		t.Run(d.String(), func(t *testing.T) {
			if p99 := traffic(t, d, 20*time.Second); p99 > waittest.Scale(writeBound) {
				t.Errorf("p99 of a write is %v, want at most %v", p99, writeBound)
			}
		})
	}
}

// traffic runs the traffic for a while, accounts for every message, and
// returns the time within which 99 % of the writes were acknowledged.
func traffic(t *testing.T, d Durability, while time.Duration) (p99 time.Duration) {
	dir, notes := t.TempDir(), t.TempDir()
	var all []*child
	launch := func(n int, role string) (cs []*child) {
		for i := range n {
			note := filepath.Join(notes, strconv.Itoa(len(all)))
			c := start(t, role, dir, d.String(), note, strconv.Itoa(i), while.String())
			all, cs = append(all, c), append(cs, c)
		}
		return cs
	}
	writing := launch(producers, "produce")
	reading := append(launch(movers, "move on"), launch(deleters, "delete")...)
	for _, c := range all {
		c.expect("ready")
	}
	begin := time.Now()
	for _, c := range all {
		c.tell()
	}
	for _, c := range writing {
		c.finish()
	}
	lasted := time.Since(begin)
	for _, c := range reading {
		c.tell() // that it is enough
		c.finish()
	}
	var sum account
	for i := range all {
		text, err := os.ReadFile(filepath.Join(notes, strconv.Itoa(i)))
		must(t, err)
		var a account
		must(t, json.Unmarshal(text, &a))
		sum.add(a)
	}
	sum.verify(t, dir)
	check(t, dir)
	n := 0
	for _, written := range sum.Written {
		n += written
	}
	t.Logf("%s: %d messages in %.1f s (%.0f/s), %d moved, %d deleted; a write took p50 %v, p99 %v, at most %v",
		d, n, lasted.Seconds(), float64(n)/lasted.Seconds(), length(sum.Moved), length(sum.Deleted),
		sum.took(50), sum.took(99), sum.took(100))
	return sum.took(99)
}

// An account is what a process says of the messages it had to do with. The
// body of a message is its producer, a space and its number, from 0 on.
type account struct {
	Written map[string]int // how many, by producer
	Took    []int          // how many writes took less than 1 ms, less than 2, and so on
	// The bodies that each goroutine has moved or deleted, in that order.
	Moved, Deleted [][]string
}

func (a *account) add(other account) {
	if a.Written == nil {
		a.Written = map[string]int{}
	}
	maps.Copy(a.Written, other.Written)
	for ms, n := range other.Took {
		a.wrote(ms, n)
	}
	a.Moved, a.Deleted = append(a.Moved, other.Moved...), append(a.Deleted, other.Deleted...)
}

// wrote adds n writes that took some milliseconds.
func (a *account) wrote(ms, n int) {
	if ms >= len(a.Took) {
		a.Took = append(a.Took, make([]int, ms+1-len(a.Took))...)
	}
	a.Took[ms] += n
}

// took is the time that percent of the writes did not exceed, rounded up to
// milliseconds.
func (a *account) took(percent int) time.Duration {
	total, seen := 0, 0
	for _, n := range a.Took {
		total += n
	}
	for ms, n := range a.Took {
		if seen += n; 100*seen >= percent*total {
			return time.Duration(ms+1) * time.Millisecond
		}
	}
	return 0
}

// verify compares the account with the store: every message that was written
// was deleted once, or moved once and waits in "r", or waits in "q"; and what
// came first went first.
func (a *account) verify(t *testing.T, dir string) {
	t.Helper()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	inQ, inR := bodies(t, b, "q"), bodies(t, b, "r")
	for _, order := range append(a.Moved, inQ, inR) {
		if err := rises(order); err != nil {
			t.Error(err)
		}
	}
	moved, deleted := tally(a.Moved...), tally(a.Deleted...)
	waits, rests := tally(inQ), tally(inR)
	total := 0
	for producer, n := range a.Written {
		total += n
		var passed int // messages of the producer that have been moved
		for i := range n {
			body := fmt.Sprint(producer, " ", i)
			if moved[body]+waits[body] != 1 || deleted[body]+rests[body] != moved[body] {
				t.Fatalf("message %s: moved %d times, deleted %d times, %d in q, %d in r",
					body, moved[body], deleted[body], waits[body], rests[body])
			}
			if passed += moved[body]; passed != i+1 && moved[body] > 0 {
				t.Fatalf("message %s was moved before an older one", body)
			}
		}
	}
	if n := len(moved) + len(waits); n != total {
		t.Errorf("%d messages came out, %d were written", n, total)
	}
	if len(moved) == 0 || len(deleted) == 0 {
		t.Errorf("%d messages were moved and %d deleted: this tests nothing", len(moved), len(deleted))
	}
}

// bodies are the bodies of a queue's messages in order.
func bodies(t *testing.T, b *broker.Broker, queue string) (all []string) {
	t.Helper()
	for m, err := range b.Queue(queue).Messages(t.Context(), broker.Select{}) {
		must(t, err)
		all = append(all, m.Body)
	}
	return all
}

// rises fails unless the messages of each producer come in order.
func rises(order []string) error {
	last := map[string]int{}
	for _, body := range order {
		producer, number, _ := strings.Cut(body, " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("message %q: %w", body, err)
		}
		if before, some := last[producer]; some && n <= before {
			return fmt.Errorf("message %d of producer %s comes after %d", n, producer, before)
		}
		last[producer] = n
	}
	return nil
}

// tally counts how often each body comes.
func tally(lists ...[]string) map[string]int {
	times := map[string]int{}
	for _, list := range lists {
		for _, body := range list {
			times[body]++
		}
	}
	return times
}

func length(lists [][]string) (n int) {
	for _, list := range lists {
		n += len(list)
	}
	return n
}

// TestFollowProcesses lets 16 processes write while this one asks again and
// again for what has come after the last message it saw: it must see all, each
// once.
func TestFollowProcesses(t *testing.T) {
	t.Parallel()
	follow(t, 500*time.Millisecond)
}

// TestLongFollowProcesses is the same for longer.
func TestLongFollowProcesses(t *testing.T) {
	waittest.NeedLong(t)
	follow(t, 20*time.Second)
}

func follow(t *testing.T, while time.Duration) {
	dir, notes := t.TempDir(), t.TempDir()
	b, err := Open(dir, Options{})
	must(t, err)
	defer b.Close()
	const processes = 16
	cs := together(t, processes, "produce", func(i int) []string {
		return []string{dir, Full.String(), filepath.Join(notes, strconv.Itoa(i)), strconv.Itoa(i), while.String()}
	})
	w, err := b.Listen("q")
	must(t, err)
	defer w.Close()
	written, finish := context.WithCancel(t.Context())
	go func() {
		defer finish()
		for _, c := range cs {
			if err := c.end(); err != nil {
				t.Error(err)
			}
		}
	}()
	seen, looks := map[broker.ID]string{}, 0
	var last broker.ID
	for writing := true; writing; looks++ {
		writing = w.Wait(written) == nil // else this look is the last
		for m, err := range b.Queue("q").Messages(t.Context(), broker.Select{After: last}) {
			must(t, err)
			seen[m.ID], last = m.Body, m.ID
		}
	}
	stored := contents(t, b, "q")
	for id, body := range stored {
		if seen[id] != body {
			t.Errorf("message %v is %q, and was seen as %q", id, body, seen[id])
		}
	}
	if len(seen) != len(stored) || len(stored) < processes {
		t.Errorf("%d messages were seen, %d are there", len(seen), len(stored))
	}
	t.Logf("%d messages of %d processes followed in %d looks", len(seen), processes, looks)
}
