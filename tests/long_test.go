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
		"escapes":             TestEscapes,
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

// TestLongRounds runs tests that make more rounds in the long form.
func TestLongRounds(t *testing.T) {
	waittest.NeedLong(t)
	for name, test := range map[string]func(*testing.T){
		"fast tasks":     TestFastTasks,
		"first run":      TestFirstRunKilled,
		"idle exit":      TestIdleExit,
		"stop idle exit": TestStopIdleExit,
		"rivals":         TestRivalManagers,
		"tidy killed":    TestTidyKilled,
	} {
		t.Run(name, test)
	}
}
