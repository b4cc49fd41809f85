package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"weft/broker"
)

// TestReadOnly reads a store, hears of what others write, and changes nothing.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir, refusal := t.TempDir(), errors.New("not yours")
	if _, err := Open(dir, Options{ReadOnly: refusal}); err == nil {
		t.Error("opened a store that is not there")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	owner, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	if _, err := owner.Queue("q").Write(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "bells")); err != nil {
		t.Fatal(err)
	}

	b, err := Open(dir, Options{ReadOnly: refusal})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	q := b.Queue("q")
	_, written := q.Write(ctx, "two")
	_, read := q.Read(ctx)
	for what, err := range map[string]error{
		"write":   written,
		"read":    read,
		"update":  b.Update(ctx, func(*broker.Tx) error { t.Error("called"); return nil }),
		"compact": b.Compact(ctx),
	} {
		if !errors.Is(err, refusal) {
			t.Errorf("%s: %v, want %v", what, err, refusal)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "bells")); err == nil {
		t.Error("it has made bells")
	}

	var got []string
	for m, err := range q.Watch(ctx, broker.WatchOptions{Peek: true, Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, m.Body); len(got) == 1 {
			if _, err := owner.Queue("q").Write(ctx, "two"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("watched %q", got)
	}
}
