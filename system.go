package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weft/broker"
	"weft/broker/sqlite"
	"weft/internal/archive"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/retention"
	"weft/internal/upkeep"
	"weft/manager"
)

// System is the upkeep of a project: copying it out and in, clearing up, and
// looking for problems of the project or the machine.
type System struct{ project *Project }

// System gives access to the upkeep of the project.
func (p *Project) System() System { return System{p} }

// DumpOptions say what a dump holds beside queues, aliases and tasks. The zero
// value adds nothing.
type DumpOptions struct {
	// State adds the records of managers, endpoints and the like. They are for
	// people to look at: [System.Load] leaves them out.
	State bool
	// Secrets keeps the values of the environment in specs, which are hidden
	// otherwise.
	Secrets bool
}

// ExportFile is where the dump of the project is kept by default.
func (s System) ExportFile() string { return filepath.Join(s.project.dir, archive.ExportName) }

// OpenExport opens [System.ExportFile], which must be a regular file and no link to
// one: it may have come with the project. The caller closes it.
func (s System) OpenExport() (*os.File, error) {
	folder, err := project.Open(s.project.dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.Open(archive.ExportName)
}

// Dump writes the project to w as JSON lines, which [System.Load] reads. It is
// one state of the project, while tasks run and messages come and go; what the
// environment of submitters was is not in it, nor are files, such as those of
// large outputs. What w received before an error is not a dump. Cancelling ctx
// ends it.
func (s System) Dump(ctx context.Context, w io.Writer, o DumpOptions) (broker.DumpReport, error) {
	return s.project.broker.Dump(ctx, w, ledger.DumpOptions(o.State, o.Secrets, s.project.settings.Redact))
}

// DumpFile is [System.Dump] into a file that only its owner can read. The file
// appears, or replaces the one of that name, when the dump is complete and on
// the disk; folders that are missing are made. A link is followed, but not in the
// project's folder: what is there may have come with it.
func (s System) DumpFile(ctx context.Context, path string, o DumpOptions) (broker.DumpReport, error) {
	if filepath.Dir(path) == s.project.dir && s.project.foreign != nil {
		return broker.DumpReport{}, s.project.foreign
	}
	return archive.WriteFile(s.project.dir, path, func(w io.Writer) (broker.DumpReport, error) { return s.Dump(ctx, w, o) })
}

// LoadOptions are the choices of [System.Load].
type LoadOptions struct {
	// DryRun reports what would be done, conflicts included, and does nothing.
	DryRun bool
	// Requests also takes in tasks that wait to be run. They run, here, as soon
	// as a manager comes to them, with the manager's environment.
	Requests bool
	// Force takes in a dump with ids that are more than [broker.MaxAhead] ahead of
	// the clock. Every task and message that comes after gets a greater one.
	Force bool
}

// A LoadReport says what came, or would come, of a dump.
type LoadReport struct {
	broker.LoadReport
	Lost     int // tasks that had begun, and are lost
	Requests int // that wait to be run: taken in with [LoadOptions].Requests, else left out
	State    int // records of managers and the like, left out
}

// Load takes in a dump, all of it or, on any error, nothing. Messages and tasks
// keep their ids; what is there already, the same, is skipped. Tasks that were running when the dump was made are lost, as
// if their consumers had died; those that wait are left out unless o says
// otherwise. Dumps of the original Weft are read too: see [broker.Load].
//
// What cannot be read twice is copied to a temporary file first. Errors wrap
// [broker.ErrDump], [broker.ErrFuture], [broker.ErrConflict], which comes with a
// report, or [ErrIncompleteDump]. Cancelling ctx before the end withdraws it, though not while
// it waits for r.
func (s System) Load(ctx context.Context, r io.Reader, o LoadOptions) (*LoadReport, error) {
	if err := s.project.foreign; err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return loadReport(archive.Load(ctx, s.project.broker, s.project.dir, r, o.inner(s.project.settings.Redact)))
}

// PreviewLoad is [System.Load] with DryRun where there is no project yet.
func PreviewLoad(ctx context.Context, r io.Reader, o LoadOptions) (*LoadReport, error) {
	return loadReport(archive.Preview(ctx, r, o.inner(nil)))
}

func (o LoadOptions) inner(redact []string) archive.LoadOptions {
	return archive.LoadOptions{DryRun: o.DryRun, Requests: o.Requests, Force: o.Force, Redact: redact}
}

func loadReport(r broker.LoadReport, in *ledger.Intake, err error) (*LoadReport, error) {
	if in == nil {
		return nil, err
	}
	return &LoadReport{LoadReport: r, Lost: in.Lost, Requests: in.Requests, State: in.State}, err
}

// Retention bounds what a project keeps of tasks that have ended, the oldest of which are
// removed first: see [Options]. 0 in a field means what the environment or the project's
// config.json says, or else the default, and a negative value that there is no bound.
type Retention = manager.Retention

// retention is what the settings of the project say.
func (p *Project) retention() Retention {
	s := p.settings
	return Retention{
		Age: time.Duration(s.KeepAge), Tasks: int(s.KeepTasks), OutputBytes: int64(s.KeepOutput), Keys: time.Duration(s.KeepKeys),
	}
}

// bounds gives a retention its defaults.
func bounds(r Retention) ledger.Retention {
	return retention.Bounds(r.Age, r.Tasks, r.OutputBytes, r.Keys)
}

// TidyOptions are the choices of [System.Tidy]. The zero value is the default.
type TidyOptions struct {
	// Retention overrides that of the project, field by field.
	Retention Retention
	// All removes every task that has ended. Its key remains.
	All bool
}

// bounds are those of the options, for a project that has this retention.
func (o TidyOptions) bounds(of Retention) ledger.Retention {
	keep := bounds(Retention{
		Age:         cmp.Or(o.Retention.Age, of.Age),
		Tasks:       cmp.Or(o.Retention.Tasks, of.Tasks),
		OutputBytes: cmp.Or(o.Retention.OutputBytes, of.OutputBytes),
		Keys:        cmp.Or(o.Retention.Keys, of.Keys),
	})
	if o.All {
		keep.Age = time.Nanosecond
	}
	return keep
}

// A TidyReport says what [System.Tidy] has removed. Sizes are in bytes.
type TidyReport struct {
	Dir          string // the project's folder
	Events       int    // removed from weft.log.tasks
	Tasks        int    // that had ended
	Keys         int    // that were too old
	Environments int    // snapshots of submitters' environments
	Records      int    // that had lost what they belonged to
	Files        int    // outputs and inputs of tasks
	FileBytes    int64  // the size of these
	UnknownFiles int    // other files among the outputs; they are left alone

	// The size of the store and of its log, before and after.
	StoreBefore, StoreAfter int64
	LogBefore, LogAfter     int64
}

// Tidy applies the [Retention] of the project now, which managers and programs that serve
// functions do by themselves: it removes the oldest tasks that have ended, each with its
// events, outputs, unread result and kept work item. It also removes environments, outputs
// and inputs that are not referred to any more, gives the room back to the file
// system and empties the log of the store. A task that was removed is unknown:
// see [ErrNoTask].
//
// Two kinds of tasks stay although they have ended: stages of a pipeline that runs, and tasks
// whose output is in a file that a message in a queue of the user's stands for.
//
// Everything may go on meanwhile; at the end writers wait while the store is
// copied. Cancelling ctx, or killing the process, leaves the rest for the next
// time; the report says what was done before an error.
//
// Needed are: an environment while its task has not ended or may be run again,
// that is did not complete; an output until its task is removed; a
// standard input until its task has ended and kept no message. An input that no
// task names goes when it is 24 h old.
func (s System) Tidy(ctx context.Context, o TidyOptions) (TidyReport, error) {
	p := s.project
	report := retention.Report{Dir: p.dir}
	err := p.foreign
	if err == nil {
		report, err = retention.Tidy(ctx, p.broker, p.dir, o.bounds(p.retention()))
	}
	if err != nil {
		err = fmt.Errorf("tidy project: %w", err)
	}
	return TidyReport(report), err
}

// upkeep is the project as it is kept in order.
func (s System) upkeep() upkeep.Project {
	p := s.project
	return upkeep.Project{
		Dir: p.dir, Broker: p.broker, Build: build(), CanRun: canRun, LowerTrust: p.trust.Lower,
		Services: func(ctx context.Context) ([]upkeep.Finding, error) { return examineServices(ctx, p) },
	}
}

// A RepairReport says what [System.Repair] has done.
type RepairReport struct {
	Records []RepairedRecord
	File    string   // that holds what was set aside; empty if nothing was
	Store   []string // what else was mended, a line each
}

// A RepairedRecord is a record that was damaged.
type RepairedRecord struct {
	Kind, Key string
	Problem   string
	Mended    bool // it was made anew from what is known elsewhere
	Messages  int  // that went with it
}

// Repair sets the damaged records of the project aside, and with each what belongs to it
// and would be left over, or would run, without it: the requests of tasks among them,
// and what runs of a task is killed. All of it is in a file in the project's folder
// before it leaves the store, as JSON lines like those of [System.Dump]. What a damaged
// record said and something else says too is made anew. It also mends the store's
// count of ids, if that leaves none.
//
// Everything may go on meanwhile. A Repair that was interrupted can be repeated.
func (s System) Repair(ctx context.Context) (report RepairReport, err error) {
	err = s.project.foreign
	if err == nil {
		var done upkeep.Repaired
		done, err = upkeep.Repair(ctx, s.upkeep())
		report.File, report.Store = done.File, done.Store
		for _, r := range done.Records {
			report.Records = append(report.Records, RepairedRecord(r))
		}
	}
	if err != nil {
		return report, fmt.Errorf("repair project: %w", err)
	}
	return report, nil
}

// A Finding is one thing that [System.Doctor] has looked at.
type Finding struct {
	Check  string       // what was looked at: "disk", "manager"
	State  FindingState // whether it needs the user
	Found  string       // what there is
	Advice string       // what to do about it, empty where there is nothing to do
}

// String returns one line: what was found, and what to do about it.
func (f Finding) String() string {
	if f.Advice == "" {
		return f.Found
	}
	return f.Found + ": " + f.Advice
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
	found := findings(upkeep.Examine(ctx, s.upkeep()))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("examine project: %w", context.Cause(ctx))
	}
	return found, nil
}

