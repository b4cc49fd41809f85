package monitor

import (
	"slices"
	"testing"
)

func TestConnections(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 listens 1 0 100 0 0 10 0
   1: 0100007F:0277 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 established 1 0 20 4 30 10 -1
   2: 00000000:C350 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 unconnected 2 0 0
   3: 0100007F:C351 0100007F:0277 02 00000000:00000000 00:00000000 00000000     0        0 connecting
  10: short
`
	for name, test := range map[string]struct {
		table string
		want  []string
	}{
		"some":    {table, []string{"established", "connecting"}},
		"none":    {"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", nil},
		"nothing": {"", nil},
	} {
		if got := slices.Collect(connections([]byte(test.table))); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	for inode := range connections([]byte(table)) {
		if inode != "established" {
			t.Errorf("went on to %q", inode)
		}
		break
	}
}
