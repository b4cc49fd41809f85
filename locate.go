package weft

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weft/internal/ledger"
	"weft/internal/project"
)

// Locate returns the root of the project that a command is about: dir if it is
// not empty, else the folder that WEFT_CONTEXT names, else what [Find] finds
// from the working directory upward. A folder that is named need not hold a
// project: that is for [Open] or [OpenExisting] to say.
func Locate(dir string) (root string, err error) {
	if dir != "" {
		return dir, nil
	}
	variables, err := readFileEnv()
	if err != nil {
		return "", err
	}
	if dir = variables.lookup(ledger.EnvContext); dir != "" {
		return dir, nil
	}
	return Find(".")
}

// OpenExisting is [Open] for a project that must be there: it creates nothing,
// and returns [ErrNoProject] where dir holds none, or only a folder .weft without a
// store, which may have come with a clone.
func OpenExisting(dir string, opts ...Option) (*Project, error) {
	return Open(dir, append(opts, func(o *options) { o.existing = true })...)
}

// Create is [Open] for a project that may need more than the folder dir: it
// creates dir too, and, if autostart is true, the folder of the manifests of
// services; if it is false, the new project's settings say that no manager starts
// services. What is there already stays.
func Create(dir string, autostart bool, opts ...Option) (*Project, error) {
	if err := errors.Join(foreign(filepath.Join(dir, ledger.Dir)), os.MkdirAll(dir, 0o777)); err != nil {
		return nil, fmt.Errorf("create project: %w", err)
	}
	if !autostart {
		return Open(dir, append(opts, func(o *options) { o.store = &autostart })...)
	}
	p, err := Open(dir, opts...)
	if err != nil {
		return p, err
	}
	if err = project.Complete(p.dir); err == nil {
		err = project.MakeFolder(p.dir, autostartName)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create project: %w", err), p.Close())
	}
	return p, nil
}
