package sqlite

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/broker"
)

// loadRole loads the dump args[1], says when the transaction has stored most of
// it, and waits.
func loadRole(args []string) error {
	b, err := Open(args[0], Options{})
	if err != nil {
		return err
	}
	f, err := os.Open(args[1])
	if err != nil {
		return err
	}
	_, err = b.Load(context.Background(), f, broker.LoadOptions{Policy: func(broker.Header) broker.Policy {
		return broker.Policy{Done: func(*broker.Tx) error {
			say("loading")
			return pause()
		}}
	}})
	return err
}

// TestKillLoad kills a load in the middle of its transaction, when the log holds
// most of it: nothing of it is there, and the next load works.
func TestKillLoad(t *testing.T) {
	t.Parallel()
	from, dir := t.TempDir(), t.TempDir()
	b, err := Open(from, Options{})
	must(t, err)
	_, err = b.Queue("q").WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", 20_000)}, 500))
	must(t, err)
	must(t, b.Aliases().Add(t.Context(), "a", "q"))
	want := contents(t, b, "q")
	path := filepath.Join(t.TempDir(), "dump")
	f, err := os.Create(path)
	must(t, err)
	_, err = b.Dump(t.Context(), f, broker.DumpOptions{})
	must(t, err)
	must(t, f.Close())
	must(t, b.Close())

	c := start(t, "load", dir, path)
	c.expect("loading")
	must(t, c.cmd.Process.Kill())
	if err := c.end(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("it was not killed: %v", err)
	}
	log, err := os.Stat(filepath.Join(dir, Name+"-wal"))
	must(t, err)
	if log.Size() < 1<<20 {
		t.Errorf("the log has only %d bytes: the test is of no use", log.Size())
	}
	b, err = Open(dir, Options{})
	must(t, err)
	info, err := b.Info(t.Context())
	must(t, err)
	aliases, err := b.Aliases().List(t.Context(), "")
	must(t, err)
	if n := len(contents(t, b, "q")); n != 0 || len(aliases) != 0 || info.LastID != 0 {
		t.Errorf("%d messages, %d aliases and ids up to %v are there", n, len(aliases), info.LastID)
	}
	f, err = os.Open(path)
	must(t, err)
	_, err = b.Load(t.Context(), f, broker.LoadOptions{})
	must(t, err)
	must(t, f.Close())
	if got := contents(t, b, "q"); !maps.Equal(got, want) {
		t.Errorf("%d messages of %d are there", len(got), len(want))
	}
	must(t, b.Close())
	check(t, dir)
}

// TestLargeRows writes few messages that fill many pages: the log does not stay
// as large as it was.
func TestLargeRows(t *testing.T) {
	t.Parallel()
	b, err := Open(t.TempDir(), Options{Durability: Normal})
	must(t, err)
	defer b.Close()
	_, err = b.Queue("q").WriteAll(t.Context(), slices.Repeat([]string{strings.Repeat("x", broker.MaxMessageBytes)}, 5))
	must(t, err)
	info, err := b.Info(t.Context())
	must(t, err)
	if info.Log != 0 {
		t.Errorf("the log has %d bytes", info.Log)
	}
}
