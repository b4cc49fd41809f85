package main

import (
	"errors"
	"fmt"

	"weft"
)

// locate returns the root of the project that the command is about.
func (a *app) locate(dir string) (string, error) {
	root, err := weft.Locate(dir)
	if errors.Is(err, weft.ErrOwner) && root != "" {
		err = fmt.Errorf("%w, or only read it: --context %s", err, root)
	}
	return root, err
}

// open opens the project that the command is about.
func (a *app) open(autostart *bool) (*weft.Project, error) {
	root, err := a.locate(a.Context)
	if err != nil {
		return nil, err
	}
	return weft.OpenExisting(root, a.opening(autostart))
}

// pipelines are those that are stored where the command would look for a project,
// also if that has no store yet.
func (a *app) pipelines() weft.PipelineFolder {
	root, err := a.locate(a.Context)
	if err != nil {
		return weft.PipelineFolder{}
	}
	return weft.PipelinesIn(root)
}

// opening is how a project is opened: the user is told why a wait takes long.
func (a *app) opening(autostart *bool) weft.Options {
	return weft.Options{Autostart: autostart, Command: a.command, Notice: func(text string) { a.note("%s", text) }}
}

// openOrCreate opens the project that the command is about. If there is none,
// it creates one, in the working directory unless another was named, and says
// so; but first check says whether the command would be refused in it.
func (a *app) openOrCreate(check func() error, autostart *bool) (*weft.Project, error) {
	root, err := a.locate(a.Context)
	if errors.Is(err, weft.ErrNoProject) {
		root, err = ".", nil
	}
	if err != nil {
		return nil, err
	}
	opts := a.opening(autostart)
	p, err := weft.OpenExisting(root, opts)
	if !errors.Is(err, weft.ErrNoProject) {
		return p, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	if p, err = weft.Open(root, opts); err != nil {
		return nil, err
	}
	if p.Created() {
		a.note("created project in %s", p.Root())
	}
	return p, nil
}
