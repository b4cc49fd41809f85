package main

import (
	"cmp"
	"context"
	"path/filepath"

	"weft"
	"weft/taskspec"
)

type initCmd struct {
	Dir       string `arg:"" optional:"" complete:"folder" help:"The folder (default: this one)."`
	Autostart bool   `negatable:"" default:"true" help:"Make the folder for services, tasks that a manager starts by itself; with --no-autostart none of the project does."`
	Quiet     bool   `short:"q" help:"Print nothing."`
}

// Run creates the project.
func (c *initCmd) Run(a *app) error {
	dir := cmp.Or(c.Dir, a.Context)
	p, err := weft.Create(cmp.Or(dir, "."), c.Autostart)
	if err != nil {
		return err
	}
	trust, err := p.TrustStatus(context.Background())
	if err != nil {
		return err
	}
	switch {
	case trust.Trusted || c.Quiet:
	case p.Created():
		a.note("project is not trusted: its folder was there, or $XDG_STATE_HOME/weft cannot be written: look at what is in it, then weft trust")
	default:
		a.note("project is not trusted, for it was there: look at what is in it, then weft trust")
	}
	if c.Quiet {
		return nil
	}
	what := "Initialized"
	if !p.Created() {
		what = "Already initialized"
	}
	return a.emit(object("context", taskspec.RawString(p.Root()), "created", p.Created()),
		"%s weft in %s/\n", what, visible(filepath.Join(dir, ".weft")))
}
