package weft

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"weft/broker"
	"weft/internal/jsonobject"
	"weft/internal/ledger"
	"weft/manager"
	"weft/taskspec"
)

// A TaskStatus is the state of a task. Times that have not come are zero.
type TaskStatus struct {
	TID        string
	Name       string
	Status     taskspec.Status
	ReturnCode *int   // nil if it has none: still running, lost, or never run
	Signal     string // the signal that the command died of, "SIGSEGV", or empty
	Error      string // why it did not complete, one line, or empty
	LimitMeans string // by what means the limit that ended it was enforced: "cgroup", "rlimit" or "sampled"; else empty
	Narrowed   string // what its submitter has and its process could not get: "niceness 5 instead of 0"; or empty
	Details    string // what does not fit the line of Error: a stack, as a rule; or empty
	Paused     bool   // see [Task.Pause]

	// Lost means that it is recorded as running, and the process that ran it is dead: the
	// next manager records that. Unverified means that this process cannot be seen from
	// here, as in another pid namespace or without /proc. [Task.Status] and [Project.Tasks]
	// look; what waits for the end of a task does not.
	Lost, Unverified bool
	// Why says why it does not go on, one line that goes on after its name: "waits for a slot:
	// 4 of 4 in use". It is empty of a task that has ended, or goes on as far as is known.
	// WhyCode is one word for it, for programs: "slot", "delay", "retry", "item", "manager",
	// "manager_stopped", "disk_full", "trust", "function", "concurrency", "lost", "unverified",
	// "consumer_stopped", "stopping", "paused". Both are set as Lost is.
	Why, WhyCode string

	// Outbox is the queue that its spec names for results, empty for its own.
	Outbox string
	// Items is how far a persistent task is; nil for any other.
	Items      *ItemCount
	WaitingFor string // the queue that it waits for, to take its work item from; empty if it has begun, or waits for a slot only
	// ConcurrencyKey is its concurrency key, or empty; AwaitsKey tells that it has not begun
	// because as many others with the key run as may: see [Project.ConcurrencyUse].
	ConcurrencyKey string
	AwaitsKey      bool
	// Batch is the id of the batch that it belongs to, or empty, and Line its place in the
	// input of that: see [Project.RunMany].
	Batch   string
	Line    int
	PID     int // the task's own process; 0 if it has none or was over at once
	Attempt int // how often it was given to a consumer
	// NotBefore is when a task that waits for its time may begin: after its delay,
	// or before another attempt. Zero for any other. Its policy allows MaxAttempts,
	// of which there were Tried; both are 0 for a task that has none, or has not
	// begun.
	NotBefore   time.Time
	MaxAttempts int
	Tried       int
	ParentTID   string // the task that submitted it, or the pipeline that it is a stage of, or empty
	Pipeline    bool   // it is a pipeline: see [Task.Stages]
	// Stage is the name of the stage that a running pipeline has come to, the
	// StageNumber-th of StageCount; zero for any other task. StageNames are those of any
	// pipeline that has begun.
	Stage                   string
	StageNumber, StageCount int
	StageNames              []string
	Key                     string // that it was submitted with and holds, or empty
	Tags                    []string
	Loaded                  bool   // it came with a dump: its output is here only if that had not been consumed
	Service                 string // the service that it is an instance of, or empty
	Created                 time.Time
	// FirstStarted is when the first of its attempts started, if its policy has allowed
	// several; else zero.
	FirstStarted time.Time
	Started      time.Time
	Completed    time.Time
	CPUSeconds   float64 // of its own process and the children that one waited for; with limits, of all that was seen
	PeakMB       float64 // resident memory in MiB: of the largest of its processes, never less than its consumer had, about 8; with limits, of all of them, what they share counted for each; in a cgroup, with the files they read

	// What was seen of a task with limits, 0 if not measured: percent of one
	// core, descriptors, connections.
	PeakCPU         float64
	PeakFDs         int
	PeakConnections int

	// Done of Total is how far a function is that has called [Progress], with its
	// Note; a Total of 0 is not known. All are zero if it said nothing.
	Done, Total int64
	Note        string

	// Stderr is the end of what it wrote to its standard error, at most 64 KiB;
	// StderrTruncated says that there was more.
	Stderr          []byte
	StderrTruncated bool

	submitted ledger.Submitted
}

