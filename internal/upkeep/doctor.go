package upkeep

import (
	"context"
	"slices"
	"sync"

	"weft/internal/ledger"
)

// A Finding is one thing that [Examine] has looked at.
type Finding struct {
	Check  string // the name of the check
	State  string // OK, Note or Bad
	Found  string // what there is
	Advice string // what to do about it, or empty
}

// The states of findings.
const (
	OK   = "ok"
	Note = "note" // good to know; all works
	Bad  = "problem"
)

// A check looks at one thing. Its findings have its name, unless they have another; an
// error is a problem.
type check struct {
	name string
	look func(context.Context, *examination) ([]Finding, error)
}

// placeChecks look at the folder of a project and what it is on.
var placeChecks = []check{
	{"folder", examineModes},
	{"file system", examineFilesystem},
	{"disk", examineDisk},
}

// storeChecks look at the store of a project that could be opened, projectChecks at
// what goes on there. Between them come hostChecks.
var (
	storeChecks = []check{
		{"store", examineStore},
		{"records", examineRecords},
	}
	projectChecks = []check{
		{"manager", examineManager},
		{"tasks", examineTasks},
		{"services", examineServices},
		{"leftovers", examineLeftovers},
	}
)

// statusChecks look at what a user of the project has to know. Their time does not grow
// with the project.
var statusChecks = []check{
	{"disk", examineDisk},
	{"records", examineRecentRecords},
	{"manager", examineManager},
	{"tasks", examineLost},
	{"services", examineServices},
	{"failures", examineFailures},
}

// An examination is a project that is looked at, and what several checks need.
type examination struct {
	Project
	counts  func() (ledger.Counts, error) // of the tasks that have not ended
	noGroup func() error                  // why no task can have a cgroup
}

// Examine returns a finding for each check of an open project. It changes nothing.
func Examine(ctx context.Context, p Project) []Finding {
	return run(ctx, p, placeChecks, storeChecks, hostChecks, projectChecks)
}

// Check returns a finding for each check of what a user of the project has to know. It
// changes nothing.
func Check(ctx context.Context, p Project) []Finding { return run(ctx, p, statusChecks) }

// ExamineClosed is [Examine] for the project in dir that cannot be opened because of
// err.
func ExamineClosed(ctx context.Context, dir string, err error) []Finding {
	store := check{"store", func(context.Context, *examination) ([]Finding, error) { return problem(err.Error(), restore) }}
	return run(ctx, Project{Dir: dir}, placeChecks, []check{store}, hostChecks)
}

func run(ctx context.Context, p Project, checks ...[]check) (found []Finding) {
	x := &examination{
		Project: p,
		counts:  sync.OnceValues(func() (ledger.Counts, error) { return countUnfinished(ctx, p.Broker) }),
		noGroup: sync.OnceValue(probeGroup),
	}
	for _, c := range slices.Concat(checks...) {
		findings, err := c.look(ctx, x)
		if err != nil {
			findings = append(findings, Finding{State: Bad, Found: err.Error()})
		}
		for _, f := range findings {
			if f.Check == "" {
				f.Check = c.name
			}
			found = append(found, f)
		}
	}
	return found
}

// restore is what to do about a store that is damaged, or gone.
const restore = "if the store is damaged or gone, put back a copy of it, or move .weft away and begin anew"

// fine, note and problem are what a check with one finding returns.
func fine(found string) ([]Finding, error) { return []Finding{{State: OK, Found: found}}, nil }

func note(found, advice string) ([]Finding, error) {
	return []Finding{{State: Note, Found: found, Advice: advice}}, nil
}

func problem(found, advice string) ([]Finding, error) {
	return []Finding{{State: Bad, Found: found, Advice: advice}}, nil
}
