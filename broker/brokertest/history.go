package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
)

// historyCases keep out what has gone wrong in SimpleBroker, whose queues these
// are modelled on. Each of its 31 defects is tested here or elsewhere, or
// cannot happen:
//
//	 1  a reader behind a checkpoint missed messages     "Traffic/who follows misses nothing", TestHistoryFollower
//	 2  no writes after the clock went back              "Clock"
//	 3  writers had to guess their ids                   "Traffic/nothing is lost"
//	 4  a repair lowered the last id                     here
//	 5  a store that was held looked like an empty queue TestHistoryBusy
//	 6  a batch was committed before it was handed out   here, and "Reserve/a worker dies and comes back"
//	 7  a batch ended by another goroutine hung          "Cancel/while it waits", "Cancel/then go on"
//	 8  a move with a selection left a transaction open  "Move/then write"
//	 9  waiters kept the owner of a transaction waiting  "Group/more than fit into one commit", "Nested/another goroutine is not nested"
//	10  opening and closing the file dropped its locks   TestTouchedFiles
//	11  half a schema after a kill; starved writers      TestKill, TestProcessesCreateAtOnce
//	12  the lock of a killed clean-up stayed             TestHistoryKilledCompact
//	13  two stores shared the files beside them          cannot happen: a store has a folder of its own
//	14  a child closed what it had inherited             TestHistoryChild
//	15  watch ignored its bound                          "Watch/after", history.txtar
//	16  a handler that failed was not asked again        here
//	17  read --all took what nobody saw                  "Watch/breaking off loses nothing", history.txtar
//	18  a signal broke a watch off with a stack trace    history.txtar
//	19  locks taken in different orders                  here
//	20  of two rings one was lost                        "Wait/one transaction rings all its queues"
//	21  a broadcast to nobody changed the last id        "Broadcast/none"
//	22  ids went through floating point                  here, history.txtar
//	23  ids in JSON were numbers                         history.txtar
//	24  options behind a command destroyed               history.txtar
//	25  a name could end with a line feed                "Names/bad, queue", FuzzCheckName
//	26  digits of other scripts changed a time           TestParseMoment, FuzzParseMoment
//	27  a dump was newer than its header                 "View/one state", "Restore/advance of an empty store"
//	28  aliases that were added at once made a chain     "Aliases/races make no chains"
//	29  what is moved lies behind a checkpoint           "Move/behind a checkpoint is not seen after it": it is so by design
//	30  deletions shifted the pages of a reader          "Messages/each once while others take"
//	31  every write woke every watcher                   TestHistoryUnrelatedRing
var historyCases = []testCase{
	{"4 the last id is never lowered", func(t *testing.T, s *store) {
		other := s.handle(t)
		defer other.Close()
		repairs := start(func() error {
			for i := range 100 {
				err := s.raw.Update(context.Background(), func(txn broker.BackendTx) error {
					return txn.Advance(broker.IDAt(epoch) + broker.ID(10*i)) // often less than there is
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		var before broker.ID
		for range 100 {
			id, err := other.Queue("q").Write(t.Context(), "x")
			must(t, err)
			_, err = other.Queue("q").Read(t.Context()) // so that only the last id is left of it
			must(t, err)
			if id <= before {
				t.Fatalf("id %v after %v", id, before)
			}
			before = id
		}
		must(t, soon(t, "the end of the repairs", repairs).err)
		s.see(before)
	}},
	{"6 a batch that is stopped in the middle comes again", func(t *testing.T, s *store) {
		s.write(t, "q", "a", "b", "c")
		for _, ending := range endings {
			o := <-start(func() error {
				return s.Update(context.Background(), func(tx *broker.Tx) error {
					batch, err := tx.Read("q", broker.Select{Limit: 2})
					if err != nil || len(batch) != 2 {
						t.Errorf("batch %v, %v", batch, err)
					}
					return ending.end() // at work on the first
				})
			})
			if o != ending.want {
				t.Errorf("%s: ended with %+v, want %+v", ending.name, o, ending.want)
			}
			s.holds(t, "q", "a", "b", "c")
		}
	}},
	{"16 a message whose handling failed is the next", func(t *testing.T, s *store) {
		s.write(t, "q", "1", "2", "3")
		var done broker.ID
		var tried []string
		for failed := false; len(tried) < 4; {
			for m, err := range s.Queue("q").Watch(t.Context(), broker.WatchOptions{Peek: true, After: done, Limit: 3}) {
				must(t, err)
				tried = append(tried, m.Body)
				if m.Body == "2" && !failed {
					failed = true
					break
				}
				if done = m.ID; len(tried) == 4 {
					break
				}
			}
		}
		if diff := cmp.Diff([]string{"1", "2", "2", "3"}, tried); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	}},
	{"19 writes, broadcasts, renames and aliases at once", func(t *testing.T, s *store) {
		const rounds = 12
		other := s.handle(t)
		defer other.Close()
		s.write(t, "a", "x")
		ctx := context.Background()
		var mu sync.Mutex
		written := 1
		count := func(n int) {
			mu.Lock()
			defer mu.Unlock()
			written += n
		}
		var ends []<-chan outcome
		for i, b := range []*broker.Broker{s.Broker, other, s.Broker, other} {
			ends = append(ends, start(func() error {
				for n := range rounds {
					if _, err := b.Queue([]string{"a", "b", "c"}[n%3]).Write(ctx, fmt.Sprint(i)); err != nil {
						return err
					}
					reached, err := b.Queues(broker.Prefix("")).Broadcast(ctx, "all")
					if err != nil {
						return err
					}
					count(1 + len(reached))
					_, err = b.Rename(ctx, []string{"a", "b", "c", "d"}[n%4], []string{"d", "a", "b", "c"}[n%4])
					if err != nil && !errors.Is(err, broker.ErrEmpty) && !errors.Is(err, broker.ErrExists) {
						return err
					}
					name := fmt.Sprint("alias", i)
					if err := errors.Join(b.Aliases().Add(ctx, name, "a"), b.Aliases().Remove(ctx, name)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		for _, c := range ends {
			if got := soon(t, "the end of a worker", c); got != (outcome{}) {
				t.Errorf("a worker ended with %+v", got)
			}
		}
		if n := len(s.state(t).ids()); n != written {
			t.Errorf("there are %d messages, %d were written", n, written)
		}
		s.aliased(t)
	}},
	{"22 neighbouring ids are different ones", func(t *testing.T, s *store) {
		written := s.fill(t, "q", 100)
		for i, id := range written {
			parsed, err := broker.ParseID(id.String())
			if err != nil || parsed != id {
				t.Fatalf("id %d is read back as %v, %v", id, parsed, err)
			}
			ms, err := s.Queue("q").ReadAll(t.Context(), broker.Select{ID: parsed})
			if err != nil || len(ms) != 1 || ms[0].Body != fmt.Sprint(i) {
				t.Fatalf("id %v is %v, %v", id, ms, err)
			}
		}
	}},
}
