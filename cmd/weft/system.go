package main

// systemCmd is the upkeep of a project.
type systemCmd struct {
	Tidy   systemTidyCmd   `cmd:"" help:"Remove what nobody needs any more, and shrink the store."`
	Doctor systemDoctorCmd `cmd:"" help:"Show what this host gives and what is wrong."`
}
