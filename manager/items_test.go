package manager

import (
	"testing"
	"time"

	"weft/internal/ledger"
)

func TestSupplyWakes(t *testing.T) {
	t.Parallel()
	due := time.Unix(1_763_740_800, 0)
	s := itemSource{due: due}
	if got := s.wake(false); !got.Equal(due) {
		t.Errorf("it wakes at %v, want %v", got, due)
	}
	if got := s.wake(true); !got.IsZero() {
		t.Errorf("a manager that stops wakes for an item at %v", got)
	}
}

// What only takes an item is forgotten when it could not be written; a hand-off is
// not.
func TestItemsWithdrawn(t *testing.T) {
	t.Parallel()
	dead, other := new(consumer), new(consumer)
	handOff := itemRequest{from: dead, request: ledger.ItemRequest{TID: "1", Done: &ledger.HandOff{Seq: 1}}}
	w := &changes{items: []itemRequest{{from: other, request: ledger.ItemRequest{TID: "2"}}, handOff}}
	var s itemSource
	s.undo(w)
	if len(w.items) != 1 || w.items[0].from != dead || !s.stale {
		t.Errorf("left are %+v, looks: %v", w.items, s.stale)
	}
	w.items = append(w.items, itemRequest{from: other})
	w.refuseItems(dead)
	if !w.items[0].request.Last || w.items[1].request.Last {
		t.Errorf("the dead one takes another item, or the other none: %+v", w.items)
	}
	if w.empty() || len(w.singles()) != 2 {
		t.Errorf("the work is %d changes", len(w.singles()))
	}
}

// A persistent task that goes on without its manager holds no slot of the next.
func TestSurvivorsHoldSlots(t *testing.T) {
	t.Parallel()
	p := &pool{o: Options{MaxTasks: 3}, survivors: survivors{{"1", 1}: {}, {"2", 1}: {slotless: true}}}
	if got := p.load().free(); got != 2 {
		t.Errorf("%d slots are free, want 2", got)
	}
}
