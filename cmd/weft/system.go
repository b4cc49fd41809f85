package main

// systemCmd is the upkeep of a project.
type systemCmd struct {
	Dump   systemDumpCmd   `cmd:"" help:"Write the project's queues and tasks to a file."`
	Load   systemLoadCmd   `cmd:"" help:"Take in what dump has written."`
	Tidy   systemTidyCmd   `cmd:"" help:"Remove what nobody needs any more, and shrink the store."`
	Doctor systemDoctorCmd `cmd:"" help:"Show what this host gives and what is wrong."`
	Repair systemRepairCmd `cmd:"" help:"Set damaged records aside."`
}
