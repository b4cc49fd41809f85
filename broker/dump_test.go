package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weft/broker"
	"weft/broker/sqlite"
)

// open opens an empty store, or what is in dir.
func open(t testing.TB, dir string, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := sqlite.Open(dir, sqlite.Options{Options: o, Durability: sqlite.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// A content is all that a store holds, and the ids it will not give again.
type content struct {
	Messages []broker.Message
	Records  []broker.Record // aliases among them
	LastID   broker.ID
}

func read(t rapid.TB, b *broker.Broker) (c content) {
	t.Helper()
	err := b.View(context.Background(), func(r broker.Reader) error {
		c = content{}
		info, err := r.Info()
		if err != nil {
			return err
		}
		c.LastID = info.LastID
		kinds, err := r.Kinds()
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			recs, err := r.Records(kind, broker.RecordSelect{})
			if err != nil {
				return err
			}
			c.Records = append(c.Records, recs...)
		}
		return r.Scan("", broker.Select{}, func(m broker.Message) bool {
			c.Messages = append(c.Messages, m)
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// same fails the test unless two stores hold the same.
func same(t rapid.TB, want, got content) {
	t.Helper()
	if !reflect.DeepEqual(want, got) { // much faster
		t.Errorf("stores differ (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func dump(t rapid.TB, b *broker.Broker) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := b.Dump(context.Background(), &out, broker.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// load loads a dump that must be good.
func load(t rapid.TB, b *broker.Broker, dumped []byte) broker.LoadReport {
	t.Helper()
	report, err := b.Load(context.Background(), bytes.NewReader(dumped), broker.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// odd are texts that JSON, or a terminal, has a word to say about.
var odd = []string{"", "\x00", "\u2028\u2029", "\ufeff", "\"\\\n\r\t", "</script>", "\U0001f980", "\ufffd", "{\"type\":\"end\"}", " "}

func oddText(r *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom(odd), rapid.String()).Draw(r, "text")
}

// TestDumpRoundTrip loads what was dumped: the stores hold the same, and the
// second gives no id again that the first has given.
func TestDumpRoundTrip(t *testing.T) {
	t.Parallel()
	// Opening stores for each check would take most of the time.
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	rapid.Check(t, func(r *rapid.T) {
		empty(r, b)
		empty(r, other)
		fill(r, b)
		want := read(r, b)
		dumped := dump(r, b)
		report := load(r, other, dumped)
		got := read(r, other)
		if got.LastID < want.LastID {
			r.Errorf("the last id is %v, want at least %v", got.LastID, want.LastID)
		}
		got.LastID = want.LastID // another run may have left a greater one
		same(r, want, got)
		if n := report.Aliases + report.Records; n != len(want.Records) || report.Messages != len(want.Messages) {
			r.Errorf("reported %+v of %d records and %d messages", report, len(want.Records), len(want.Messages))
		}
		id, err := other.Queue("next").Write(context.Background(), "")
		if err != nil || id <= want.LastID {
			r.Errorf("the next id is %v, %v after %v", id, err, want.LastID)
		}
	})
}

// fill puts something of everything into a store.
func fill(r *rapid.T, b *broker.Broker) {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			r.Fatal(err)
		}
	}
	queue := rapid.SampledFrom([]string{"a", "b.c", "T1795262400000000000.inbox"})
	for range rapid.IntRange(0, 60).Draw(r, "messages") {
		_, err := b.Queue(queue.Draw(r, "queue")).Write(ctx, oddText(r))
		must(err)
	}
	_, err := b.Queue("a").Delete(ctx, broker.Select{Limit: rapid.IntRange(1, 9).Draw(r, "deleted")})
	must(err)
	must(b.Update(ctx, func(tx *broker.Tx) error {
		for range rapid.IntRange(0, 9).Draw(r, "records") {
			err := tx.PutRecord(broker.Record{
				Kind: rapid.SampledFrom([]string{"task", "\x00", "env"}).Draw(r, "kind"), Key: oddText(r),
				State: oddText(r), Rank: rapid.Int64Range(1, 3).Draw(r, "rank"), Body: oddText(r),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), rapid.ID).Draw(r, "aliases") {
		must(b.Aliases().Add(ctx, name, queue.Draw(r, "target")))
	}
}

// TestDumpLarge dumps the largest message, and one that JSON makes six times as
// long.
func TestDumpLarge(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	for _, body := range []string{strings.Repeat("x", broker.MaxMessageBytes), strings.Repeat("\x00", 1<<20)} {
		if _, err := b.Queue("q").Write(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	load(t, other, dump(t, b))
	same(t, read(t, b), read(t, other))
}

// TestDumpManyRecords has more records of one rank than are held at once.
func TestDumpManyRecords(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	err := b.Update(t.Context(), func(tx *broker.Tx) error {
		for i := range 1000 {
			rank := int64(i)
			if i < 300 || i > 900 {
				rank = int64(1 + i/300)
			}
			if err := tx.PutRecord(broker.Record{Kind: "k", Key: fmt.Sprint(i), Rank: rank}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if report := load(t, other, dump(t, b)); report.Records != 1000 {
		t.Errorf("%d records", report.Records)
	}
	same(t, read(t, b), read(t, other))
}

// A gate lets a writer wait at its first byte.
type gate struct {
	bytes.Buffer
	reached, open chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	if g.reached != nil {
		close(g.reached)
		g.reached = nil
		<-g.open
	}
	return g.Buffer.Write(p)
}

// TestDumpIsOneMoment changes everything while a dump is being written.
func TestDumpIsOneMoment(t *testing.T) {
	t.Parallel()
	b, other := open(t, t.TempDir(), broker.Options{}), open(t, t.TempDir(), broker.Options{})
	ctx := t.Context()
	bodies := make([]string, 5000) // more than what is buffered before the first byte is written
	for i := range bodies {
		bodies[i] = fmt.Sprint(i, strings.Repeat("x", 100))
	}
	if _, err := b.Queue("a").WriteAll(ctx, bodies); err != nil {
		t.Fatal(err)
	}
	want := read(t, b)
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	reached := g.reached
	dumped := make(chan error, 1)
	go func() {
		_, err := b.Dump(ctx, g, broker.DumpOptions{})
		dumped <- err
	}()
	<-reached
	_, moved := b.Queue("a").MoveAll(ctx, "b", broker.Select{})
	_, written := b.Queue("a").Write(ctx, "late")
	_, taken := b.Queue("b").ReadAll(ctx, broker.Select{Limit: 10})
	aliased := b.Aliases().Add(ctx, "late", "a")
	close(g.open)
	if err := errors.Join(moved, written, taken, aliased, <-dumped); err != nil {
		t.Fatal(err)
	}
	load(t, other, g.Bytes())
	same(t, want, read(t, other))
}

func TestDumpHooks(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	fillSmall(t, b)
	refused := errors.New("refused")
	var out bytes.Buffer
	report, err := b.Dump(t.Context(), &out, broker.DumpOptions{
		Redacted: true,
		Record: func(r broker.Record) (broker.Record, bool, error) {
			r.Body = "hidden"
			return r, r.Key != "2", nil
		},
		Message: func(m broker.Message) (broker.Message, bool, error) {
			m.Body = "hidden"
			return m, true, nil
		},
	})
	want := broker.DumpReport{Aliases: 1, Records: 1, Messages: 2, Queues: 2}
	if err != nil || report != want {
		t.Errorf("dumped %+v, %v, want %+v", report, err, want)
	}
	if text := out.String(); strings.Contains(text, "secret") || !strings.Contains(text, `"redacted":true`) {
		t.Errorf("dump is %s", text)
	}
	for name, o := range map[string]broker.DumpOptions{
		"record":  {Record: func(r broker.Record) (broker.Record, bool, error) { return r, true, refused }},
		"message": {Message: func(m broker.Message) (broker.Message, bool, error) { return m, true, refused }},
	} {
		if _, err := b.Dump(t.Context(), io.Discard, o); !errors.Is(err, refused) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// fillSmall puts two messages, two records and an alias into a store.
func fillSmall(t testing.TB, b *broker.Broker) (ids []broker.ID) {
	t.Helper()
	err := b.Update(t.Context(), func(tx *broker.Tx) error {
		ids = nil
		for _, q := range []string{"a", "b"} {
			id, err := tx.Write(q, "secret")
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		for i := range int64(2) {
			if err := tx.PutRecord(broker.Record{Kind: "k", Key: fmt.Sprint(i + 1), State: "s", Rank: i + 1, Body: "secret"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = b.Aliases().Add(t.Context(), "alias", "a")
	}
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestDumpFails ends dumps that cannot be completed.
func TestDumpFails(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	if _, err := b.Queue("q").WriteAll(t.Context(), make([]string, 10_000)); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space")
	if _, err := b.Dump(t.Context(), failing{full}, broker.DumpOptions{}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	_, err := b.Dump(ctx, io.Discard, broker.DumpOptions{Message: func(m broker.Message) (broker.Message, bool, error) {
		if seen++; seen == 5 {
			cancel()
		}
		return m, true, nil
	}})
	if !errors.Is(err, context.Canceled) || seen != 5 {
		t.Errorf("cancelled: error %v after %d messages", err, seen)
	}
	err = b.Update(t.Context(), func(tx *broker.Tx) error {
		return tx.PutRecord(broker.Record{Kind: "k", Key: "1", Rank: 1, Body: "\xff"})
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.Dump(t.Context(), io.Discard, broker.DumpOptions{Message: func(m broker.Message) (broker.Message, bool, error) {
		return m, true, fmt.Errorf("one of them: %w", broker.ErrDamaged)
	}})
	if err != nil || report.Records != 0 || report.Messages != 0 || report.Damaged <= 1 {
		t.Errorf("a record that is not UTF-8, and damaged messages: %+v, error %v", report, err)
	}
}

// TestDumpOfChanged: what a load would refuse, because somebody has changed the store, is
// not in a dump, so that the rest can be loaded.
func TestDumpOfChanged(t *testing.T) {
	t.Parallel()
	b := open(t, t.TempDir(), broker.Options{})
	fillSmall(t, b)
	err := b.Update(t.Context(), func(tx *broker.Tx) error {
		var err error
		for _, r := range []broker.Record{
			{Kind: "", Key: "x", Rank: 1},
			{Kind: "alias", Key: "", State: "a", Rank: 1},
			{Kind: "alias", Key: "x", State: "../x", Rank: 1},
			{Kind: "alias", Key: "second", State: "alias", Rank: 1},
			{Kind: "alias", Key: "self", State: "self", Rank: 1},
		} {
			err = errors.Join(err, tx.PutRecord(r))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := b.Dump(t.Context(), &out, broker.DumpOptions{})
	if want := (broker.DumpReport{Aliases: 1, Records: 2, Messages: 2, Queues: 2, Damaged: 5}); err != nil || report != want {
		t.Errorf("dumped %+v, %v, want %+v", report, err, want)
	}
	if _, err := open(t, t.TempDir(), broker.Options{}).Load(t.Context(), bytes.NewReader(out.Bytes()), broker.LoadOptions{}); err != nil {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
