package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

// now receives a message that is due.
func now(t testing.TB, b *broker.Broker, queue string, o broker.ReceiveOptions) *broker.Lease {
	t.Helper()
	o.NoWait = true
	l, err := b.Queue(queue).Receive(context.Background(), o)
	must(t, err)
	return l
}

// nothing checks that no message is due.
func nothing(t testing.TB, b *broker.Broker, queue string, o broker.ReceiveOptions) {
	t.Helper()
	o.NoWait = true
	l, err := b.Queue(queue).Receive(context.Background(), o)
	if !errors.Is(err, broker.ErrEmpty) {
		t.Errorf("received %+v, %v; want none", l, err)
	}
}

// pass lets time pass.
func (s *store) pass(d time.Duration) { s.clock.Set(s.clock.Now().Add(d)) }

const leased = broker.LeasedPrefix + "jobs"

// noLeases checks that nothing of leases is left.
func (s *store) noLeases(t testing.TB) {
	t.Helper()
	s.holds(t, leased)
	rs, err := s.Records(t.Context(), "lease", broker.RecordSelect{})
	if err != nil || len(rs) > 0 {
		t.Errorf("there are records %+v, %v", rs, err)
	}
}

var leaseCases = []testCase{
	{"received by one, acknowledged, gone", func(t *testing.T, s *store) {
		written := s.write(t, "jobs", "a", "b")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		if want := (broker.Message{ID: written[0], Queue: "jobs", Body: "a"}); l.Message != want || l.Receives != 1 {
			t.Errorf("received %+v, want %+v", l, want)
		}
		s.holds(t, "jobs", "b")
		s.holds(t, leased, "a")
		other := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		if other.Body != "b" {
			t.Errorf("received %q as well", other.Body)
		}
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		must(t, l.Ack(t.Context()))
		wants(t, "second ack", l.Ack(t.Context()), broker.ErrLeaseLost)
		must(t, other.Ack(t.Context()))
		s.noLeases(t)
	}},
	{"what a dead receiver held comes back when its lease ends", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		now(t, s.Broker, "jobs", broker.ReceiveOptions{Lease: time.Minute})
		s.pass(time.Minute - 1)
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.reopen(t)
		s.pass(1)
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		if l.Body != "a" || l.Receives != 2 {
			t.Errorf("received %+v", l)
		}
		other := s.handle(t)
		defer other.Close()
		nothing(t, other, "jobs", broker.ReceiveOptions{})
		must(t, l.Ack(t.Context()))
		s.noLeases(t)
	}},
	{"a late receiver changes nothing", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		late := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.pass(broker.DefaultLease)
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		wants(t, "ack", late.Ack(t.Context()), broker.ErrLeaseLost)
		wants(t, "nack", late.Nack(t.Context(), 0), broker.ErrLeaseLost)
		wants(t, "extend", late.Extend(t.Context(), time.Hour), broker.ErrLeaseLost)
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		must(t, l.Ack(t.Context()))
	}},
	{"a lease that has ended is not lost before another receives", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.pass(time.Hour)
		must(t, l.Ack(t.Context()))
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.noLeases(t)
	}},
	{"extended", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{Lease: time.Minute})
		s.pass(30 * time.Second)
		must(t, l.Extend(t.Context(), time.Hour))
		s.pass(time.Hour - 1)
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		must(t, l.Extend(t.Context(), time.Duration(math.MaxInt64))) // to the last moment there is
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		must(t, l.Ack(t.Context()))
	}},
	{"given back, at once and later", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.pass(time.Second)
		must(t, l.Nack(t.Context(), 0))
		wants(t, "ack", l.Ack(t.Context()), broker.ErrLeaseLost)
		if b := now(t, s.Broker, "jobs", broker.ReceiveOptions{}); b.Body != "b" {
			t.Errorf("received %q before what was due longer", b.Body)
		}
		l = now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		if l.Body != "a" || l.Receives != 2 {
			t.Errorf("received %+v", l)
		}
		must(t, l.Nack(t.Context(), 10*time.Second))
		s.pass(10*time.Second - 1)
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.pass(1)
		if l = now(t, s.Broker, "jobs", broker.ReceiveOptions{}); l.Receives != 3 {
			t.Errorf("received %+v", l)
		}
	}},
	{"written for later", func(t *testing.T, s *store) {
		first, err := s.Queue("jobs").WriteLater(t.Context(), "later", time.Hour)
		must(t, err)
		s.see(first)
		s.write(t, "jobs", "a")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		must(t, l.Ack(t.Context()))
		s.pass(time.Hour)
		if l = now(t, s.Broker, "jobs", broker.ReceiveOptions{}); l.Body != "later" || l.ID != first || l.Receives != 1 {
			t.Errorf("received %+v", l)
		}
		must(t, l.Ack(t.Context()))
		s.noLeases(t)
	}},
	{"exhausted messages do not stop their queue", func(t *testing.T, s *store) {
		poison := make([]string, 250) // more than one transaction takes out of the way
		for i := range poison {
			poison[i] = fmt.Sprint("poison ", i)
		}
		s.write(t, "jobs", poison...)
		o := broker.ReceiveOptions{MaxReceives: 2, Lease: time.Second}
		for range 2 * len(poison) {
			s.pass(time.Second)
			now(t, s.Broker, "jobs", o) // and dies
		}
		s.write(t, "jobs", "good")
		s.pass(time.Hour)
		l := now(t, s.Broker, "jobs", o)
		if l.Body != "good" {
			t.Errorf("received %+v", l)
		}
		must(t, l.Ack(t.Context()))
		nothing(t, s.Broker, "jobs", o)
		s.holds(t, "jobs.dead", poison...)
		s.noLeases(t)
	}},
	{"dead letters into a queue that was named, and back", func(t *testing.T, s *store) {
		id := s.write(t, "jobs", "a")[0]
		o := broker.ReceiveOptions{MaxReceives: 1, DeadLetter: "bad", Lease: 1}
		now(t, s.Broker, "jobs", o)
		s.pass(1)
		w, err := s.Listen("bad")
		must(t, err)
		defer w.Close()
		nothing(t, s.Broker, "jobs", o)
		soon(t, "the ring of a dead letter", w.C())
		s.holds(t, "bad", "a")
		_, err = s.Queue("bad").Move(t.Context(), "jobs")
		must(t, err)
		if l := now(t, s.Broker, "jobs", o); l.ID != id || l.Receives != 1 {
			t.Errorf("received %+v", l)
		}
	}},
	{"taken and moved by hand", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a", "b")
		a, b := now(t, s.Broker, "jobs", broker.ReceiveOptions{}), now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		_, err := s.Queue(leased).Delete(t.Context(), broker.Select{ID: a.ID})
		must(t, err)
		_, err = s.Queue(leased).Move(t.Context(), "jobs")
		must(t, err)
		wants(t, "ack", a.Ack(t.Context()), broker.ErrLeaseLost)
		wants(t, "ack", b.Ack(t.Context()), broker.ErrLeaseLost)
		again := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		wants(t, "ack of a token that is old", b.Ack(t.Context()), broker.ErrLeaseLost)
		must(t, again.Ack(t.Context()))
		s.pass(time.Hour)
		nothing(t, s.Broker, "jobs", broker.ReceiveOptions{})
		s.noLeases(t)
	}},
	{"acknowledged with its effects, or not at all", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		finish := func(end error) error {
			return s.Update(t.Context(), func(tx *broker.Tx) error {
				if _, err := tx.Write("done", l.Body); err != nil {
					return err
				}
				return errors.Join(tx.Ack(l), end)
			})
		}
		failed := errors.New("failed")
		wants(t, "a transaction that fails", finish(failed), failed)
		s.holds(t, leased, "a")
		must(t, finish(nil))
		wants(t, "again", finish(nil), broker.ErrLeaseLost)
		s.holds(t, "done", "a")
		s.noLeases(t)
	}},
	{"wakes who waits", func(t *testing.T, s *store) {
		other := s.handle(t)
		defer other.Close()
		bodies := make(chan string)
		wait := func() {
			l, err := other.Queue("jobs").Receive(context.Background(), broker.ReceiveOptions{})
			if err != nil {
				bodies <- err.Error()
				return
			}
			bodies <- l.Body
			if err := l.Ack(context.Background()); err != nil {
				bodies <- err.Error()
			}
		}
		go wait()
		s.write(t, "jobs", "written")
		if got := soon(t, "what was written", bodies); got != "written" {
			t.Errorf("received %q", got)
		}
		s.write(t, "jobs", "given back")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{Lease: time.Hour})
		go wait()
		must(t, l.Nack(t.Context(), 0))
		if got := soon(t, "what was given back", bodies); got != "given back" {
			t.Errorf("received %q", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.Queue("jobs").Receive(ctx, broker.ReceiveOptions{})
		wants(t, "receive", err, context.Canceled)
	}},
	{"dumped and loaded, whatever the policy", func(t *testing.T, s *store) {
		s.write(t, "jobs", "a")
		now(t, s.Broker, "jobs", broker.ReceiveOptions{Lease: time.Minute})
		var dump bytes.Buffer
		_, err := s.Dump(t.Context(), &dump, broker.DumpOptions{})
		must(t, err)
		loaded := open(t, s.backend)
		leave := func(r broker.Record, _ *broker.Record) (broker.Record, broker.Verdict, error) {
			return r, broker.Leave, nil
		}
		for range 2 { // the second finds all there
			_, err = loaded.Load(t.Context(), bytes.NewReader(dump.Bytes()), broker.LoadOptions{
				Force: true, Policy: func(broker.Header) broker.Policy { return broker.Policy{Record: leave} }})
			must(t, err)
		}
		nothing(t, loaded.Broker, "jobs", broker.ReceiveOptions{})
		loaded.pass(time.Minute)
		if l := now(t, loaded.Broker, "jobs", broker.ReceiveOptions{}); l.Body != "a" || l.Receives != 2 {
			t.Errorf("received %+v", l)
		}
	}},
	{"refused", func(t *testing.T, s *store) {
		for what, call := range map[string]func() error{
			"a negative lease": func() error {
				_, err := s.Queue("jobs").Receive(t.Context(), broker.ReceiveOptions{Lease: -1})
				return err
			},
			"negative receives": func() error {
				_, err := s.Queue("jobs").Receive(t.Context(), broker.ReceiveOptions{MaxReceives: -1})
				return err
			},
			"a negative delay": func() error { _, err := s.Queue("jobs").WriteLater(t.Context(), "a", -1); return err },
		} {
			if call() == nil {
				t.Errorf("%s was accepted", what)
			}
		}
		_, err := s.Queue(strings.Repeat("q", 512)).Receive(t.Context(), broker.ReceiveOptions{NoWait: true})
		wants(t, "a name that leaves no room", err, broker.ErrName)
		_, err = s.Queue("jobs").Receive(t.Context(), broker.ReceiveOptions{MaxReceives: 1, DeadLetter: "jobs"})
		wants(t, "its own dead letters", err, broker.ErrSameQueue)
		s.write(t, "jobs", "a")
		l := now(t, s.Broker, "jobs", broker.ReceiveOptions{})
		if l.Extend(t.Context(), 0) == nil || l.Nack(t.Context(), -1) == nil {
			t.Error("accepted a time that has passed")
		}
	}},
	{"many workers, some of which die", stormLeases},
}

