package brokertest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"weft/broker"
)

// clockCases let the clock jump while several goroutines write through two
// handles, which stand for two processes. Ids rise for each of them, nothing is
// lost and no write fails.
func clockCases() (cases []testCase) {
	const year = 365 * 24 * time.Hour
	for name, steps := range map[string][]time.Duration{
		"back an hour":      {-time.Hour},
		"forth an hour":     {time.Hour},
		"back ten years":    {-10 * year},
		"forth ten years":   {10 * year},
		"to and fro":        {time.Hour, -time.Hour, 10 * year, -10 * year, -time.Hour, time.Hour},
		"back and on again": {-time.Hour, time.Minute, time.Minute, time.Hour},
	} {
		cases = append(cases, testCase{name, func(t *testing.T, s *store) { s.jump(t, steps) }})
	}
	return cases
}

// jump steps the clock while others write.
func (s *store) jump(t *testing.T, steps []time.Duration) {
	const writers, each = 6, 30
	other := s.handle(t)
	defer other.Close()
	written := make(chan struct{}, writers*each)
	var work sync.WaitGroup
	for w := range writers {
		b := []*broker.Broker{s.Broker, other}[w%2]
		work.Go(func() {
			var last broker.ID
			for i := range each {
				id, err := produce(b, fmt.Sprintf("%d %d", w, i), i%3)
				if err != nil {
					t.Errorf("write: %v", err)
				}
				if id <= last {
					t.Errorf("id %v after %v", id, last)
				}
				last = id
				// What stays in the queue could remind the store of the last id.
				if i%5 == 4 {
					if _, err := b.Queue("q").Delete(context.Background(), broker.Select{ID: id}); err != nil {
						t.Errorf("delete: %v", err)
					}
				}
				written <- struct{}{}
			}
		})
	}
	for i := range writers * each {
		soon(t, "a write", written)
		if i%10 == 9 {
			s.clock.Set(s.clock.Now().Add(steps[i/10%len(steps)]))
			if y := s.clock.Now().Year(); y < 2000 || y > 2200 {
				s.clock.Set(epoch)
			}
		}
	}
	work.Wait()
	if n := len(s.messages(t, "q")); n != writers*each*4/5 {
		t.Errorf("%d messages are there, want %d", n, writers*each*4/5)
	}
	info, err := s.Info(t.Context())
	must(t, err)
	s.see(info.LastID)
}
