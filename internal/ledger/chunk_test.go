package ledger

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/taskspec"
)

// printed is what a consumer reports of the first attempt's output.
func printed(tid string, seq int, chunks ...Chunk) *Chunks {
	return &Chunks{TID: tid, Epoch: 1, Seq: seq, Chunks: chunks}
}

func (p *project) print(c *Chunks) error {
	return p.try(func(tx *broker.Tx) error { return WriteChunks(tx, c) })
}

func TestChunkMessages(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	p.run(tid)
	err := p.print(printed(tid, 1,
		Chunk{Stream: Stdout, Data: []byte("a\x00\"é<\n")},
		Chunk{Stream: Stderr, Number: 3, Data: []byte("\xff\xfe")},
		Chunk{Stream: Stdout, Number: 1, Final: true}))
	if err != nil {
		t.Fatal(err)
	}
	want := []object{
		{"type": "stream", "stream": "stdout", "chunk": 0.0, "final": false, "encoding": "text", "size": 7.0, "data": "a\x00\"é<\n"},
		{"type": "stream", "stream": "stderr", "chunk": 3.0, "final": false, "encoding": "base64", "size": 2.0, "data": "//4="},
		{"type": "stream", "stream": "stdout", "chunk": 1.0, "final": true, "encoding": "text", "size": 0.0, "data": ""},
	}
	var got []object
	for _, body := range p.bodies(QueuesOf(tid).Outbox) {
		var o object
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			t.Fatal(err)
		}
		got = append(got, o)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chunks (-want +got):\n%s", diff)
	}
}

// Chunks are written once, and never for a task that has ended or belongs to
// another attempt.
func TestChunksOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(p *project, tid string) error
		edit   func(*Chunks)
		want   error
	}{
		"the same again":    {func(p *project, tid string) error { return p.print(printed(tid, 1, Chunk{})) }, func(*Chunks) {}, nil},
		"an earlier seq":    {func(p *project, tid string) error { return p.print(printed(tid, 2, Chunk{})) }, func(*Chunks) {}, nil},
		"after the end":     {func(p *project, tid string) error { return p.finish(handOff(tid, taskspec.Exited(0, ""))) }, func(c *Chunks) { c.Seq = 2 }, ErrStale},
		"after the loss":    {func(p *project, tid string) error { return p.lose(tid) }, func(*Chunks) {}, ErrStale},
		"of an older epoch": {func(*project, string) error { return nil }, func(c *Chunks) { c.Epoch = 0 }, ErrStale},
		"of a newer epoch":  {func(*project, string) error { return nil }, func(c *Chunks) { c.Epoch = 2 }, ErrStale},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit()
			p.run(tid)
			if err := test.before(p, tid); err != nil {
				t.Fatal(err)
			}
			before := p.state()
			c := printed(tid, 1, Chunk{Stream: Stdout, Data: []byte("x")})
			test.edit(c)
			if err := p.print(c); !errors.Is(err, test.want) {
				t.Errorf("got error %v, want %v", err, test.want)
			}
			p.unchanged(before)
		})
	}
}

func (p *project) lose(tid string) error {
	return p.try(func(tx *broker.Tx) error { return MarkLost(tx, tid, 1, at) })
}

// A retry removes the chunks of the attempt before; those that come too late
// stay out.
func TestChunksOfRetry(t *testing.T) {
	t.Parallel()
	p := newProject(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit(policies(taskspec.PolicyKeep, taskspec.PolicyKeep))
	p.run(tid)
	if err := errors.Join(p.print(printed(tid, 1, Chunk{Stream: Stdout})), p.lose(tid)); err != nil {
		t.Fatal(err)
	}
	if n := len(p.bodies(QueuesOf(tid).Outbox)); n != 1 {
		t.Errorf("%d messages of the task that was lost, want its chunk", n)
	}
	p.update(func(tx *broker.Tx) error { _, _, err := Retry(tx, tid, at); return err })
	p.run(tid)
	if err := p.print(printed(tid, 2, Chunk{Stream: Stdout})); !errors.Is(err, ErrStale) {
		t.Errorf("chunks of the first attempt: %v", err)
	}
	if n := len(p.bodies(QueuesOf(tid).Outbox)); n != 0 {
		t.Errorf("%d messages are left of the first attempt", n)
	}
	c := printed(tid, 1, Chunk{Stream: Stdout})
	if c.Epoch = 2; p.print(c) != nil || len(p.bodies(QueuesOf(tid).Outbox)) != 1 {
		t.Error("the second attempt cannot print")
	}
}

// Taking removes a result and the chunks before it. A task without a result
// keeps its chunks.
func TestTake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(p *project, tid string) error
		left int
	}{
		"completed": {func(p *project, tid string) error {
			h := handOff(tid, taskspec.Exited(0, ""))
			h.Seq = 2
			return p.finish(h)
		}, 0},
		"lost":    {func(p *project, tid string) error { return p.lose(tid) }, 1},
		"running": {func(*project, string) error { return nil }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
			tid := p.submit(policies(taskspec.PolicyKeep, taskspec.PolicyKeep), func(s *taskspec.Spec) { s.StreamOutput = true })
			p.run(tid)
			if err := errors.Join(p.print(printed(tid, 1, Chunk{Stream: Stdout})), test.end(p, tid)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				p.update(func(tx *broker.Tx) error { return Take(tx, tid) })
			}
			if n := len(p.bodies(QueuesOf(tid).Outbox)); n != test.left {
				t.Errorf("%d messages are left, want %d", n, test.left)
			}
		})
	}
}

// A file is needed for as long as its task is known, also after its result has been taken.
func TestFileNeeded(t *testing.T) {
	t.Parallel()
	p := newUnchecked(t, sqlite.Options{Durability: sqlite.Normal})
	tid := p.submit()
	p.run(tid)
	h := handOff(tid, taskspec.Exited(0, ""))
	h.Seq, h.Output.Form, h.Result = 2, FormFile, nil
	if err := errors.Join(p.print(printed(tid, 1, Chunk{Stream: Stdout})), p.finish(h)); err != nil {
		t.Fatal(err)
	}
	needed := func() (needed bool) {
		err := p.b.View(ctx, func(r broker.Reader) (err error) {
			needed, err = Attempt{TID: tid, Epoch: 1, Stream: Stdout}.Needed(r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return needed
	}
	if !needed() {
		t.Error("the file is not needed although its result is there")
	}
	n, err := p.b.Queue(QueuesOf(tid).Outbox).Delete(ctx, broker.Select{ID: p.task(tid).Result})
	if n != 1 || err != nil || !needed() {
		t.Errorf("deleted %d results, %v; the file is needed: %v", n, err, needed())
	}
}
