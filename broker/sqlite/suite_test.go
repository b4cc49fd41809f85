package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weft/broker"
	"weft/broker/brokertest"
)

func TestBackend(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, brokertest.Backend{
		Open: func(t testing.TB, dir string, now func() time.Time) broker.Backend {
			s, err := open(dir, Options{Now: now})
			must(t, err)
			return s
		},
		Check: check,
	})
}

// check looks over a store that this process does not have open.
func check(t testing.TB, dir string) {
	t.Helper()
	if left := openFiles(dir); len(left) > 0 {
		t.Errorf("closed store left descriptors: %q", left)
	}
	if err := examine(dir); err != nil {
		t.Error(err)
	}
}

// examine opens a store and says what is wrong with it.
func examine(dir string) (err error) {
	s, err := open(dir, Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	for _, agree := range []struct {
		what, query string
		want        []string
	}{
		{"integrity check", `PRAGMA integrity_check`, []string{"ok"}},
		{"messages in the table and not in the index, or the other way",
			`SELECT id || queue FROM messages NOT INDEXED
			EXCEPT SELECT id || queue FROM messages INDEXED BY messages_queue WHERE queue > ''
			UNION ALL
			SELECT id || queue FROM messages INDEXED BY messages_queue WHERE queue > ''
			EXCEPT SELECT id || queue FROM messages NOT INDEXED`, nil},
		{"records in the table and not in the index",
			`SELECT kind || key FROM record EXCEPT SELECT kind || key FROM record INDEXED BY record_state WHERE kind > ''`, nil},
		{"ids that are not positive", `SELECT id FROM messages WHERE id <= 0`, nil},
		{"meta", `SELECT count(*) || ' ' || (last >= 0) || ' ' || length(store) FROM meta`, []string{"1 1 32"}},
		{"journal mode", `PRAGMA journal_mode`, []string{"wal"}},
		{"synchronous", `PRAGMA synchronous`, []string{"2"}},
	} {
		var got []string
		if err := s.writer.conn.sx.SelectContext(context.Background(), &got, agree.query); err != nil {
			return err
		}
		if diff := cmp.Diff(agree.want, got); diff != "" {
			return fmt.Errorf("%s (-want +got):\n%s", agree.what, diff)
		}
	}
	return nil
}

// contents are the bodies of a queue's messages by their ids.
func contents(t testing.TB, b *broker.Broker, queue string) map[broker.ID]string {
	t.Helper()
	all := map[broker.ID]string{}
	for m, err := range b.Queue(queue).Messages(context.Background(), broker.Select{}) {
		must(t, err)
		all[m.ID] = m.Body
	}
	return all
}
