package sqlite

import (
	"context"
	"strings"
	"testing"

	"weft/broker"
)

// TestPlans pins how SQLite looks for records: by an index that leads to those
// that are wanted, in a store of 100,000 ended tasks too.
func TestPlans(t *testing.T) {
	t.Parallel()
	s, err := open(t.TempDir(), Options{})
	must(t, err)
	defer func() { must(t, s.close()) }()
	ctx := context.Background()
	plan := func(query string, args []any) string {
		var steps []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		must(t, s.writer.conn.sx.SelectContext(ctx, &steps, "EXPLAIN QUERY PLAN "+query, args...))
		var all []string
		for _, step := range steps {
			all = append(all, step.Detail)
		}
		return strings.Join(all, "; ")
	}
	for _, newest := range []bool{false, true} {
		sel := broker.RecordSelect{Newest: newest, Limit: 10}
		st, args := plainRecords("task", sel)
		if got := plan(text[st], args); !strings.Contains(got, "record_rank") || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("records of all states: %s", got)
		}
		sel.States = []string{"created", "running"}
		query, args, err := chosenRecords("task", sel)
		must(t, err)
		if got := plan(query, args); !strings.Contains(got, "record_state (kind=? AND state=? AND rank>? AND rank<?)") {
			t.Errorf("records of two states: %s", got)
		}
	}
	if got := plan(text[stateRecords], []any{"task", 0, 9, 1, "running"}); !strings.Contains(got, "record_state (kind=? AND state=? AND rank>? AND rank<?)") {
		t.Errorf("records of one state: %s", got)
	}
	if got := plan(text[countRecords], []any{"task"}); !strings.Contains(got, "COVERING INDEX record_state (kind=?)") || strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("counts of records: %s", got)
	}
	query, args, err := chosenRecords("task", broker.RecordSelect{KeySuffix: "1234", Limit: 2})
	must(t, err)
	if got := plan(query, args); !strings.Contains(got, "record_key (kind=?)") {
		t.Errorf("records by the end of their keys: %s", got)
	}
	if got := plan(text[clearQueues], []any{"a", "c", `["a","c"]`}); !strings.Contains(got, "messages_queue (queue>? AND queue<?)") {
		t.Errorf("several queues: %s", got)
	}
	if got := plan(text[peek], []any{"q", 0, 9, 1}); !strings.Contains(got, "messages_queue (queue=? AND rowid>? AND rowid<?)") || strings.Contains(got, "TEMP B-TREE") {
		t.Errorf("messages: %s", got)
	}
}
