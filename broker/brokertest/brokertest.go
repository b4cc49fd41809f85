// Package brokertest is the suite that every backend of [weft/broker] must
// pass. A backend's own tests call [Run]:
//
//	func TestBackend(t *testing.T) {
//		brokertest.Run(t, brokertest.Backend{Open: …, Check: …})
//	}
//
// Each case gets an empty store of its own. When it has ended, the store is
// looked over through the public API, closed, opened again, compared with what
// it was, closed, and handed to the backend's Check: no message in two queues,
// no id twice or out of order, listings and counts that agree, and a next id
// that is greater than all that the case has seen.
//
// One case compares the broker with a model that is a few maps, over random
// sequences of actions; the flags of [pgregory.net/rapid] say how many
// (-rapid.checks=1000).
package brokertest

import (
	"testing"
	"time"

	"weft/broker"
)

// A Backend is what the suite has to know about the backend under test.
type Backend struct {
	// Open opens the store in the folder dir, which exists, and creates it if
	// there is none. It is called again for a store that is still open, as a
	// second process would do. now is the clock for ids and must be asked for
	// each of them. Open ends the test if it fails; the suite closes the store.
	Open func(t testing.TB, dir string, now func() time.Time) broker.Backend
	// Check examines, by the backend's own means, a store that nobody has open.
	// It may be nil.
	Check func(t testing.TB, dir string)
}

// A testCase is one thing that a backend must do.
type testCase struct {
	name string
	run  func(t *testing.T, s *store)
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	topics := []struct {
		name  string
		cases []testCase
	}{
		{"Ids", idCases},
		{"Names", nameCases},
		{"Bodies", bodyCases},
		{"Queues", queueCases},
		{"Select", selectCases()},
		{"Move", moveCases},
		{"Delete", deleteCases},
		{"Messages", messageCases},
		{"Patterns", patternCases},
		{"Broadcast", broadcastCases},
		{"Rename", renameCases},
		{"Aliases", aliasCases},
		{"Reserve", reserveCases},
		{"Leases", leaseCases},
		{"Work", workCases},
		{"Views", viewedCases},
		{"Messages that are shown in another way", shownCases},
		{"Restore", restoreCases},
		{"Info", infoCases},
		{"Compact", compactCases},
		{"Clock", clockCases()},
		{"History", historyCases},
		{"Update", updateCases},
		{"View", viewCases},
		{"Records", recordCases},
		{"Group", groupCases},
		{"Traffic", trafficCases},
		{"Cancel", cancelCases},
		{"Nested", nestedCases},
		{"Wait", waitCases},
		{"Watch", watchCases},
		{"Close", closeCases},
	}
	for _, topic := range topics {
		t.Run(topic.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range topic.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, open(t, b))
				})
			}
		})
	}
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		checkModel(t, b)
	})
	t.Run("Lease model", func(t *testing.T) {
		t.Parallel()
		checkLeases(t, b)
	})
}
