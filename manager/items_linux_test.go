package manager

import (
	"testing"

	"weft/broker"
	"weft/internal/engine"
	"weft/internal/ledger"
)

// What only takes an item is forgotten when it could not be written; a hand-off is
// not.
func TestItemsWithdrawn(t *testing.T) {
	t.Parallel()
	l := quiet(nil)
	dead, other := new(consumer), new(consumer)
	l.requestItem(other, nil)
	l.requestItem(dead, &ledger.HandOff{Seq: 1})
	if changes := l.Pending(); changes[0].Failed(broker.ErrBusy) || !changes[1].Failed(broker.ErrBusy) {
		t.Error("what only takes an item is kept, or a hand-off is not")
	}
	if other.asks != nil || !l.Stale[engine.Items] {
		t.Errorf("the other still asks: %+v, looks again: %v", other.asks, l.Stale[engine.Items])
	}
	l.requestItem(other, nil)
	dead.refuseItem()
	if !dead.asks.Last || other.asks.Last {
		t.Errorf("the dead one takes another item, or the other none: %+v, %+v", dead.asks, other.asks)
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