func findings(found []upkeep.Finding) (all []Finding) {
	for _, f := range found {
		all = append(all, Finding{f.Check, FindingState(f.State), f.Found, f.Advice})
	}
	return all
}

// Diagnose is [System.Doctor] for the project in dir, also where it cannot be
// opened, because its store is damaged or not Weft's: then that is a finding. It
// creates nothing, and returns [ErrNoProject] where dir holds no project.
func Diagnose(ctx context.Context, dir string, opts ...Options) ([]Finding, error) {
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
		return findings(upkeep.ExamineClosed(ctx, folder, err)), nil
	}
	found, err := p.System().Doctor(ctx)
	return found, errors.Join(err, p.Close())
}

// Check looks at what a user of the project has to know, and returns a finding for each: a
// disk that is nearly full, damaged records, no manager for what is to be done or one that
// does not work, lost tasks, services, failures of the last 24 hours. It changes nothing, and
// looks at less than [System.Doctor]: it takes a time that does not grow with the project. A
// check that cannot be made is a finding too; the error is that of ctx, if ctx ends.
func (s System) Check(ctx context.Context) ([]Finding, error) {
	found := findings(upkeep.Check(ctx, s.upkeep()))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("check project: %w", context.Cause(ctx))
	}
	return found, nil
}

// crashLoop is how often a service has been restarted in a row that is worth a word.
const crashLoop = 3

