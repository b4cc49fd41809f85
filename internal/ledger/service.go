package ledger

import (
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/taskspec"
)

// Services is the queue that shows the records of services. A notification of it tells the
// manager that a service has ended, or that the manifests are to be read again.
const Services = viewPrefix + "services"

// serviceKind is the kind of the records of services. Their key is the name in their
// manifest, their rank the TID of their latest task.
const serviceKind = "service"

// Service is the state of a service. Its manifest says whether it is to be started.
type Service struct {
	Name string `json:"name"`
	Mode string `json:"mode"`
	// TID is its latest task, Before the one before that.
	TID    string `json:"tid"`
	Before string `json:"tid_before,omitempty"`
	// Manager is the TID of the manager that has started the latest task, or adopted it.
	Manager  string `json:"manager"`
	Restarts int    `json:"restarts"` // in a row
}

// Act is what to do about a service.
type Act int

// The acts.
const (
	Nothing Act = iota // for now or for good
	Start              // submit its task
	Adopt              // note that an earlier manager's instance still runs
)

// A Step is what to do next about a service.
type Step struct {
	Act      Act
	Restarts int       // in a row, including the next one
	At       time.Time // when to start it, if not now; zero: not known
	Spent    bool      // the limit of restarts is reached
}

// Next decides what the manager with the TID manager does about a service. s is its record,
// nil if it never was started; task is its latest task, nil if that is not known any more.
//
// There is one instance at a time, no matter which manager started it. A manager starts
// counting again for services that an earlier one has stopped, or given up.
func (s *Service) Next(policy taskspec.ServicePolicy, task *Task, manager string, now time.Time) Step {
	if s == nil {
		return Step{Act: Start}
	}
	own := s.Manager == manager
	if task != nil && !task.Status.Terminal() {
		if own {
			return Step{Restarts: s.Restarts}
		}
		return Step{Act: Adopt, Restarts: s.Restarts}
	}
	if !policy.Ensures() {
		if own {
			return Step{Restarts: s.Restarts}
		}
		return Step{Act: Start}
	}
	restarts := s.Restarts
	if task != nil && task.Started != 0 && task.Completed-task.Started >= int64(taskspec.StableService) {
		restarts = 0
	}
	stopped := task != nil && task.Status == taskspec.StatusCancelled
	if !own && (stopped || policy.Spent(restarts)) {
		return Step{Act: Start}
	}
	if policy.Spent(restarts) {
		return Step{Restarts: restarts, Spent: true}
	}
	if task != nil {
		ended := time.Unix(0, task.Completed)
		// If the clock was set back the wait could take years.
		if at := ended.Add(policy.RestartDelay(restarts)); now.Before(at) && !now.Before(ended) {
			return Step{Restarts: restarts, At: at}
		}
	}
	return Step{Act: Start, Restarts: restarts + 1}
}

// FindService returns the record of a service and its latest task; either is nil if it is
// not known.
func FindService(r broker.Reader, name string) (*Service, *Task, error) {
	s, err := services.get(r, name)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	t, err := tasks.get(r, s.TID)
	if errors.Is(err, broker.ErrNotFound) {
		return s, nil, nil
	}
	return s, t, err
}

var services = table[*Service]{serviceKind, func(rec broker.Record) (*Service, error) {
	s := new(Service)
	err := fields(rec, s)
	if err == nil && (s.Name != rec.Key || s.TID != broker.ID(rec.Rank).String()) {
		err = errMismatch
	}
	return s, err
}}

// NextStep is [Service.Next] for the service of a manifest.
func NextStep(r broker.Reader, m *taskspec.Manifest, manager string, now time.Time) (Step, error) {
	s, t, err := FindService(r, m.Name)
	if err != nil {
		return Step{}, err
	}
	return s.Next(m.Policy, t, manager, now), nil
}

// ApplyStep performs the next step of a service for the manager with the TID manager. It
// decides in the same transaction, so that there is one instance, however many managers
// start and stop. act is the act that the caller has found, and how the submission if that
// was Start; if the act is different now, ApplyStep does nothing. It returns the step it
// has performed, and the task that it has started.
//
// It removes the result of the instance before the last one; late readers still find that
// of the last one.
func ApplyStep(tx *broker.Tx, m *taskspec.Manifest, act Act, how Submission, manager string, now time.Time) (Step, string, error) {
	s, t, err := FindService(tx, m.Name)
	if err != nil {
		return Step{}, "", err
	}
	step := s.Next(m.Policy, t, manager, now)
	if step.Act != act {
		step.Act = Nothing
	}
	if step.Act == Nothing {
		return step, "", nil
	}
	if s == nil {
		s = &Service{Name: m.Name}
	}
	s.Mode, s.Manager, s.Restarts = m.Policy.Mode, manager, step.Restarts
	if s.Mode == "" {
		s.Mode = taskspec.ModeOnce
	}
	if step.Act == Start {
		if s.Before != "" {
			if err := Take(tx, s.Before); err != nil && !errors.Is(err, broker.ErrNotFound) {
				return Step{}, "", err
			}
		}
		how.Service = m.Name
		s.Before = s.TID
		if s.TID, _, err = Submit(tx, how, now); err != nil {
			return Step{}, "", fmt.Errorf("start service %q: %w", m.Name, err)
		}
	}
	return step, s.TID, s.save(tx)
}

func (s *Service) save(tx *broker.Tx) error {
	id, err := broker.ParseID(s.TID)
	if err != nil {
		return fmt.Errorf("service %q: %w", s.Name, err)
	}
	tx.Notify(Services)
	return put(tx, broker.Record{Kind: serviceKind, Key: s.Name, Rank: int64(id)}, s)
}

// DropServices removes the services that no manifest declares any more and that have ended.
func DropServices(tx *broker.Tx, declared map[string]bool) error {
	recs, err := tx.Records(serviceKind, broker.RecordSelect{})
	if err != nil {
		return err
	}
	for _, rec := range recs {
		if declared[rec.Key] {
			continue
		}
		_, t, err := FindService(tx, rec.Key)
		if damaged(err) {
			continue // whether it has ended is not known
		}
		if err == nil && (t == nil || t.Status.Terminal()) {
			err = tx.DeleteRecord(serviceKind, rec.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
