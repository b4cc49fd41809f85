package consumer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/taskspec"
)

// chunks waits for chunks of the running task.
func (d *fakeManager) chunks() *ledger.Chunks {
	d.Helper()
	for {
		switch r := d.report(); {
		case r.Chunks != nil:
			return r.Chunks
		case r.Started == nil:
			d.Fatalf("consumer says %+v", r)
		}
	}
}

// A task that streams its output reports it while it runs, and goes on when a
// manager does not acknowledge it; but its end comes after the last chunk.
func TestStreamOutput(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	up, on := newFIFO(t), newFIFO(t)
	a := d.shell("echo one; read line <$2; echo two; echo up >$1; read line <$2; echo three >&2", up.Path, on.Path)
	a.Work.StreamOutput = true
	d.send(Order{Task: a}, permit())
	c := d.chunks()
	if c.TID != a.TID || c.Epoch != 1 || c.Seq != 1 || len(c.Chunks) != 1 || string(c.Chunks[0].Data) != "one\n" {
		t.Errorf("first chunks: %+v", c)
	}
	on.Open(1)
	up.Read() // it has not waited for the acknowledgement
	on.Open(1)
	d.send(Order{ChunksRecorded: 1})
	var texts []string
	seq := 1
	for final := 0; final < 2; {
		c := d.chunks()
		if seq++; c.Seq != seq {
			t.Errorf("chunks %d come after %d", c.Seq, seq-1)
		}
		for _, chunk := range c.Chunks {
			texts = append(texts, fmt.Sprintf("%s %d %q", chunk.Stream, chunk.Number, chunk.Data))
			if chunk.Final {
				final++
			}
		}
		d.send(Order{ChunksRecorded: c.Seq})
	}
	if all := strings.Join(texts, ", "); !strings.Contains(all, `out 1 "two\n"`) || !strings.Contains(all, `err 0 "three\n"`) {
		t.Errorf("chunks are %s", all)
	}
	h := d.finished()
	if h.Seq != seq+1 || string(h.Result) != "one\ntwo\n" || h.Outcome.Status != taskspec.StatusCompleted {
		t.Errorf("hand-off %d, result %q, %+v", h.Seq, h.Result, h.Outcome)
	}
	d.send(Order{Ack: h.Seq})
	d.run(d.task("true"))
}

// A task that could not be started has two streams that end.
func TestStreamNothing(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"true", "no-such-command"} {
		d := newFakeManager(t)
		a := d.task(command)
		a.Work.StreamOutput = true
		d.send(Order{Task: a}, permit())
		c := d.chunks()
		if len(c.Chunks) != 2 || !c.Chunks[0].Final || !c.Chunks[1].Final || len(c.Chunks[0].Data)+len(c.Chunks[1].Data) > 0 {
			t.Errorf("%s: chunks are %+v", command, c)
		}
		d.send(Order{ChunksRecorded: c.Seq})
		if h := d.finished(); h.Seq != 2 {
			t.Errorf("%s: hand-off %d comes after chunks 1", command, h.Seq)
		}
		d.send(Order{Ack: 2})
	}
}

// When the manager dies, the consumer puts the chunks into the store by itself:
// also those of which it cannot know whether the manager has.
func TestStreamAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ committed, acknowledged bool }{
		"not committed": {},
		"committed":     {committed: true},
		"acknowledged":  {committed: true, acknowledged: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeManager(t)
			s := d.store()
			g := newFIFO(t)
			j, a := s.submit("echo one; read line <$1; echo two; echo oops >&2", g.Path)
			a.Work.StreamOutput = true
			d.send(Order{Task: a}, s.dispatch(j, d.self))
			c := d.chunks()
			if test.committed {
				s.update(func(tx *broker.Tx) error { return ledger.WriteChunks(tx, c) })
			}
			if test.acknowledged {
				d.send(Order{ChunksRecorded: c.Seq})
			}
			d.link.Close()
			g.Open(1)
			d.endsWell()
			s.wantStream(a.TID, "one\ntwo\n", "oops\n")
		})
	}
}

// A consumer that was given up cannot put anything into the outbox.
func TestStreamStale(t *testing.T) {
	t.Parallel()
	d := newFakeManager(t)
	s := d.store()
	g := newFIFO(t)
	j, a := s.submit("echo one; read line <$1; echo two", g.Path)
	a.Work.StreamOutput = true
	d.send(Order{Task: a}, s.dispatch(j, d.self))
	d.chunks()
	s.update(func(tx *broker.Tx) error { return ledger.MarkLost(tx, a.TID, 1, time.Now()) })
	d.link.Close()
	g.Open(1)
	if err := d.ended(); err == nil {
		t.Error("consumer ended without an error")
	}
	s.wantEnd(a.TID, taskspec.Lost())
}

// wantStream fails the test unless the outbox holds the two streams in chunks,
// and then the result.
func (s *store) wantStream(tid, stdout, stderr string) {
	s.Helper()
	type chunk struct {
		Type, Stream, Encoding, Data string
		Chunk, Size                  int
		Final                        bool
	}
	record := s.record(tid)
	streams := make(map[string][]chunk)
	ended := false
	for m, err := range s.b.Queue(ledger.QueuesOf(tid).Outbox).Messages(context.Background(), broker.Select{}) {
		if err != nil {
			s.Fatal(err)
		}
		if ended {
			s.Errorf("after the result comes %s", m.Body)
		}
		if ended = m.ID == record.Result; ended {
			if m.Body != stdout {
				s.Errorf("result is %q, want %q", m.Body, stdout)
			}
			continue
		}
		var c chunk
		if err := json.Unmarshal([]byte(m.Body), &c); err != nil || c.Type != "stream" || c.Encoding != "text" || c.Size != len(c.Data) {
			s.Errorf("chunk is %s, %v", m.Body, err)
		}
		streams[c.Stream] = append(streams[c.Stream], c)
	}
	if !ended {
		s.Error("there is no result")
	}
	for stream, want := range map[string]string{"stdout": stdout, "stderr": stderr} {
		var got strings.Builder
		for i, c := range streams[stream] {
			got.WriteString(c.Data)
			if c.Chunk != i || c.Final != (i == len(streams[stream])-1) {
				s.Errorf("%s: chunk %d is %+v", stream, i, c)
			}
		}
		if got.String() != want {
			s.Errorf("%s is %q, want %q", stream, got.String(), want)
		}
	}
}
