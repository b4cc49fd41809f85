package brokertest

import (
	"strings"
	"testing"

	"weft/broker"
)

var infoCases = []testCase{
	{"last id", func(t *testing.T, s *store) {
		info, err := s.Info(t.Context())
		if err != nil || info.LastID != 0 {
			t.Errorf("last id %v, %v of a new store", info.LastID, err)
		}
		written := s.write(t, "q", "a", "b")
		for range 3 { // with both, with one, with none
			info, err := s.Info(t.Context())
			if err != nil || info.LastID != written[1] {
				t.Errorf("last id %v, %v, want %v", info.LastID, err, written[1])
			}
			_, err = s.Queue("q").Delete(t.Context(), broker.Select{Limit: 1})
			must(t, err)
		}
	}},
	{"the store's own id", func(t *testing.T, s *store) {
		first, err := s.Info(t.Context())
		if id, idErr := s.Broker.StoreID(t.Context()); id != first.ID || idErr != nil {
			t.Errorf("the id is %q, %v, and by Info %q", id, idErr, first.ID)
		}
		must(t, err)
		s.write(t, "q", "x")
		s.reopen(t)
		must(t, s.Compact(t.Context()))
		other := s.handle(t)
		defer other.Close()
		second, err := other.Info(t.Context())
		must(t, err)
		if first.ID == "" || second.ID != first.ID {
			t.Errorf("id is %q and then %q", first.ID, second.ID)
		}
		stranger, err := open(t, s.backend).Info(t.Context())
		must(t, err)
		if stranger.ID == first.ID {
			t.Errorf("two stores have id %q", first.ID)
		}
	}},
	{"sizes", func(t *testing.T, s *store) {
		before, err := s.Info(t.Context())
		must(t, err)
		const size = 4 << 20
		s.write(t, "q", strings.Repeat("x", size))
		after, err := s.Info(t.Context())
		must(t, err)
		if grown := after.Bytes + after.Log - before.Bytes - before.Log; grown < size {
			t.Errorf("the store grew by %d bytes for a message of %d", grown, size)
		}
		if after.Free < 0 || after.Free > after.Bytes {
			t.Errorf("%d bytes of %d are free", after.Free, after.Bytes)
		}
		var inside broker.Info
		s.look(t, func(r broker.Reader) (err error) { inside, err = r.Info(); return err })
		if inside != after {
			t.Errorf("info is %+v in a view, %+v outside", inside, after)
		}
	}},
}