// examineServices looks at the services, if there are any, and at what is
// quarantined because the project is not trusted.
func examineServices(ctx context.Context, p *Project) (found []upkeep.Finding, err error) {
	trust, err := p.TrustStatus(ctx)
	if err != nil {
		return nil, err
	}
	if text := trust.String(); text != "" {
		found = append(found, upkeep.Finding{Check: "trust", State: upkeep.Note, Found: text, Advice: "look at them, then weft trust"})
	}
	services, err := p.Services(ctx)
	live, idle := 0, 0
	for _, s := range services {
		if s.Status != "" && !s.Status.Terminal() {
			live++
		}
		switch {
		case s.unfit:
			found = append(found, upkeep.Finding{State: upkeep.Bad, Found: "service " + s.File + ": " + s.Problem, Advice: s.advice()})
		case s.Restarts >= crashLoop && !s.isStable(time.Now()):
			found = append(found, upkeep.Finding{State: upkeep.Bad, Found: fmt.Sprintf("service %s ends again and again: %d restarts in a row", s.Name, s.Restarts), Advice: s.advice()})
		case s.idle == noManager && s.isDown() && trust.Trusted && (p.settings.Autostart == nil || *p.settings.Autostart):
			idle++
		}
	}
	if idle > 0 {
		found = append(found, upkeep.Finding{State: upkeep.Bad, Found: "no manager for " + counted(idle, "service"), Advice: "weft manager start"})
	}
	if live > 0 {
		found = append(found, upkeep.Finding{State: upkeep.OK, Found: fmt.Sprintf("%d of %d running", live, len(services))})
	}
	return found, err
}
