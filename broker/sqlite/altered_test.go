package sqlite

import (
	"testing"

	"weft/broker"
)

// TestAltered: a store says whether somebody else has put something into it that
// acts by itself, and compacting it makes no difference.
func TestAltered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := open(dir, Options{AcceptPOSIXLocks: true})
	if err != nil {
		t.Fatal(err)
	}
	b := broker.New(s, broker.Options{})
	t.Cleanup(func() { b.Close() })
	altered := func() bool {
		t.Helper()
		info, err := b.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return info.Altered
	}
	if altered() {
		t.Error("a new store is altered")
	}
	if err := b.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if altered() {
		t.Error("a compacted store is altered")
	}
	for _, statement := range []string{
		"CREATE TRIGGER more AFTER INSERT ON messages BEGIN UPDATE messages SET body = 'mine' WHERE id = NEW.id; END",
		"DROP TRIGGER more; DROP TRIGGER messages_last",
	} {
		if err := s.writer.conn.exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if !altered() {
			t.Errorf("not altered by %s", statement)
		}
	}
}
