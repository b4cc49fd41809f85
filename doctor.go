package weft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"weft/broker/sqlite"
	"weft/internal/ledger"
)

// A Finding is one thing that [System.Doctor] has looked at.
type Finding struct {
	Check  string       // what was looked at: "disk", "manager"
	State  FindingState // whether it needs the user
	Found  string       // what there is
	Advice string       // what to do about it, empty where there is nothing to do
}

// FindingState says whether a finding needs the user.
type FindingState string

// The states of findings.
const (
	FindingOK      FindingState = "ok"
	FindingNote    FindingState = "note"    // good to know; all works
	FindingProblem FindingState = "problem" // something does not work, or is not safe
)

// Doctor checks the project and what this machine offers it, and returns a finding for
// each check. It changes nothing. A check that cannot be made is a finding too; the
// error is that of ctx, if ctx ends.
func (s System) Doctor(ctx context.Context) ([]Finding, error) {
	found := slices.Concat(
		examinePlace(s.project.dir),
		examineStore(ctx, s.project),
		examineRecords(ctx, s.project),
		examineHost(s.project.dir),
		examineTasks(ctx, s.project),
	)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("examine project: %w", context.Cause(ctx))
	}
	return found, nil
}

// Diagnose is [System.Doctor] for the project in dir, also where it cannot be
// opened, because its store is damaged or not Weft's: then that is a finding. It
// creates nothing, and returns [ErrNoProject] where dir holds no project.
func Diagnose(ctx context.Context, dir string, opts ...Option) ([]Finding, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("examine project: %w", err)
	}
	folder := filepath.Join(root, ledger.Dir)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("examine project: %w in %s", ErrNoProject, dir)
	}
	exists, err := sqlite.Exists(folder)
	if err == nil && !exists {
		err = errors.New("it is missing")
	}
	var p *Project
	if err == nil {
		p, err = Open(dir, opts...)
	}
	if err != nil {
		store := problem("store", err.Error(), restore)
		return slices.Concat(examinePlace(folder), []Finding{store}, examineHost(folder)), nil
	}
	found, err := p.System().Doctor(ctx)
	return found, errors.Join(err, p.Close())
}

// restore is what to do about a store that is damaged, or gone.
const restore = "if the store is damaged or gone, put back a copy of it, or move .weft away and begin anew"

func fine(check, found string) Finding { return Finding{check, FindingOK, found, ""} }

func note(check, found, advice string) Finding { return Finding{check, FindingNote, found, advice} }

func problem(check, found, advice string) Finding {
	return Finding{check, FindingProblem, found, advice}
}

// unknown is the finding where looking has failed.
func unknown(check string, err error) []Finding { return []Finding{problem(check, err.Error(), "")} }
