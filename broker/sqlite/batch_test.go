package sqlite

import (
	"strconv"
	"testing"

	"weft/broker"
)

// TestBatch lets a function of a group fail after it has looked at a queue, so
// that what others had inserted was written inside its savepoint: only its own is
// undone.
func TestBatch(t *testing.T) {
	t.Parallel()
	s, err := open(t.TempDir(), Options{Durability: Normal})
	must(t, err)
	defer s.Close()
	c := s.writer.conn
	insert := func(body string) {
		_, err := c.Insert("q", body)
		must(t, err)
	}
	holds := func(want ...string) {
		t.Helper()
		ms, err := c.Messages("q", broker.Select{})
		must(t, err)
		for i, m := range ms {
			if i >= len(want) || m.Body != want[i] || i > 0 && m.ID <= ms[i-1].ID {
				t.Errorf("message %d is %+v, want %q", i, m, want)
			}
		}
		if len(ms) != len(want) {
			t.Errorf("queue holds %d messages, want %d", len(ms), len(want))
		}
	}
	many := func() (all []string) {
		for i := range 2*rowsAtOnce + rowsTogether + 1 {
			insert(strconv.Itoa(i))
			all = append(all, strconv.Itoa(i))
		}
		return all
	}
	must(t, c.begin())
	must(t, c.savepoint())
	insert("a")
	_, err = c.run(release)
	must(t, err)
	must(t, c.savepoint())
	many()
	ms, err := c.Messages("q", broker.Select{Limit: 1})
	must(t, err)
	if len(ms) != 1 || ms[0].Body != "a" {
		t.Fatalf("oldest message is %+v", ms)
	}
	insert("undone")
	must(t, c.rollbackTo())
	_, err = c.run(release)
	must(t, err)
	insert("b")
	must(t, c.complete())
	must(t, c.commit())
	holds("a", "b")

	must(t, c.begin())
	insert("undone")
	must(t, c.rollback())
	holds("a", "b")

	must(t, c.begin())
	_, err = c.Take("q", broker.Select{})
	must(t, err)
	want := many()
	must(t, c.complete())
	must(t, c.commit())
	holds(want...)
}

// TestTransferMany moves more messages than are moved at a time, with a limit and
// without.
func TestTransferMany(t *testing.T) {
	t.Parallel()
	s, err := open(t.TempDir(), Options{Durability: Normal})
	must(t, err)
	defer s.Close()
	c := s.writer.conn
	const all, most = 2*manyRows + 7, manyRows + 3
	must(t, c.begin())
	for range all {
		_, err := c.Insert("from", "")
		must(t, err)
	}
	move := func(sel broker.Select, want int) {
		t.Helper()
		if n, err := c.Transfer("from", "to", sel); n != want || err != nil {
			t.Errorf("moved %d messages, %v; want %d", n, err, want)
		}
	}
	move(broker.Select{Limit: most}, most)
	st, err := c.Stats("from")
	must(t, err)
	if moved, err := c.Stats("to"); err != nil || moved.Newest >= st.Oldest {
		t.Errorf("moved up to %v, %v; left from %v", moved.Newest, err, st.Oldest)
	}
	move(broker.Select{After: st.Oldest}, all-most-1)
	move(broker.Select{}, 1)
	move(broker.Select{}, 0)
	must(t, c.rollback())
}
