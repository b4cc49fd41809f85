package main

// systemCmd is the upkeep of a project.
type systemCmd struct{}