// Spec returns what was submitted, without the values of its environment and what
// [Options].Redact hides, and with the directory in which the work runs. It is nil for a
// pipeline, whose stages are tasks of their own, and where it is not known: before the task
// has begun only [Project.Tasks] and [Task.Status] look for it.
func (s *TaskStatus) Spec() *taskspec.Spec { return s.submitted.Shown() }

// Command returns the command of the task with its arguments, as far as [TaskStatus.Spec] has
// them. It is nil for a function and a pipeline.
func (s *TaskStatus) Command() []string {
	spec := s.Spec()
	if spec == nil || spec.Type != taskspec.KindCommand {
		return nil
	}
	argv, err := spec.Argv()
	if err != nil {
		return nil
	}
	return argv
}

// An ItemCount is how far a persistent task is: see [Task.Items].
type ItemCount struct {
	Done       int64  // items that completed
	Failed     int64  // items that did not
	BackingOff int    // items that failed, were put back, and are left alone for a while
	Activity   string // "waiting" or "working"; empty of a task that does not run
	// MessageID is the item that it works on; empty while it waits, or has ended.
	MessageID string
}

func newStatus(l *ledger.Task) *TaskStatus {
	s := new(TaskStatus)
	s.fill(l)
	return s
}

// fill is newStatus for a status that lies in something else.
func (s *TaskStatus) fill(l *ledger.Task) {
	*s = TaskStatus{
		TID:             l.TID,
		Name:            l.Name,
		Status:          l.Status,
		ReturnCode:      l.ReturnCode,
		Signal:          l.Signal,
		Error:           l.Error,
		LimitMeans:      l.LimitMeans,
		Narrowed:        l.Narrowed,
		Details:         l.Details,
		Paused:          l.Paused,
		WaitingFor:      ledger.WaitsFor(l),
		Batch:           l.Batch,
		Line:            l.Line,
		ConcurrencyKey:  l.Concurrency.Key,
		AwaitsKey:       ledger.AwaitsKey(l),
		Outbox:          l.Out,
		PID:             l.Process.PID,
		Attempt:         l.Epoch,
		NotBefore:       unixTime(l.NotBefore),
		MaxAttempts:     l.MaxAttempts,
		ParentTID:       l.Parent,
		Pipeline:        l.Pipeline,
		Key:             l.Key,
		Tags:            l.Tags,
		Loaded:          l.Loaded,
		Service:         l.Service,
		Created:         unixTime(l.Created),
		FirstStarted:    unixTime(l.FirstStarted),
		Started:         unixTime(l.Started),
		Completed:       unixTime(l.Completed),
		CPUSeconds:      l.Usage.CPUSeconds,
		PeakMB:          l.Usage.PeakMemoryMB,
		PeakCPU:         l.Usage.PeakCPUPercent,
		PeakFDs:         l.Usage.PeakFDs,
		PeakConnections: l.Usage.PeakConnections,
		Stderr:          l.Output.Stderr,
		StderrTruncated: l.Output.StderrTruncated(),
		submitted:       ledger.SubmittedOf(l),
	}
	if l.Items != nil {
		s.Items = &ItemCount{Done: l.Items.Done, Failed: l.Items.Failed, BackingOff: len(l.Items.BackingOff)}
		switch {
		case l.Status != taskspec.StatusRunning:
		case l.Message == 0:
			s.Items.Activity = "waiting"
		default:
			s.Items.Activity, s.Items.MessageID = "working", l.Message.String()
		}
	}
	if p := l.Progress; p != nil {
		s.Done, s.Total, s.Note = p.Done, p.Total, p.Note
	}
	if l.Plan != nil {
		for _, stage := range l.Plan.Stages {
			s.StageNames = append(s.StageNames, stage.Name)
		}
	}
	if l.Plan != nil && !l.Status.Terminal() {
		s.StageNumber, s.StageCount = l.Plan.Started(), len(l.Plan.Stages)
		s.Stage = l.Plan.Current().Name
	}
	if l.MaxAttempts > 0 {
		s.Tried = l.Epoch - l.Base
	}
}

