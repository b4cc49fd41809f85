package main

import (
	"slices"
	"testing"

	"weft/broker"
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
		if got := reserved(queue); got != want {
			t.Errorf("Reserved(%q) = %v", queue, got)
		}
	}
}

func TestWithoutReserved(t *testing.T) {
	t.Parallel()
	const own, inbox, status = "jobs", "T1795262400000000001.inbox", "P1795262400000000001.status"
	for glob, want := range map[string][]string{
		"*":         {own},
		"?*":        {own},
		"[TPw]*":    nil,
		"w*":        nil,
		"weft*":     nil, // weftA would be a queue of the user's
		"weft.*":    {"weft.log.tasks"},
		"weft.log*": {"weft.log.tasks"},
		"T*":        {inbox},
		"T*.inbox":  {inbox},
		"P*":        {status},
		inbox:       {inbox},
	} {
		p, err := broker.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, queue := range []string{own, inbox, status, "weft.log.tasks"} {
			if got := withoutReserved(p).Match(queue); got != slices.Contains(want, queue) {
				t.Errorf("%s: %s: %v", glob, queue, got)
			}
		}
	}
}
