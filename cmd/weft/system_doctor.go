package main

import (
	"slices"

	"weft"
)

type systemDoctorCmd struct{}

// Run prints what was found.
func (systemDoctorCmd) Run(a *app) error {
	root, err := a.locate(a.Context)
	if err != nil {
		return err
	}
	found, err := weft.Diagnose(interruptible().first, root)
	if err != nil {
		return err
	}
	const stateColumn = 1
	// What to do stands behind what was found: both may be long.
	err = emitAll(a, found, findingObject, []string{"CHECK", "STATE", "FOUND → WHAT TO DO"}, func(f weft.Finding) []string {
		text := f.Found
		if f.Advice != "" {
			text += " → " + f.Advice
		}
		return []string{f.Check, string(f.State), text}
	}, stateColumn)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(f weft.Finding) bool { return f.State == weft.FindingProblem }) {
		return nil
	}
	if err := a.stdout.Flush(); err != nil {
		return err
	}
	return exitCode(exitError)
}

// findingObject is a finding in JSON.
func findingObject(f weft.Finding) any {
	return object("check", f.Check, "state", f.State, "found", readable(f.Found)).AddOrNull("advice", readable(f.Advice))
}