// A looker finds out about tasks what their records do not say. It is for one moment: what
// tasks wait for is read once.
type looker struct {
	project *Project
	around  *ledger.Surroundings // nil until it is needed
	err     error                // of what was read
}

// status returns the status of a task that has this record, after a look at its processes.
func (k *looker) status(ctx context.Context, l *ledger.Task) (*TaskStatus, error) {
	if l.Status.Terminal() {
		return newStatus(l), nil
	}
	live := l.Look(nil)
	if live == ledger.Lost {
		// Its end may have been recorded since, and its consumer have gone then.
		again, err := loadTask(ctx, &Task{project: k.project, tid: l.TID})
		if errors.Is(err, ErrNoTask) || err == nil && again.Status.Terminal() {
			return newStatus(cmp.Or(again, l)), nil
		}
		if err != nil {
			return nil, err
		}
		l = again
		live = l.Look(k.surroundings(ctx).Manager)
	}
	reason := ledger.Reason{}
	if live == ledger.Live && l.Status != taskspec.StatusCreated { // most are
		reason = l.Reason(live, ledger.Surroundings{Now: time.Now(), FullDisk: fullDisk(k.project.dir)})
	} else {
		reason = l.Reason(live, k.surroundings(ctx))
	}
	s := newStatus(l)
	s.Lost, s.Unverified = live == ledger.Lost, live == ledger.Unverified
	s.Why, s.WhyCode = reason.Text, reason.Code
	if stage := l.Plan.Current(); stage != nil && s.Why == "" && k.err == nil {
		return s, k.addStage(ctx, s, stage.TID)
	}
	return s, k.err
}

// addStage adds to the status of a running pipeline what is the matter with its stage.
func (k *looker) addStage(ctx context.Context, s *TaskStatus, tid string) error {
	l, err := loadTask(ctx, &Task{project: k.project, tid: tid})
	if errors.Is(err, ErrNoTask) || errors.Is(err, broker.ErrDamaged) {
		return nil
	}
	if err != nil {
		return err
	}
	stage, err := k.status(ctx, l)
	if err == nil && stage.Why != "" {
		s.Lost, s.Unverified = stage.Lost, stage.Unverified
		s.Why, s.WhyCode = fmt.Sprintf("its stage %s %s", stage.Name, stage.Why), stage.WhyCode
	}
	return err
}

// surroundings reads what tasks wait for.
func (k *looker) surroundings(ctx context.Context) ledger.Surroundings {
	if k.around == nil {
		s, err := survey(ctx, k.project)
		k.around, k.err = &s, err
		s.HasItem = remember(func(queue string) bool {
			_, err := k.project.Queue(queue).Peek(ctx)
			return err == nil
		})
		use := remember(func(key string) [2]int {
			running, limit, err := k.project.ConcurrencyUse(ctx, key)
			k.err = cmp.Or(k.err, err)
			return [2]int{running, limit}
		})
		s.KeyUse = func(key string) (running, limit int) { u := use(key); return u[0], u[1] }
	}
	return *k.around
}

// remember calls f once for each name.
func remember[T any](f func(name string) T) func(string) T {
	known := make(map[string]T)
	return func(name string) T {
		v, is := known[name]
		if !is {
			v = f(name)
			known[name] = v
		}
		return v
	}
}

// survey reads what the tasks of a project may wait for.
func survey(ctx context.Context, p *Project) (s ledger.Surroundings, err error) {
	s, err = broker.View(ctx, p.broker, func(r broker.Reader) (ledger.Surroundings, error) { return ledger.Survey(r, time.Now()) })
	if err == nil {
		s.Managed, err = manager.Running(p.dir)
	}
	if err == nil {
		s.Quarantined, _, err = p.trust.Quarantine(ctx)
	}
	if err != nil {
		return s, fmt.Errorf("look what tasks wait for: %w", err)
	}
	s.Stopped = s.Managed && s.Manager != nil && s.Manager.IsStopped()
	s.FullDisk = fullDisk(p.dir)
	return s, nil
}

// Elapsed is how long the task has worked, until its end or else now.
func (s *TaskStatus) Elapsed(now time.Time) time.Duration {
	if s.Started.IsZero() {
		return 0
	}
	if !s.Completed.IsZero() {
		now = s.Completed
	}
	return max(0, now.Sub(s.Started))
}

