package brokertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weft/broker"
)

// A leaseMachine does the same to one queue, through two handles, and to a model of it: a list of
// messages with the time at which each is due.
type leaseMachine struct {
	*machine
	messages map[broker.ID]*leasing // in the queue or held
	dead     []broker.ID
	leases   [2][]*broker.Lease // all that were ever granted through each handle
	bodies   int
}

// A leasing is what the model knows of a message.
type leasing struct {
	due      int64
	held     bool // not in the queue itself
	receives int
	lease    *broker.Lease // whose it is; nil: nobody's
}

const (
	mostReceives = 3
	leaseTime    = time.Minute
)

// checkLeases compares receivers with the model over random actions.
func checkLeases(t *testing.T, b Backend) {
	root := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		m := &leaseMachine{machine: &machine{t: t, backend: b, clock: &clock{now: epoch}}, messages: map[broker.ID]*leasing{}}
		var err error
		m.dir, err = os.MkdirTemp(root, "")
		m.must(r, err)
		for i := range m.handles {
			m.connect(i)
		}
		defer m.close(r)
		r.Repeat(map[string]func(*rapid.T){
			"":        m.agree,
			"write":   m.write,
			"later":   m.later,
			"receive": m.receive,
			"again":   m.receive, // twice as often as others
			"ack":     m.ack,
			"nack":    m.nack,
			"extend":  m.extend,
			"read":    m.read,
			"steal":   m.steal,
			"die":     m.die,
			"clock":   m.step,
		})
		m.end(r)
	})
}

func (m *leaseMachine) connect(i int) {
	m.raw[i] = m.backend.Open(m.t, m.dir, m.clock.Now)
	m.handles[i] = broker.New(m.raw[i], broker.Options{Now: m.clock.Now})
}

func (m *leaseMachine) now() int64 { return m.clock.Now().UnixNano() }

func (m *leaseMachine) write(r *rapid.T) {
	m.bodies++
	id, err := m.any(r).Queue("q").Write(context.Background(), fmt.Sprint(m.bodies))
	m.must(r, err)
	m.messages[id] = &leasing{due: int64(id)}
}

func (m *leaseMachine) later(r *rapid.T) {
	delay := time.Duration(rapid.IntRange(0, 3).Draw(r, "delay")) * leaseTime / 2
	id, err := m.any(r).Queue("q").WriteLater(context.Background(), "later", delay)
	m.must(r, err)
	m.messages[id] = &leasing{due: m.now() + int64(delay), held: true}
}

// next is the message that a receiver gets; the model makes dead letters of those that it finds.
func (m *leaseMachine) next() (broker.ID, *leasing) {
	for {
		var due []broker.ID
		for id, l := range m.messages {
			if l.due <= m.now() || !l.held {
				due = append(due, id)
			}
		}
		if len(due) == 0 {
			return 0, nil
		}
		id := slices.MinFunc(due, func(a, b broker.ID) int {
			return cmp.Compare(m.messages[a].due, m.messages[b].due) // no two are equal: see agree
		})
		l := m.messages[id]
		if l.receives < mostReceives {
			return id, l
		}
		delete(m.messages, id)
		m.dead = append(m.dead, id)
	}
}

func (m *leaseMachine) receive(r *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(r, "handle")
	got, err := m.handles[i].Queue("q").Receive(context.Background(),
		broker.ReceiveOptions{Lease: leaseTime, MaxReceives: mostReceives, DeadLetter: "dead", NoWait: true})
	id, l := m.next()
	if l == nil {
		if !errors.Is(err, broker.ErrEmpty) {
			r.Fatalf("received %+v, %v; want none", got, err)
		}
		return
	}
	m.must(r, err)
	l.receives++
	if got.ID != id || got.Receives != l.receives {
		r.Fatalf("received %+v; want %v, %d times", got, id, l.receives)
	}
	l.due, l.held, l.lease = m.now()+int64(leaseTime), true, got
	m.leases[i] = append(m.leases[i], got)
}

