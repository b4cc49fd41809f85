package main

import (
	"cmp"
	"strconv"
	"time"

	"weft"
	"weft/taskspec"
)

// serviceObject is a service in JSON; of a manifest that cannot be read, its name is
// that of the file.
func serviceObject(s weft.ServiceStatus) any {
	return object("name", taskspec.RawString(s.Name), "manifest", taskspec.RawString(s.File)).
		AddOrNull("mode", s.Mode).AddOrNull("tid", s.TID).AddOrNull("status", s.Status).
		Add("restarts", s.Restarts).Add("next_start", s.Next).AddOrNull("problem", s.Problem)
}

// printServices prints a table of services, if there are any.
func (a *app) printServices(services []weft.ServiceStatus, now time.Time) {
	if len(services) == 0 {
		return
	}
	a.stdout.Printf("\n")
	const statusColumn = 2
	rows := [][]string{{"SERVICE", "MODE", "STATUS", "TID", "RESTARTS", "PROBLEM"}}
	for _, s := range services {
		problem := s.Problem
		if !s.Next.IsZero() {
			problem = "starts again in " + short(s.Next.Sub(now))
		}
		tid := "-"
		if s.TID != "" {
			tid = taskspec.ShortTID(s.TID)
		}
		rows = append(rows, []string{s.Name, cmp.Or(s.Mode, "-"), cmp.Or(string(s.Status), "-"), tid, strconv.Itoa(s.Restarts), problem})
	}
	a.printTable(rows, statusColumn)
}