// TotalElapsed is how long all the attempts at the task have taken, with the times between
// them, until its end or else now.
func (s *TaskStatus) TotalElapsed(now time.Time) time.Duration {
	if s.FirstStarted.IsZero() {
		return s.Elapsed(now)
	}
	if !s.Completed.IsZero() {
		now = s.Completed
	}
	return max(0, now.Sub(s.FirstStarted))
}

func unixTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// Err is nil if the task completed or has not ended, else a *[TaskError].
func (s *TaskStatus) Err() error {
	if s.Status == taskspec.StatusCompleted || !s.Status.Terminal() {
		return nil
	}
	return &TaskError{TID: s.TID, Status: s.Status, ReturnCode: s.ReturnCode, Signal: s.Signal, Reason: s.Error}
}

// told is the status in JSON.
func (s *TaskStatus) told() string {
	if s.Lost {
		return "lost"
	}
	return string(s.Status)
}

// MarshalJSON writes the status as an object. Times are there twice, in nanoseconds since
// 1970 and as text, and what there is not is null, or left out. The status of a task that is
// lost is "lost".
func (s TaskStatus) MarshalJSON() ([]byte, error) {
	var command []taskspec.RawString
	for _, word := range s.Command() {
		command = append(command, taskspec.RawString(word))
	}
	return jsonobject.New("tid", s.TID, "name", s.Name, "status", s.told(), "return_code", s.ReturnCode).
		AddOrNull("error", s.Error).AddOrNull("pid", s.PID).Add("attempt", s.Attempt).
		AddUnlessZero("max_attempts", s.MaxAttempts).AddUnlessZero("not_before", s.NotBefore).
		AddUnlessZero("unverified", s.Unverified).AddUnlessZero("why", s.Why).AddUnlessZero("why_code", s.WhyCode).
		AddUnlessZero("paused", s.Paused).AddUnlessZero("waiting_for", s.WaitingFor).
		AddUnlessZero("batch", s.Batch).AddUnlessZero("line", s.Line).AddUnlessZero("concurrency_key", s.ConcurrencyKey).AddUnlessZero("awaits_key", s.AwaitsKey).
		AddUnlessZero("items", s.Items).AddUnlessZero("service", s.Service).AddUnlessZero("tags", s.Tags).
		AddUnlessZero("command", command).
		AddTime("created", s.Created).AddTime("started", s.Started).AddTime("completed", s.Completed).MarshalJSON()
}

// MarshalJSON writes the counts as an object.
func (c ItemCount) MarshalJSON() ([]byte, error) {
	return jsonobject.New("done", c.Done, "failed", c.Failed).AddUnlessZero("resting", c.BackingOff).
		Add("activity", c.Activity).AddOrNull("message_id", c.MessageID).MarshalJSON()
}

// MarshalJSON writes the result as an object, as [TaskStatus.MarshalJSON] does.
func (r Result) MarshalJSON() ([]byte, error) {
	var output any // null: it is not there
	switch {
	case r.Large != nil:
		output = r.Large
	case r.Output != nil:
		output = jsonobject.TextOrBytes(r.Output)
	}
	metrics := jsonobject.New("time", r.Elapsed(r.Completed).Seconds(), "cpu_seconds", r.CPUSeconds, "peak_memory_mb", r.PeakMB).
		AddUnlessZero("peak_cpu_percent", r.PeakCPU).AddUnlessZero("peak_fds", r.PeakFDs).
		AddUnlessZero("peak_net_connections", r.PeakConnections)
	if !r.FirstStarted.IsZero() {
		metrics.Add("attempts", r.Tried).Add("total_time", r.TotalElapsed(r.Completed).Seconds())
	}
	return jsonobject.New("tid", r.TID, "status", r.told(), "return_code", r.ReturnCode, "output", output, "stderr", jsonobject.TextOrBytes(r.Stderr)).
		AddUnlessZero("stderr_truncated", r.StderrTruncated).AddOrNull("error", r.Error).
		AddUnlessZero("limit_means", r.LimitMeans).AddUnlessZero("narrowed", r.Narrowed).AddUnlessZero("details", r.Details).
		Add("metrics", metrics).MarshalJSON()
}
