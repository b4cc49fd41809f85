package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weft/broker"
	"weft/internal/ledger"
	"weft/internal/project"
	"weft/internal/specstore"
	"weft/manager"
	"weft/taskspec"
)

// autostartName is the folder of the manifests of services: tasks that the manager
// starts by itself.
const autostartName = "autostart"

// A ServiceStatus is the state of a service.
type ServiceStatus struct {
	Name string // that of the file, where the manifest cannot be read
	File string // the name of the manifest's file in .weft/autostart
	Mode string // "once" or "ensure"; empty where the manifest cannot be read
	// TID is the latest task, with its Status; both are empty before the first.
	TID      string
	Status   taskspec.Status
	Restarts int       // in a row
	Next     time.Time // when it is started again, if it is not now
	Problem  string    // why it is not started, or empty

	unfit   bool   // because of what is in its files, or how it ended
	idle    string // why it is not started
	started time.Time
}

// noManager is why a service is idle in a project without a manager.
const noManager = "no manager is running"

// isStable reports whether the service has run for so long that its restarts are past.
func (s ServiceStatus) isStable(now time.Time) bool {
	return s.Status == taskspec.StatusRunning && now.Sub(s.started) >= taskspec.StableService
}

// advice is what shows why a service ends.
func (s ServiceStatus) advice() string {
	if s.TID == "" {
		return "see " + filepath.Join(ledger.Dir, autostartName, s.File)
	}
	return "weft task status " + taskspec.ShortTID(s.TID)
}

