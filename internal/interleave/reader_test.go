package interleave

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// all reads what is there.
func all(r *Reader, s State, streams [2]string) (text string) {
	for {
		seg, more := r.Next(s)
		if !more {
			return text
		}
		text += fmt.Sprintf("%d:%s ", seg.Stream, streams[seg.Stream][seg.Off:seg.Off+seg.Size])
	}
}

// TestOrder: what was written on two streams is read in that order, from any place on, and
// whatever part of it was there when a reader looked.
func TestOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rec Recorder
		var r Reader
		now := time.Unix(1_700_000_000, 0)
		var written [2]string
		wrote, read := "", ""
		collect := func(s State) {
			for {
				seg, more := r.Next(s)
				if !more {
					return
				}
				read += written[seg.Stream][seg.Off : seg.Off+seg.Size]
			}
		}
		for i := range rapid.IntRange(0, 40).Draw(t, "pieces") {
			stream := rapid.IntRange(0, 1).Draw(t, "stream")
			text := fmt.Sprintf("%d%c;", i, "oe"[stream])
			now = now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
			rec.Add(stream, len(text), now)
			written[stream] += text
			wrote += text
			if rapid.Bool().Draw(t, "look") {
				collect(State{Sizes: [2]int64{int64(len(written[0])), int64(len(written[1]))}, Index: bytes.NewReader(rec.Closed()), IndexSize: int64(len(rec.Closed()))})
			}
		}
		index := rec.Finish(now)
		end := State{Sizes: [2]int64{int64(len(written[0])), int64(len(written[1]))}, Index: bytes.NewReader(index), IndexSize: int64(len(index))}
		collect(end)
		if read != wrote {
			t.Fatalf("read %q, want %q", read, wrote)
		}
		again := Reader{}
		off := r.Off
		if n := rapid.IntRange(0, len(written[0])).Draw(t, "skip"); n > 0 {
			again.Off[0] = int64(n)
		}
		all(&again, end, written)
		if again.Off != off {
			t.Fatalf("read to %v, want %v", again.Off, off)
		}
	})
}

func TestIndexIsNeeded(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_700_000_000, 0)
	var one, late, both Recorder
	if one.Finish(began) != nil {
		t.Error("an index of nothing")
	}
	one.Add(Stdout, 3, began)
	one.Add(Stdout, 3, began.Add(sameTime/2))
	if got := one.Finish(began.Add(sameTime / 2)); got != nil {
		t.Errorf("an index of one stream: %x", got)
	}
	late.Add(Stdout, 3, began)
	if late.Finish(began.Add(sameTime)) == nil {
		t.Error("no index, and so no time, of what was written long before the end")
	}
	both.Add(Stdout, 3, began)
	both.Add(Stderr, 3, began)
	if both.Finish(began) == nil {
		t.Error("no index of two streams")
	}
}

// TestDamagedIndex: an index that is no index, or one of other streams, keeps no byte back.
func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.SliceOf(rapid.Byte()).Draw(t, "index")
		sizes := [2]int64{rapid.Int64Range(0, 100).Draw(t, "out"), rapid.Int64Range(0, 100).Draw(t, "err")}
		var r Reader
		var seen [2]int64
		for {
			seg, more := r.Next(State{Sizes: sizes, Index: bytes.NewReader(index), IndexSize: int64(len(index))})
			if !more {
				break
			}
			if seg.Off != seen[seg.Stream] || seg.Size <= 0 {
				t.Fatalf("segment %+v after %v", seg, seen)
			}
			seen[seg.Stream] += seg.Size
		}
		if seen != sizes {
			t.Errorf("read %v of %v", seen, sizes)
		}
	})
}
