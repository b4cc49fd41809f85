// Package upkeep keeps a project in order: it clears up what is not needed any more,
// examines the project and what the machine offers it, and repairs the store.
package upkeep

import (
	"context"

	"weft/broker"
)

// A Project is what upkeep has to know of a project.
type Project struct {
	Dir    string // its folder
	Broker *broker.Broker
	Build  string       // of this program
	CanRun func() error // says why no manager can be started here

	// Services are the findings about services, and about what the project may start.
	Services func(context.Context) ([]Finding, error)
	// LowerTrust is called when ids can be lower than they were.
	LowerTrust func(context.Context) error
}
