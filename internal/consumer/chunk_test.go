package consumer

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"weft/broker"
	"weft/internal/ledger"
)

// A recorder keeps what a sender hands on.
type recorder struct {
	testing.TB
	all  []ledger.Chunks
	told chan struct{} // after each
}

func (r *recorder) record(c *ledger.Chunks) error {
	kept := *c
	kept.Chunks = nil
	for _, chunk := range c.Chunks {
		chunk.Data = bytes.Clone(chunk.Data) // the sender uses its room again
		kept.Chunks = append(kept.Chunks, chunk)
	}
	r.all = append(r.all, kept)
	r.told <- struct{}{}
	return nil
}

// want checks what has been handed on: each stream in order, numbered, with one
// end, and each hand-off within bounds.
func (r *recorder) want(seq int, stdout, stderr []byte) {
	r.Helper()
	if seq != len(r.all) {
		r.Errorf("%d hand-offs, the last one is %d", len(r.all), seq)
	}
	got := make(map[ledger.Stream][]ledger.Chunk)
	for i, c := range r.all {
		size := 0
		for _, chunk := range c.Chunks {
			got[chunk.Stream] = append(got[chunk.Stream], chunk)
			size += len(chunk.Data)
		}
		if c.TID != "1" || c.Epoch != 2 || c.Seq != i+1 || size > chunkBytes || len(c.Chunks) == 0 {
			r.Errorf("hand-off %d is of task %s, epoch %d, seq %d, with %d chunks of %d bytes", i, c.TID, c.Epoch, c.Seq, len(c.Chunks), size)
		}
	}
	for stream, want := range map[ledger.Stream][]byte{ledger.Stdout: stdout, ledger.Stderr: stderr} {
		var all []byte
		for i, c := range got[stream] {
			all = append(all, c.Data...)
			if c.Number != i || c.Final != (i == len(got[stream])-1) {
				r.Errorf("%s: chunk %d has the number %d and is final: %v", stream, i, c.Number, c.Final)
			}
			if utf8.Valid(want) && !utf8.Valid(c.Data) {
				r.Errorf("%s: a character is cut in chunk %d", stream, i)
			}
		}
		if len(got[stream]) == 0 || !bytes.Equal(want, all) {
			r.Errorf("%s: %d chunks with %d bytes, want %d", stream, len(got[stream]), len(all), len(want))
		}
	}
}

// A pair is the two streams of a task.
type pair struct{ stdout, stderr *output }

func (p *pair) close() {
	p.stdout.close()
	p.stderr.close()
}

// newStreamed returns a sender, its two streams, and what it hands on.
func newStreamed(t testing.TB, room int) (*sender, *pair, *recorder) {
	t.Helper()
	r := &recorder{TB: t, told: make(chan struct{}, 1<<20)}
	out := new(pair)
	out.stdout, _ = stream(t)
	out.stderr, _ = stream(t)
	s := newSender(&ledger.Assignment{TID: "1", Epoch: 2, MaxMessage: room * chunkShare}, out.stdout, out.stderr, r.record)
	for _, o := range []*output{out.stdout, out.stderr} {
		o.notify = s.wake
	}
	s.start()
	return s, out, r
}

func TestSender(t *testing.T) {
	t.Parallel()
	umlauts := []byte("x" + strings.Repeat("äöü", 50_000))
	for name, test := range map[string]struct{ stdout, stderr []byte }{
		"nothing":        {nil, nil},
		"little":         {[]byte("out\n"), []byte("err\n")},
		"one, empty":     {nil, []byte("err\n")},
		"much":           {text(1_000_000), nil},
		"much, twice":    {text(300_000), text(300_000)},
		"characters":     {umlauts, umlauts},
		"bytes":          {bytes.Repeat([]byte{0xff, 0, 'a'}, 100_000), nil},
		"half a letter":  {[]byte("abc\xc3"), []byte("\xf0\x9f\x98")},
		"a full room":    {text(chunkBytes), nil},
		"and one byte":   {text(chunkBytes + 1), nil},
		"full of halves": {[]byte(strings.Repeat("x", chunkBytes-1) + "é"), []byte("é")},
	} {
		for _, lively := range []bool{true, false} {
			s, out, r := newStreamed(t, broker.MaxMessageBytes)
			if lively {
				out.stdout.live()
				out.stderr.live()
			}
			_, _ = io.Copy(out.stdout, bytes.NewReader(test.stdout))
			_, _ = io.Copy(out.stderr, bytes.NewReader(test.stderr))
			out.close()
			seq := s.finish()
			t.Run(name, func(t *testing.T) {
				r.TB = t
				r.want(seq, test.stdout, test.stderr)
			})
		}
	}
}

