package main

import (
	"errors"

	"weft"
)

// open opens the project that the command is about.
func (a *app) open(opts ...weft.Option) (*weft.Project, error) {
	root, err := weft.Locate(a.Context)
	if err != nil {
		return nil, err
	}
	return weft.OpenExisting(root, append(opts, a.notices())...)
}

// pipelines are those that are stored where the command would look for a project,
// also if that has no store yet.
func (a *app) pipelines() weft.PipelineFolder {
	root, err := weft.Locate(a.Context)
	if err != nil {
		return weft.PipelineFolder{}
	}
	return weft.PipelinesIn(root)
}

// notices says to the user why a wait takes long.
func (a *app) notices() weft.Option { return weft.Notices(func(text string) { a.note("%s", text) }) }

// openOrCreate opens the project that the command is about. If there is none,
// it creates one, in the working directory unless another was named, and says
// so; but first check says whether the command would be refused in it.
func (a *app) openOrCreate(check func() error, opts ...weft.Option) (*weft.Project, error) {
	root, err := weft.Locate(a.Context)
	if errors.Is(err, weft.ErrNoProject) {
		root, err = ".", nil
	}
	if err != nil {
		return nil, err
	}
	opts = append(opts, a.notices())
	p, err := weft.OpenExisting(root, opts...)
	if !errors.Is(err, weft.ErrNoProject) {
		return p, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	if p, err = weft.Open(root, opts...); err != nil {
		return nil, err
	}
	if p.Created() {
		a.note("created project in %s", p.Root())
	}
	return p, nil
}
