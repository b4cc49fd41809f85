package main

import (
	"cmp"
	"context"

	"weft"
	"weft/taskspec"
)

type trustCmd struct {
	Dir    string `arg:"" optional:"" complete:"folder" help:"The project's folder (default: the one that other commands use)."`
	Revoke bool   `help:"Take the trust back; what runs goes on."`
}

// Run trusts the project, or ceases to.
func (c *trustCmd) Run(a *app) error {
	root, err := a.locate(cmp.Or(c.Dir, a.Context))
	if err != nil {
		return err
	}
	p, err := weft.OpenExisting(root)
	if err != nil {
		return err
	}
	change, word := p.Trust, "Trusted"
	if c.Revoke {
		change, word = p.Distrust, "Not trusted any more"
	}
	if err := change(context.Background()); err != nil {
		return err
	}
	return a.emit(object("context", taskspec.RawString(p.Root()), "trusted", !c.Revoke), "%s: %s\n", word, visible(p.Root()))
}

// noteTrust says what a manager that was just started holds back.
func (a *app) noteTrust(p *weft.Project) error {
	if !p.Manager().Started() {
		return nil
	}
	return a.noteHeld(context.Background(), p)
}

// noteHeld says what is quarantined, before a command waits for it.
func (a *app) noteHeld(ctx context.Context, p *weft.Project) error {
	s, err := p.TrustStatus(ctx)
	if err == nil && s.String() != "" {
		a.note("%s: weft trust", s)
	}
	return err
}
