package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"weft/broker"
	"weft/internal/waittest"
)

// viewed begins a view and returns when it has read; it lasts until end is
// called.
func viewed(t *testing.T, b *broker.Broker) (end func()) {
	t.Helper()
	reading, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		left <- b.View(t.Context(), func(r broker.Reader) error {
			if _, err := r.Messages("q", broker.Select{}); err != nil {
				return err
			}
			close(reading)
			<-leave
			return nil
		})
	}()
	waittest.Await(t, "the view", reading)
	return func() {
		t.Helper()
		close(leave)
		must(t, waittest.Await(t, "the end of the view", left))
	}
}

// logged is the size of the log.
func logged(t *testing.T, dir string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, Name+"-wal"))
	must(t, err)
	return info.Size()
}

// TestCompactBusy compacts a store that another process holds: it must say so.
func TestCompactBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, err := Open(dir, Options{})
	must(t, err)
	defer holder.Close()
	b, err := Open(dir, Options{BusyTimeout: 100 * time.Millisecond})
	must(t, err)
	defer b.Close()
	must(t, holder.Update(t.Context(), func(*broker.Tx) error {
		if err := b.Compact(t.Context()); !errors.Is(err, broker.ErrBusy) {
			t.Errorf("compact: error %v, want %v", err, broker.ErrBusy)
		}
		return nil
	}))
	must(t, b.Compact(t.Context()))
}

// TestCompactWaitsForReaders compacts while somebody reads: the log can only
// be emptied afterwards.
func TestCompactWaitsForReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	defer b.Close()
	_, err = b.Queue("q").Write(t.Context(), strings.Repeat("x", 1<<20))
	must(t, err)
	end := viewed(t, b)
	compacted := make(chan error, 1)
	go func() { compacted <- b.Compact(t.Context()) }()
	// The copy of the store goes into the log: it is as long again.
	for deadline := time.Now().Add(waittest.Limit()); logged(t, dir) < 2<<20; {
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d bytes", logged(t, dir))
		}
		_, err := b.Queue("r").Peek(t.Context())
		if !errors.Is(err, broker.ErrEmpty) {
			t.Fatal(err)
		}
	}
	end()
	must(t, waittest.Await(t, "the end of compact", compacted))
	if n := logged(t, dir); n != 0 {
		t.Errorf("the log has %d bytes", n)
	}
}

// TestCompactLeavesReaders compacts while somebody reads for longer than it
// waits: the store is compact, and the log is emptied another time.
func TestCompactLeavesReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	defer b.Close()
	_, err = b.Queue("q").Write(t.Context(), strings.Repeat("x", 4<<20))
	must(t, err)
	_, err = b.Queue("q").Delete(t.Context(), broker.Select{})
	must(t, err)
	end := viewed(t, b)
	must(t, b.Compact(t.Context()))
	end()
	info, err := b.Info(t.Context())
	must(t, err)
	if info.Bytes > 1<<20 || info.Free != 0 {
		t.Errorf("after compact: %+v", info)
	}
	must(t, b.Compact(t.Context()))
	if n := logged(t, dir); n != 0 {
		t.Errorf("the log has %d bytes", n)
	}
}

// TestCompactTakesBallast needs the ballast; the next Compact takes it again.
func TestCompactTakesBallast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := open(dir, Options{})
	must(t, err)
	defer s.Close()
	if !s.writer.ballast.release() {
		t.Fatal("there is no ballast")
	}
	must(t, s.Compact(t.Context()))
	if info, err := os.Stat(filepath.Join(dir, "ballast")); err != nil || info.Size() != ballastBytes {
		t.Errorf("ballast %+v, %v", info, err)
	}
}

// TestCloseAwaitsCompact closes a store that is being compacted: when Close
// returns, no file is open any more.
func TestCloseAwaitsCompact(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := open(dir, Options{Durability: Normal})
	must(t, err)
	holder, err := Open(dir, Options{})
	must(t, err)
	begun, gate, held := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		held <- holder.Update(t.Context(), func(*broker.Tx) error { close(begun); <-gate; return nil })
	}()
	waittest.Await(t, "the beginning of a transaction", begun)
	compacted := make(chan error, 1)
	go func() { compacted <- s.Compact(t.Context()) }()
	for deadline := time.Now().Add(waittest.Limit()); len(s.readers.slot) == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("compact does not take a connection")
		}
	}
	w, err := s.Listen("q")
	must(t, err)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	waittest.Await(t, "the beginning of close", w.C())
	for range 1000 { // it has no reason to take longer if it does not wait
		runtime.Gosched()
	}
	select {
	case err := <-closed:
		t.Errorf("close did not wait for compact: %v", err)
		closed <- nil
	default:
	}
	close(gate)
	must(t, waittest.Await(t, "the end of a transaction", held))
	must(t, waittest.Await(t, "the end of close", closed))
	must(t, waittest.Await(t, "the end of compact", compacted))
	must(t, holder.Close())
	check(t, dir)
}

// TestBulkWhileRead changes many messages while somebody reads: the log cannot
// be emptied then, and those who write afterwards must not try again and again.
func TestBulkWhileRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := open(dir, Options{Durability: Normal})
	must(t, err)
	b := broker.New(s, broker.Options{})
	defer b.Close()
	q := b.Queue("q")
	_, err = q.WriteAll(t.Context(), make([]string, manyRows))
	must(t, err)
	end := viewed(t, b)
	_, err = q.Delete(t.Context(), broker.Select{})
	must(t, err)
	if n := s.writer.conn.changed; n != 0 {
		t.Errorf("%d rows count as reason to empty the log", n)
	}
	if n := logged(t, dir); n == 0 {
		t.Error("the log is empty although somebody reads, so this test tests nothing")
	}
	end()
	_, err = q.WriteAll(t.Context(), make([]string, manyRows+1))
	must(t, err)
	if n := logged(t, dir); n != 0 {
		t.Errorf("the log has %d bytes after a bulk write", n)
	}
}
