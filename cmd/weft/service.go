package main

import (
	"cmp"
	"strconv"
	"time"

	"weft"
	"weft/taskspec"
)

// serviceLine is a service in JSON. Times are nanoseconds since 1970.
type serviceLine struct {
	Name      taskspec.RawString `json:"name"` // of a manifest that cannot be read, its file's
	Manifest  taskspec.RawString `json:"manifest"`
	Mode      *string            `json:"mode"`
	TID       *string            `json:"tid"`
	Status    *taskspec.Status   `json:"status"`
	Restarts  int                `json:"restarts"`
	NextStart *int64             `json:"next_start"`
	Problem   *string            `json:"problem"`
}

func newServiceLine(s weft.ServiceStatus) serviceLine {
	return serviceLine{
		Name: taskspec.RawString(s.Name), Manifest: taskspec.RawString(s.File), Mode: known(s.Mode), TID: known(s.TID), Status: known(s.Status),
		Restarts: s.Restarts, NextStart: nanoseconds(s.Next), Problem: known(s.Problem),
	}
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
	a.printTable(rows, func(column int, cell string) string {
		if column == statusColumn && cell != "-" {
			return a.paint(taskspec.Status(cell))
		}
		return cell
	})
}
