package taskspec

import (
	"cmp"
	"maps"
)

// Resolve returns the task that s becomes when it is spawned with this id in
// the project at root: a copy with tid, weft_context, a state of "created" and
// every default filled in, for those who read what the task does. working_dir stays as it
// is, for only the submitter knows its own directory. s is not changed, and
// nothing that JSON decodes to is shared with it.
//
// Resolve does not validate: what was wrong with s is wrong with the copy.
func (s *Spec) Resolve(tid, root string) *Spec {
	r := *s
	r.TID = tid
	r.Version = cmp.Or(s.Version, Version)
	r.Work = s.resolve(root)
	r.IO = IO{
		Inputs:  withQueues(s.IO.Inputs, tid, "inbox"),
		Outputs: withQueues(s.IO.Outputs, tid, "outbox"),
		Control: withQueues(s.IO.Control, tid, "ctrl_in", "ctrl_out"),
	}
	r.State = &State{Status: StatusCreated}
	r.Metadata = copyMap(s.Metadata)
	return &r
}

func (w Work) resolve(root string) Work {
	w.Args = copyList(w.Args)
	w.KeywordArgs = copyMap(w.KeywordArgs)
	w.StopGrace = new(w.Grace())
	w.Limits = Limits{
		MemoryMB:       copied(w.Limits.MemoryMB),
		CPUPercent:     copied(w.Limits.CPUPercent),
		MaxFDs:         copied(w.Limits.MaxFDs),
		MaxConnections: copied(w.Limits.MaxConnections),
		OutputMB:       copied(w.Limits.OutputMB),
		OutputPolicy:   w.Limits.OutputPolicy,
	}
	env := make(map[string]string, len(w.Env))
	maps.Copy(env, w.Env)
	w.Env = env
	w.EnvFrom = append([]string{}, w.EnvFrom...)
	w.CleanupOnExit = new(w.Cleanup())
	w.PollingInterval = w.Polling()
	w.ReportingInterval = cmp.Or(w.ReportingInterval, ReportTransition)
	w.EnableProcessTitle = new(w.Title())
	w.OutputSizeLimitMB = new(valueOr(w.OutputSizeLimitMB, defaultOutputMB))
	w.ReservedPolicyOnError = w.ErrorPolicy()
	w.ReservedPolicyOnStop = w.StopPolicy()
	w.OnManagerLoss = cmp.Or(w.OnManagerLoss, LossContinue)
	w.WeftContext = root
	w.Retry = w.Retry.resolve()
	w.Concurrency = w.Concurrency.resolve()
	w.Isolation = cmp.Or(w.Isolation, IsolationProcess)
	return w
}

// taskQueue returns the default name of a task's queue.
func taskQueue(tid, name string) string { return "T" + tid + "." + name }

// withQueues returns a copy of queues in which none of the names is missing.
func withQueues(queues map[string]string, tid string, names ...string) map[string]string {
	all := make(map[string]string, len(queues)+len(names))
	for _, name := range names {
		all[name] = taskQueue(tid, name)
	}
	maps.Copy(all, queues)
	return all
}

// copyValue copies what JSON decodes to. Other Go values are immutable or the
// submitter's own affair.
func copyValue(value any) any {
	switch v := value.(type) {
	case []any:
		return copyList(v)
	case map[string]any:
		return copyMap(v)
	}
	return value
}

func copyList(list []any) []any {
	c := make([]any, len(list))
	for i, v := range list {
		c[i] = copyValue(v)
	}
	return c
}

func copyMap(m map[string]any) map[string]any {
	c := make(map[string]any, len(m))
	for key, v := range m {
		c[key] = copyValue(v)
	}
	return c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}
