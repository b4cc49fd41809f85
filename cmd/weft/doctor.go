package main

import (
	"fmt"
	"slices"

	"weft"
)

type systemDoctorCmd struct{}

// Run prints what was found.
func (systemDoctorCmd) Run(a *app) error {
	root, err := weft.Locate(a.Context)
	if err != nil {
		return err
	}
	found, err := weft.Diagnose(interruptible().first, root)
	if err != nil {
		return err
	}
	if a.JSON {
		for _, f := range found {
			if err := a.printFinding(f); err != nil {
				return err
			}
		}
	} else {
		a.printFindings(found)
	}
	if !slices.ContainsFunc(found, func(f weft.Finding) bool { return f.State == weft.FindingProblem }) {
		return nil
	}
	if err := a.stdout.Flush(); err != nil {
		return err
	}
	return exitCode(exitError)
}

// printFindings prints a table. What to do stands behind what was found: both
// may be long.
func (a *app) printFindings(found []weft.Finding) {
	rows := [][]string{{"CHECK", "STATE", "FOUND → WHAT TO DO"}}
	for _, f := range found {
		text := f.Found
		if f.Advice != "" {
			text += " → " + f.Advice
		}
		rows = append(rows, []string{f.Check, string(f.State), text})
	}
	const stateColumn = 1
	a.printTable(rows, func(column int, cell string) string {
		if column == stateColumn {
			return a.paintFinding(weft.FindingState(cell))
		}
		return cell
	})
}

// paintFinding colors a state.
func (a *app) paintFinding(s weft.FindingState) string {
	if !a.color {
		return string(s)
	}
	color := map[weft.FindingState]int{
		weft.FindingOK:      32, // green
		weft.FindingNote:    33, // yellow
		weft.FindingProblem: 31, // red
	}[s]
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", color, s)
}

// printFinding prints a finding as JSON.
func (a *app) printFinding(f weft.Finding) error {
	return a.printJSON(object("check", f.Check, "state", f.State, "found", readable(f.Found)).AddOrNull("advice", readable(f.Advice)))
}
