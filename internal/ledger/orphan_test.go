package ledger

import (
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
)

func TestOrphans(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{})
	running := p.submit()
	p.run(running)
	waits := p.submit(delayed(time.Hour))
	p.update(func(tx *broker.Tx) error { return Claim(tx, Endpoint{Name: "mail", Queue: "q", TID: running}) })
	find := func() (o []broker.Record) {
		t.Helper()
		if err := p.b.View(ctx, func(r broker.Reader) (err error) { o, err = FindOrphans(r); return err }); err != nil {
			t.Fatal(err)
		}
		return o
	}
	if diff := cmp.Diff([]broker.Record(nil), find()); diff != "" {
		t.Fatalf("nothing is wrong (-want +got):\n%s", diff)
	}

	p.update(func(tx *broker.Tx) error {
		return tx.PutRecord(broker.Record{Kind: endpointKind, Key: "old", State: "q", Rank: 9,
			Body: `{"name":"old","queue":"q","tid":"1790000000000000000"}`})
	})
	id, err := broker.ParseID(waits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.b.Queue(WaitingRequests).Delete(ctx, broker.Select{ID: id}); err != nil {
		t.Fatal(err)
	}
	want := []broker.Record{{Kind: endpointKind, Key: "old"}, {Kind: indexKind, Key: waits}}
	if diff := cmp.Diff(want, find()); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	p.update(func(tx *broker.Tx) error {
		n, err := DropOrphans(tx)
		if n != 2 {
			t.Errorf("%d records were removed, want 2", n)
		}
		return err
	})
	if diff := cmp.Diff([]broker.Record(nil), find()); diff != "" {
		t.Errorf("orphans are left (-want +got):\n%s", diff)
	}
	if _, err := FindEndpoint(ctx, p.b, "mail"); err != nil {
		t.Errorf("the endpoint of a running task: %v", err)
	}
}

func TestTakeCensus(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere nobody knows who is dead")
	}
	p := newUnchecked(t, sqlite.Options{})
	p.submit()
	stuck := p.submit()
	id, err := broker.ParseID(stuck)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.b.Queue(Requests).Delete(ctx, broker.Select{ID: id}); err != nil {
		t.Fatal(err)
	}
	running := p.submit()
	p.run(running) // by a consumer of another boot
	var got Counts
	if err := p.b.View(ctx, func(r broker.Reader) (err error) { got, err = CountUnfinished(r); return err }); err != nil {
		t.Fatal(err)
	}
	want := Counts{Queued: 2, Running: 1, ConsumerGone: []string{running}, RequestGone: []string{stuck}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("census (-want +got):\n%s", diff)
	}
}
