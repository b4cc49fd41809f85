//go:build linux

package weft_test

import (
	"testing"

	"weft/internal/waittest"
)

// TestLongBounds runs the tests of what has to be over in a given time. Only here,
// where nothing else runs beside them, do they look at the clock.
func TestLongBounds(t *testing.T) {
	waittest.NeedLong(t)
	for name, test := range map[string]func(*testing.T){
		"zoo":                 TestZoo,
		"task ended":          TestEndTask,
		"timeout alone":       TestTimeoutAlone,
		"manager stopped":     TestStopManager,
		"consumer killed":     TestKillConsumer,
		"consumer with items": TestItemsOfKilledConsumers,
		"ping":                TestPingBusyTask,
	} {
		t.Run(name, test)
	}
}
