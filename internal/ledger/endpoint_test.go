package ledger

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

func (p *project) claim(e Endpoint) error {
	return p.try(func(tx *broker.Tx) error { return Claim(tx, e) })
}

func (p *project) endpoints() []Endpoint {
	p.Helper()
	all, err := Endpoints(ctx, p.b)
	if err != nil {
		p.Fatal(err)
	}
	return all
}

func TestClaim(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	first, second, waiting := p.submit(), p.submit(), p.submit()
	p.run(first)
	p.run(second)

	if err := p.claim(Endpoint{"mail", "letters", first}); err != nil {
		t.Fatal(err)
	}
	if err := p.claim(Endpoint{"news", "papers", second}); err != nil {
		t.Fatal(err)
	}
	before := p.state()
	for _, tt := range []struct {
		e    Endpoint
		want error
	}{
		{Endpoint{"mail", "other", second}, ErrClaimed},
		{Endpoint{"more", "letters", waiting}, ErrNotRunning},
		{Endpoint{"more", "letters", "1763740800000000000"}, broker.ErrNotFound},
		{Endpoint{"a b", "letters", first}, broker.ErrName},
		{Endpoint{"more", "", first}, broker.ErrName},
	} {
		if err := p.claim(tt.e); !errors.Is(err, tt.want) {
			t.Errorf("claim %+v: %v, want %v", tt.e, err, tt.want)
		}
	}
	p.unchanged(before)

	// Claimed again, a name leads elsewhere; two names may lead to one queue.
	for _, e := range []Endpoint{{"mail", "parcels", first}, {"post", "parcels", first}} {
		if err := p.claim(e); err != nil {
			t.Fatal(err)
		}
	}
	want := []Endpoint{{"news", "papers", second}, {"mail", "parcels", first}, {"post", "parcels", first}}
	if diff := cmp.Diff(want, p.endpoints()); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	if e, err := FindEndpoint(ctx, p.b, "post"); err != nil || e != want[2] {
		t.Errorf("found %+v, %v", e, err)
	}
	if err := p.finish(handOff(first, taskspec.Exited(0, ""))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:1], p.endpoints()); diff != "" {
		t.Errorf("endpoints after the end of a task (-want +got):\n%s", diff)
	}
	if err := p.claim(Endpoint{"mail", "letters", second}); err != nil {
		t.Errorf("claim a name that has become free: %v", err)
	}
}

// TestEndpointsEnd takes a task that has claimed a name to every end.
func TestEndpointsEnd(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	for name, e := range endings() {
		tid := p.submit()
		p.run(tid)
		if err := p.claim(Endpoint{"mail", "letters", tid}); err != nil {
			t.Fatal(err)
		}
		var err error
		if name == "lost" {
			err = p.try(func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) })
		} else {
			err = p.finish(handOff(tid, e.outcome))
		}
		if err != nil {
			t.Fatal(err)
		}
		if left := p.endpoints(); len(left) > 0 {
			t.Errorf("%s: %+v is left", name, left)
		}
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal, Options: broker.Options{Views: View}})
	var tids []string
	for range 3 {
		tids = append(tids, p.submit())
	}
	p.run(tids[0])
	if err := p.claim(Endpoint{"mail", "letters", tids[0]}); err != nil {
		t.Fatal(err)
	}
	p.update(func(tx *broker.Tx) error {
		_, err := RegisterManager(tx, Manager{Process: process, Build: "b"}, at)
		return err
	})
	for queue, want := range map[string]int{
		"weft.state.tid_mappings": 3,
		"weft.state.endpoints":    1,
		"weft.state.workers":      1, // and not its double
		"weft.state.pipelines":    0,
	} {
		if got := len(p.bodies(queue)); got != want {
			t.Errorf("%s shows %d messages, want %d", queue, got, want)
		}
		if _, err := p.b.Queue(queue).Write(ctx, "x"); !errors.Is(err, broker.ErrView) {
			t.Errorf("write to %s: %v", queue, err)
		}
	}
	q := p.b.Queue("weft.state.tid_mappings")
	ids := func(sel broker.Select) (got []string) {
		for m, err := range q.Messages(ctx, sel) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.ID.String())
		}
		return got
	}
	number := func(i int) broker.ID { return p.task(tids[i]).Number() }
	for name, tt := range map[string]struct {
		sel  broker.Select
		want []string
	}{
		"all":    {broker.Select{}, tids},
		"one":    {broker.Select{ID: number(1)}, tids[1:2]},
		"after":  {broker.Select{After: number(0)}, tids[1:]},
		"before": {broker.Select{Before: number(2)}, tids[:2]},
		"limit":  {broker.Select{Limit: 2}, tids[:2]},
	} {
		if diff := cmp.Diff(tt.want, ids(tt.sel)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if View("weft.log.tasks") != nil || View("weft.state") != nil {
		t.Error("a queue that is stored has a view")
	}
}