// What a task prints is handed on while it runs, but half a letter waits for
// the other half.
func TestSenderIsLive(t *testing.T) {
	t.Parallel()
	s, out, r := newStreamed(t, broker.MaxMessageBytes)
	out.stdout.live()
	out.stdout.add([]byte("one\xc3"))
	<-r.told
	out.stdout.add([]byte("\xa4two"))
	<-r.told
	if got := []string{string(r.all[0].Chunks[0].Data), string(r.all[1].Chunks[0].Data)}; got[0] != "one" || got[1] != "ätwo" {
		t.Errorf("chunks are %q", got)
	}
	out.close()
	r.want(s.finish(), []byte("oneätwo"), nil)
}

// A sender that is held up holds nothing up: its streams take all that comes,
// and it comes after them in larger pieces.
func TestSenderIsHeldUp(t *testing.T) {
	t.Parallel()
	s, out, r := newStreamed(t, broker.MaxMessageBytes)
	held := make(chan struct{})
	recorded := s.record
	first := true
	s.record = func(c *ledger.Chunks) error {
		if first {
			first = false
			close(held)
			<-r.told // by the test
		}
		return recorded(c)
	}
	out.stdout.live()
	all := text(500_000)
	out.stdout.add(all[:1])
	<-held
	for i := 1; i < len(all); i += 100 {
		out.stdout.add(all[i:min(len(all), i+100)])
	}
	out.close()
	r.told <- struct{}{}
	seq := s.finish()
	r.want(seq, all, nil)
	if most := len(all)/(chunkBytes-utf8.UTFMax) + 2; seq > most {
		t.Errorf("%d hand-offs for %d bytes that were there, want at most %d", seq, len(all), most)
	}
}

// Whatever comes in whatever pieces, in a room of any size.
func TestSenderRandom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, out, r := newStreamed(t, rapid.IntRange(utf8.UTFMax, 20).Draw(rt, "room"))
		var all [2][]byte
		for range rapid.IntRange(0, 20).Draw(rt, "pieces") {
			i := rapid.IntRange(0, 1).Draw(rt, "stream")
			piece := []byte(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\xff", "\xc3", "\xa4", "ä", "😀"})).Draw(rt, "piece"))
			all[i] = append(all[i], piece...)
			o := []*output{out.stdout, out.stderr}[i]
			if rapid.Bool().Draw(rt, "live") {
				o.live()
			}
			o.add(piece)
		}
		out.close()
		r.want(s.finish(), all[0], all[1])
		out.stdout.discard()
		out.stderr.discard()
	})
}

// A sender whose chunks nobody wants any more stops, and so does one whose file
// was cut: both come to their end.
func TestSenderGivesUp(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		s, out, _ := newStreamed(t, broker.MaxMessageBytes)
		tried := 0
		s.record = func(*ledger.Chunks) error { tried++; return ledger.ErrStale }
		out.stdout.add(text(500_000))
		out.close()
		if seq := s.finish(); seq != 1 || tried != 1 {
			t.Errorf("tried %d times, the last hand-off is %d", tried, seq)
		}
	})
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		s, out, r := newStreamed(t, broker.MaxMessageBytes)
		held := make(chan struct{})
		recorded := s.record
		s.record = func(c *ledger.Chunks) error { <-held; return recorded(c) }
		all := text(500_000)
		out.stdout.add(all)
		if err := os.Truncate(out.stdout.path, 200_000); err != nil {
			t.Fatal(err)
		}
		close(held)
		out.close()
		r.want(s.finish(), all[:200_000], nil)
	})
	t.Run("not written", func(t *testing.T) {
		t.Parallel()
		s, out, r := newStreamed(t, broker.MaxMessageBytes)
		out.stdout.add([]byte("seen"))
		s.wake()
		<-r.told
		if err := os.WriteFile(out.stdout.path, nil, 0o600); err != nil { // it must be new
			t.Fatal(err)
		}
		out.stdout.live()
		out.stdout.add([]byte("lost"))
		out.close()
		if r.want(s.finish(), []byte("seen"), nil); !errors.Is(out.stdout.err, os.ErrExist) {
			t.Errorf("the file: %v", out.stdout.err)
		}
	})
}

func TestWhole(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a": "a", "ä": "ä", "aä": "aä", "😀": "😀", "\xff": "\xff", "a\x80\x80\x80\x80": "a\x80\x80\x80\x80",
		"a\xc3": "a", "\xc3": "", "a\xf0": "a", "a\xf0\x9f": "a", "a\xf0\x9f\x98": "a", "\xf0\x9f\x98": "",
		"ä\xe2\x82": "ä", "\xff\xc3": "\xff", "a\xf0a": "a\xf0a",
	} {
		if got := string(whole([]byte(text))); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
