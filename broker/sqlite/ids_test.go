package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"weft/broker"
)

// TestNoIDs damages the count of ids in every way: all that needs an id says so, and it
// can be made anew.
func TestNoIDs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		spent  int // messages
	}{
		"count at the end":     {"UPDATE meta SET last = 9223372036854775807", 0},
		"message at the end":   {"INSERT INTO messages VALUES (9223372036854775807, 'far', 'x')", 1},
		"message next to it":   {"INSERT INTO messages VALUES (9223372036854775806, 'far', 'x')", 1},
		"count is gone":        {"DELETE FROM meta", 0},
		"both are at the end":  {"UPDATE meta SET last = 9223372036854775806; INSERT INTO messages VALUES (9223372036854775805, 'far', 'x')", 1},
		"gone, and at the end": {"DELETE FROM meta; INSERT INTO messages VALUES (9223372036854775807, 'far', 'x')", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b, err := Open(dir, Options{})
			must(t, err)
			before, err := b.Queue("q").Write(t.Context(), "before")
			must(t, err)
			must(t, b.Close())
			build(t, filepath.Join(dir, Name), test.script)
			b, err = Open(dir, Options{})
			must(t, err)
			defer b.Close()

			for range 2 { // where one is left it is given
				_, err = b.Queue("q").Write(t.Context(), "single")
			}
			if !errors.Is(err, broker.ErrNoIDs) {
				t.Errorf("write: error %v", err)
			}
			err = b.Update(t.Context(), func(tx *broker.Tx) error { _, err := tx.Write("q", "together"); return err })
			if !errors.Is(err, broker.ErrNoIDs) {
				t.Errorf("write in a transaction: error %v", err)
			}
			if err = b.Update(t.Context(), func(tx *broker.Tx) error { _, err := tx.NewID(); return err }); !errors.Is(err, broker.ErrNoIDs) {
				t.Errorf("new id: error %v", err)
			}

			var spent []broker.Message
			lost := false
			must(t, b.View(t.Context(), func(r broker.Reader) (err error) { spent, lost, err = broker.SpentIDs(r); return err }))
			far := 0
			for _, m := range spent {
				if m.Queue == "far" {
					far++
				}
			}
			if !lost || far != test.spent {
				t.Errorf("spent is %v, %+v", lost, spent)
			}
			must(t, b.Update(t.Context(), func(tx *broker.Tx) error { return broker.ResetIDs(tx, spent) }))
			id, err := b.Queue("q").Write(t.Context(), "after")
			must(t, err)
			if id <= before || id > broker.IDAt(time.Now()) {
				t.Errorf("the next id is %v after %v", id, before)
			}
			must(t, b.View(t.Context(), func(r broker.Reader) (err error) { _, lost, err = broker.SpentIDs(r); return err }))
			if lost {
				t.Error("it is damaged all the same")
			}
			if _, err := b.StoreID(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