// stormLeases lets several goroutines receive, which finish, forget or lose what they have
// received, while the clock runs on. Each message is acknowledged once or becomes a dead letter; dead are exactly
// those that nobody can handle.
func stormLeases(t *testing.T, s *store) {
	const workers = 8
	jobs := waittest.Size(200, 20_000)
	o := broker.ReceiveOptions{MaxReceives: 4, Lease: time.Minute}
	other := s.handle(t)
	defer other.Close()
	isPoison := map[broker.ID]bool{}
	written := s.fill(t, "jobs", jobs)
	for i, id := range written {
		isPoison[id] = i%50 == 0
	}
	var mu sync.Mutex
	acked, received := map[broker.ID]int{}, map[broker.ID]int{}
	left := jobs
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var work sync.WaitGroup
	for w := range workers {
		b := []*broker.Broker{s.Broker, other}[w%2]
		work.Go(func() {
			for i := 1; ctx.Err() == nil; i++ {
				o := o
				o.NoWait = true
				l, err := b.Queue("jobs").Receive(context.Background(), o)
				if errors.Is(err, broker.ErrEmpty) {
					s.pass(o.Lease) // what others hold comes back, even while they work
					mu.Lock()
					if st, err := b.Queue("jobs.dead").Stats(context.Background()); err != nil || left == st.Pending {
						cancel()
					}
					mu.Unlock()
					continue
				}
				if err != nil {
					t.Errorf("receive: %v", err)
					return
				}
				mu.Lock()
				received[l.ID]++
				// A message that can be handled is, at the latest, when it comes the third time.
				dies := isPoison[l.ID] || l.Receives < 3 && i%7 == 0
				mu.Unlock()
				switch {
				case dies && i%2 == 0:
					err = l.Nack(context.Background(), time.Duration(i%3)*time.Second)
				case dies: // and says nothing
				default:
					err = l.Ack(context.Background())
					if err == nil {
						mu.Lock()
						acked[l.ID]++
						left--
						mu.Unlock()
					}
				}
				if err != nil && !errors.Is(err, broker.ErrLeaseLost) {
					t.Errorf("finish: %v", err)
				}
			}
		})
	}
	work.Wait()
	dead := map[broker.ID]bool{}
	for _, m := range s.messages(t, "jobs.dead") {
		dead[m.ID] = true
	}
	for _, id := range written {
		switch {
		case received[id] == 0:
			t.Errorf("message %v was not delivered", id)
		case acked[id] > 1, acked[id] == 1 && dead[id], acked[id] == 0 && !dead[id]:
			t.Errorf("message %v: acknowledged %d times, dead letter: %v", id, acked[id], dead[id])
		case isPoison[id] && (!dead[id] || received[id] != o.MaxReceives):
			t.Errorf("poison %v: received %d times, dead letter: %v", id, received[id], dead[id])
		}
	}
	s.noLeases(t)
}
