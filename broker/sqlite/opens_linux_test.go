package sqlite

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weft/broker"
	"weft/internal/waittest"
)

// TestFilesStayOpen uses a store in every way and watches its files: while it is
// open none of them is closed, by whatever. With POSIX locks the process would
// lose its locks by that.
func TestFilesStayOpen(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	first, err := Open(dir, Options{})
	must(t, err)
	watch, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	must(t, err)
	defer unix.Close(watch)
	_, err = unix.InotifyAddWatch(watch, dir, unix.IN_OPEN|unix.IN_CLOSE)
	must(t, err)

	second, err := Open(dir, Options{Durability: Normal})
	must(t, err)
	for _, b := range []*broker.Broker{first, second} {
		q := b.Queue("q")
		w, err := b.Listen("q")
		must(t, err)
		_, err = q.WriteAll(ctx, []string{"a", "b", strings.Repeat("c", 1<<20)})
		must(t, err)
		must(t, b.Update(ctx, func(tx *broker.Tx) error { return tx.PutRecord(broker.Record{Kind: "k", Key: "k"}) }))
		must(t, b.View(ctx, func(r broker.Reader) error { _, err := r.AllStats("", 0); return err }))
		waittest.Await(t, "a ring", w.C())
		w.Close()
		_, err = b.Info(ctx)
		must(t, err)
		_, err = b.Dump(ctx, io.Discard, broker.DumpOptions{})
		must(t, err)
		_, err = q.Read(ctx)
		must(t, err)
		must(t, b.Compact(ctx))
		_, err = Exists(dir)
		must(t, err)
	}
	opened := 0
	fileEvents(t, watch, func(name string, mask uint32) {
		if !strings.HasPrefix(name, Name) {
			return
		}
		if mask&unix.IN_OPEN != 0 {
			opened++
			return
		}
		t.Errorf("%s was closed", name)
	})
	if opened == 0 {
		t.Error("no file was opened: this tests nothing")
	}
	must(t, first.Close())
	must(t, second.Close())
	check(t, dir)
}

// fileEvents calls fn with the events that a watch of inotify(7) has seen.
func fileEvents(t *testing.T, watch int, fn func(name string, mask uint32)) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(watch, buf)
		if err == unix.EAGAIN {
			return
		}
		must(t, err)
		for p := buf[:n]; len(p) > 0; {
			end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(p[12:])
			fn(string(bytes.TrimRight(p[unix.SizeofInotifyEvent:end], "\x00")), binary.NativeEndian.Uint32(p[4:]))
			p = p[end:]
		}
	}
}