// Services returns how the services of the project stand, in the order of the
// files of their manifests.
func (p *Project) Services(ctx context.Context) ([]ServiceStatus, error) {
	declared := manifests(p.dir)
	if len(declared) == 0 {
		return nil, nil
	}
	held, _, err := p.trust.Quarantine(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at services: %w", err)
	}
	var all []ServiceStatus
	err = p.broker.View(ctx, func(r broker.Reader) error {
		leader, err := currentManager(r)
		if err != nil {
			return err
		}
		all = make([]ServiceStatus, len(declared))
		for i, d := range declared {
			if all[i], err = serviceStatus(r, d, leader); err != nil {
				return err
			}
			if held != 0 && all[i].waits() {
				all[i].Problem = "project is not trusted"
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at services: %w", err)
	}
	for i, d := range declared {
		if !all[i].waits() || d.Manifest == nil {
			continue
		}
		if _, err := serviceSubmission(ctx, p, d.Manifest); err != nil {
			all[i].Problem, all[i].unfit = err.Error(), true
		} else if all[i].idle != "" {
			all[i].Problem = all[i].idle
		}
	}
	return all, nil
}

// waits reports whether the service is to be started, as far as is known, and is
// not.
func (s ServiceStatus) waits() bool {
	return s.isDown() && s.Problem == "" && s.Next.IsZero()
}

// isDown reports whether the service does not run and is not done.
func (s ServiceStatus) isDown() bool {
	return s.TID == "" || s.Mode == taskspec.ModeEnsure && (s.Status == "" || s.Status.Terminal())
}

// currentManager is the manager that is running, nil if none is.
func currentManager(r broker.Reader) (*ledger.Manager, error) {
	rec, err := r.Record(ledger.ManagerKind, ledger.CurrentManager)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := ledger.DecodeManager(rec)
	if err != nil {
		return nil, nil // it is not known which
	}
	if m.Gone() {
		return nil, err
	}
	return m, nil
}

// serviceStatus returns the state of the service of a manifest. leader is the manager that
// is running, nil if none is.
func serviceStatus(r broker.Reader, d manager.Declared, leader *ledger.Manager) (ServiceStatus, error) {
	s := ServiceStatus{File: d.File, Name: strings.TrimSuffix(d.File, specstore.Extension)}
	if d.Manifest == nil {
		s.Problem, s.unfit = d.Err.Error(), true
		return s, nil
	}
	m := d.Manifest
	s.Name, s.Mode = m.Name, taskspec.ModeOnce
	if m.Policy.Ensures() {
		s.Mode = taskspec.ModeEnsure
	}
	was, t, err := ledger.FindService(r, m.Name)
	if damaged, is := errors.AsType[*DamagedError](err); is {
		s.Problem, s.unfit = damaged.Error(), true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if was != nil {
		s.TID, s.Restarts = was.TID, was.Restarts
	}
	if t != nil {
		s.Status, s.started = t.Status, unixTime(t.Started)
		if t.Look(leader) == ledger.Lost {
			s.Problem = "lost: its consumer has died"
		}
	}
	switch {
	case leader == nil:
		s.idle = noManager
		return s, nil
	case !leader.Autostart:
		s.idle = "the manager was told to start no services"
		return s, nil
	}
	step := was.Next(m.Policy, t, leader.TID, time.Now())
	s.Next = step.At
	if step.Spent {
		s.Problem, s.unfit = fmt.Sprintf("given up after %d restarts in a row", step.Restarts), true
	}
	return s, nil
}

// autostartOf is what a manager of this project has to know of its services; nil if
// it is to start none. said is what its caller says about that.
func autostartOf(p *Project, said *bool) *manager.Autostart {
	if said = cmp.Or(said, p.settings.Autostart); said != nil && !*said {
		return nil
	}
	return &manager.Autostart{
		Declared: func() []manager.Declared { return manifests(p.dir) },
		Submission: func(m *taskspec.Manifest) (ledger.Submission, error) {
			return serviceSubmission(context.Background(), p, m)
		},
	}
}

// manifests reads the manifests of the project whose folder is dir, in the order
// of their files. One that cannot be read has an error instead.
func manifests(dir string) (all []manager.Declared) {
	folder, err := openManifests(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []manager.Declared{{File: autostartName, Err: err}}
	}
	defer folder.Close()
	entries, err := folder.Entries()
	if err != nil {
		return []manager.Declared{{File: autostartName, Err: err}}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	names := make(map[string]string) // of services, to their files
	for _, entry := range entries {
		file := entry.Name()
		if !strings.HasSuffix(file, specstore.Extension) || strings.HasPrefix(file, ".") || !entry.Type().IsRegular() {
			continue
		}
		d := manager.Declared{File: file}
		d.Manifest, d.Err = readManifest(folder, file)
		switch {
		case errors.Is(d.Err, fs.ErrNotExist):
			continue // it has just gone
		case d.Err != nil:
		case names[d.Manifest.Name] != "":
			d.Err = fmt.Errorf("name: %s has it already", names[d.Manifest.Name])
			d.Manifest = nil
		default:
			names[d.Manifest.Name] = file
		}
		all = append(all, d)
	}
	return all
}

func openManifests(dir string) (*project.Folder, error) {
	folder, err := project.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return folder.Sub(autostartName)
}

func readManifest(folder *project.Folder, file string) (*taskspec.Manifest, error) {
	document, err := folder.Read(file, taskspec.MaxDocument)
	if err != nil {
		return nil, err
	}
	return taskspec.DecodeManifest(document)
}

// serviceSubmission is how the service of a manifest is started: in the project's
// root, with the environment of this process.
func serviceSubmission(ctx context.Context, p *Project, m *taskspec.Manifest) (ledger.Submission, error) {
	if m.Target.Type == taskspec.TargetPipeline {
		return servicePipeline(ctx, p, m)
	}
	return serviceTask(ctx, p, m)
}

// servicePipeline is [serviceSubmission] for a stored pipeline.
func servicePipeline(ctx context.Context, p *Project, m *taskspec.Manifest) (s ledger.Submission, err error) {
	pl, err := p.Pipelines().Load(m.Target.Name)
	switch {
	case err != nil:
		return s, fmt.Errorf("target.name: %w", err)
	case len(m.Defaults.Args) > 0:
		return s, errors.New("defaults.args: a pipeline takes none; say it in its stages")
	case len(m.Defaults.KeywordArgs) > 0:
		return s, errors.New("defaults.keyword_args: a pipeline takes none; say it in its stages")
	}
	for i := range pl.Stages {
		pl.Stages[i].Spec = taskspec.Defaults{Env: m.Defaults.Env}.Over(pl.Stages[i].Spec)
	}
	if m.Defaults.Input != nil {
		pl.Stages[0].Input = m.Defaults.Input
	}
	if s, err = preparePipeline(ctx, p, pl, SubmitOptions{Dir: p.root}); err != nil {
		return s, fmt.Errorf("pipeline %s with the defaults: %w", m.Target.Name, err)
	}
	s.Parent = "" // the manager may have been started by a task
	return s, nil
}

// serviceTask is [serviceSubmission] for a stored spec.
func serviceTask(ctx context.Context, p *Project, m *taskspec.Manifest) (s ledger.Submission, err error) {
	spec, err := p.Specs().Load(m.Target.Name)
	if err != nil {
		return s, fmt.Errorf("target.name: %w", err)
	}
	spec = m.Defaults.Over(spec)
	if err := spec.ValidateFor(templateRules()); err != nil {
		return s, fmt.Errorf("spec %s with the defaults: %w", m.Target.Name, err)
	}
	item := noInput
	switch {
	case spec.Key != "":
		return s, fmt.Errorf("spec %s: spec.key: does not go with a service, which is started again", m.Target.Name)
	case m.Defaults.Input == nil:
	case spec.IO.Inputs["inbox"] != "":
		return s, fmt.Errorf("defaults.input: spec %s takes its work item from a queue", m.Target.Name)
	default:
		if item, err = itemText(m.Defaults.Input, spec.Type); err != nil {
			return s, fmt.Errorf("defaults.input: %w", err)
		}
	}
	s = ledger.Submission{Spec: spec, Item: item, Dir: p.root, Redact: p.settings.Redact}
	env := p.Environ()
	if spec.Type == taskspec.KindFunction {
		env = named(env, spec.EnvFrom)
		if _, err := knownFunction(ctx, p, spec.FunctionTarget); err != nil && !errors.Is(err, broker.ErrNotFound) {
			return s, err
		} else if err != nil && registered.Get(spec.FunctionTarget) == nil {
			return s, fmt.Errorf("spec %s: %w", m.Target.Name, unknownFunction(ctx, p, spec.FunctionTarget))
		}
	}
	s.Env = ledger.EncodeEnv(env)
	return s, nil
}
