package weft_test

import (
	"testing"

	"weft"
)

func TestReserved(t *testing.T) {
	t.Parallel()
	for queue, want := range map[string]bool{
		"weft.log.tasks":              true,
		"weft.x":                      true,
		"T1795262400000000001.outbox": true,
		"P1795262400000000001.status": true,
		"weft":                        false,
		"weft2.x":                     false,
		"T1795262400000000001":        false,
		"T179526240000000000.outbox":  false,
		"T179526240000000000x.outbox": false,
		"X1795262400000000001.outbox": false,
		"jobs":                        false,
	} {
		if got := weft.Reserved(queue); got != want {
			t.Errorf("Reserved(%q) = %v", queue, got)
		}
	}
}