// use does something with one of the leases, which fails unless it holds the message.
func (m *leaseMachine) use(r *rapid.T, do func(*broker.Lease) error, then func(broker.ID, *leasing)) {
	all := slices.Concat(m.leases[:]...)
	if len(all) == 0 {
		return
	}
	l := rapid.SampledFrom(all).Draw(r, "lease")
	err := do(l)
	if here := m.messages[l.ID]; here == nil || here.lease != l {
		if !errors.Is(err, broker.ErrLeaseLost) {
			r.Fatalf("a lease that is lost of %v: %v", l.ID, err)
		}
		return
	}
	m.must(r, err)
	then(l.ID, m.messages[l.ID])
}

func (m *leaseMachine) ack(r *rapid.T) {
	m.use(r, func(l *broker.Lease) error { return l.Ack(context.Background()) },
		func(id broker.ID, _ *leasing) { delete(m.messages, id) })
}

func (m *leaseMachine) nack(r *rapid.T) {
	delay := time.Duration(rapid.IntRange(0, 3).Draw(r, "delay")) * leaseTime / 2
	m.use(r, func(l *broker.Lease) error { return l.Nack(context.Background(), delay) },
		func(_ broker.ID, here *leasing) { here.due, here.lease = m.now()+int64(delay), nil })
}

func (m *leaseMachine) extend(r *rapid.T) {
	d := time.Duration(rapid.IntRange(1, 4).Draw(r, "duration")) * leaseTime / 2
	m.use(r, func(l *broker.Lease) error { return l.Extend(context.Background(), d) },
		func(_ broker.ID, here *leasing) { here.due = m.now() + int64(d) })
}

// read takes what is in the queue, as one who knows nothing of leases.
func (m *leaseMachine) read(r *rapid.T) {
	got, err := m.any(r).Queue("q").Read(context.Background())
	if errors.Is(err, broker.ErrEmpty) {
		return
	}
	m.must(r, err)
	if l := m.messages[got.ID]; l == nil || l.held {
		r.Fatalf("read %+v, which is held", got)
	}
	delete(m.messages, got.ID)
}

// steal takes a message that is leased.
func (m *leaseMachine) steal(r *rapid.T) {
	if rapid.IntRange(0, 4).Draw(r, "seldom") > 0 {
		return
	}
	got, err := m.any(r).Queue(broker.LeasedPrefix + "q").Read(context.Background())
	if errors.Is(err, broker.ErrEmpty) {
		return
	}
	m.must(r, err)
	delete(m.messages, got.ID)
}

// die closes a handle with all that it holds and opens it again.
func (m *leaseMachine) die(r *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(r, "handle")
	m.must(r, m.handles[i].Close())
	m.connect(i)
	m.leases[i] = nil
}

// step lets time pass.
func (m *leaseMachine) step(r *rapid.T) {
	m.clock.Set(m.clock.Now().Add(rapid.SampledFrom([]time.Duration{0, leaseTime / 2, leaseTime, 3 * leaseTime}).Draw(r, "time")))
}

// agree compares where the messages are, and lets a moment pass, so that no two messages are due
// at the same one.
func (m *leaseMachine) agree(r *rapid.T) {
	m.clock.Set(m.clock.Now().Add(2 * broker.Grain))
	var plain, held []broker.ID
	for id, l := range m.messages {
		if l.held {
			held = append(held, id)
		} else {
			plain = append(plain, id)
		}
	}
	for queue, want := range map[string][]broker.ID{"q": plain, broker.LeasedPrefix + "q": held, "dead": m.dead} {
		var got []broker.ID
		for msg, err := range m.any(r).Queue(queue).Messages(context.Background(), broker.Select{}) {
			m.must(r, err)
			got = append(got, msg.ID)
		}
		slices.Sort(want)
		same(r, queue, want, got)
	}
}

// end receives all that is left, and finds nothing else.
func (m *leaseMachine) end(r *rapid.T) {
	for range len(m.messages)*(mostReceives+1) + 1 { // and once for those that were taken
		m.clock.Set(m.clock.Now().Add(10 * leaseTime))
		m.receive(r)
		m.agree(r)
	}
	if len(m.messages) > 0 {
		r.Fatalf("%d messages are left", len(m.messages))
	}
	rs, err := m.any(r).Records(context.Background(), "lease", broker.RecordSelect{})
	m.must(r, err)
	same(r, "records", 0, len(rs))
}
