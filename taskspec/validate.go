package taskspec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules are what [Spec.ValidateFor] needs to know beyond the spec. The zero
// value accepts a template as well as a task, on a machine of any size.
type Rules struct {
	// Template refuses what only a spawned task has: tid, state, weft_context.
	Template bool
	// Cores is the number of cores of the machine the task is for, as
	// runtime.NumCPU counts them. It bounds cpu_percent; 0 means unknown, and
	// then there is no upper bound.
	Cores int
}

// Validate checks every rule of the format that does not depend on the machine
// and returns a *[ValidationError] with all that is broken. The tid may be
// missing. Defaults are valid, so it does not matter whether they are filled in.
func (s *Spec) Validate() error { return s.ValidateFor(Rules{}) }

// ValidateTemplate is [Spec.Validate] for a spec that has not been spawned: it
// must not have a tid, a state or a weft_context.
func (s *Spec) ValidateTemplate() error { return s.ValidateFor(Rules{Template: true}) }

// ValidateFor is [Spec.Validate] with rules of its own.
func (s *Spec) ValidateFor(rules Rules) error {
	r := report{problems: s.problems(rules)}
	return r.err()
}

// problems returns all that is wrong, in the order of the format.
func (s *Spec) problems(rules Rules) []Problem {
	var r report
	checkHead(&r, s, rules)
	checkTarget(&r, &s.Spec)
	checkArguments(&r, &s.Spec)
	checkTimes(&r, &s.Spec)
	checkLimits(&r, &s.Spec.Limits, rules.Cores)
	checkEnvironment(&r, &s.Spec)
	checkChoices(&r, &s.Spec)
	for _, p := range s.Spec.reserved() {
		r.add(p.Path, p.Text)
	}
	checkQueues(&r, "io.inputs", s.IO.Inputs)
	checkQueues(&r, "io.outputs", s.IO.Outputs)
	checkQueues(&r, "io.control", s.IO.Control)
	if s.State != nil && !rules.Template {
		checkState(&r, s.State)
	}
	checkMetadata(&r, s.Metadata)
	return r.problems
}

// maxName is the greatest length of a task's name, in characters.
const maxName = 200

func checkHead(r *report, s *Spec, rules Rules) {
	const spawned = "not allowed in a template: it is set when the task is spawned"
	switch {
	case s.TID == "":
	case rules.Template:
		r.add("tid", spawned)
	case !validTID(s.TID):
		r.add("tid", "must be 19 digits that fit 63 bits")
	}
	if s.Version != "" && !validVersion(s.Version) {
		r.add("version", `must be two numbers with a dot, as in "1.0"`)
	}
	switch n := utf8.RuneCountInString(s.Name); {
	case n == 0:
		r.add("name", "required")
	case n > maxName:
		r.add("name", fmt.Sprintf("has %d characters, at most %d are allowed", n, maxName))
	}
	if strings.ContainsFunc(s.Name, unicode.IsControl) {
		r.add("name", "must not hold control characters")
	}
	checkUTF8(r, "name", s.Name)
	checkUTF8(r, "description", s.Description)
	if rules.Template && s.State != nil {
		r.add("state", spawned)
	}
	if rules.Template && s.Spec.WeftContext != "" {
		r.add("spec.weft_context", spawned)
	}
}

// validVersion reports whether v is two numbers with a dot between them.
func validVersion(v string) bool {
	number := func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	}
	major, minor, ok := strings.Cut(v, ".")
	return ok && number(major) && number(minor)
}

func checkTarget(r *report, w *Work) {
	const (
		process  = "spec.process_target"
		function = "spec.function_target"
	)
	switch w.Type {
	case KindCommand:
		checkRequired(r, process, w.ProcessTarget, "a command")
		checkOmitted(r, function, w.FunctionTarget, "a function")
		if len(w.KeywordArgs) > 0 {
			r.add("spec.keyword_args", "only a function takes keyword arguments")
		}
	case KindFunction:
		checkRequired(r, function, w.FunctionTarget, "a function")
		checkOmitted(r, process, w.ProcessTarget, "a command")
	case "":
		r.add("spec.type", `required: "command" or "function"`)
	default:
		r.add("spec.type", notOneOf(string(w.Type), string(KindCommand), string(KindFunction)))
	}
	checkOSText(r, process, w.ProcessTarget)
	checkOSText(r, function, w.FunctionTarget)
}

func checkRequired(r *report, path, target, kind string) {
	if strings.TrimSpace(target) == "" {
		r.add(path, "required for "+kind)
	}
}

func checkOmitted(r *report, path, target, kind string) {
	if target != "" {
		r.add(path, "only for "+kind)
	}
}

func checkArguments(r *report, w *Work) {
	const level = 3 // of args and keyword_args: in the spec's object, in the document's
	for i, arg := range w.Args {
		if w.Type != KindCommand {
			checkFree(r, element("spec.args", i), arg, level+1)
			continue
		}
		if text, ok := argText(arg); !ok {
			r.add(element("spec.args", i), badArgument)
		} else if !osText(text) {
			r.add(element("spec.args", i), notOSText)
		}
	}
	checkFreeMap(r, "spec.keyword_args", w.KeywordArgs, level)
}

func checkTimes(r *report, w *Work) {
	// Written so that NaN, which a spec built in Go may hold, is refused too.
	positive := func(path string, v *float64) {
		if v != nil && !(*v > 0 && *v <= maxSeconds) {
			r.add(path, fmt.Sprintf("must be more than 0 and at most %.0f seconds", maxSeconds))
		}
	}
	positive("spec.timeout", w.Timeout)
	if v := w.StopGrace; v != nil && !(*v >= 0 && *v <= maxSeconds) {
		r.add("spec.stop_grace", fmt.Sprintf("must be from 0 to %.0f seconds", maxSeconds))
	}
	positive("spec.polling_interval", w.PollingInterval)
	if v := w.OutputSizeLimitMB; v != nil && !(*v >= 0 && *v <= maxMB) {
		r.add("spec.output_size_limit_mb", fmt.Sprintf("must be from 0 to %d", maxMB))
	}
}

func checkLimits(r *report, l *Limits, cores int) {
	if v := l.MemoryMB; v != nil && !(*v >= 1 && *v <= maxMB) {
		r.add("spec.limits.memory_mb", fmt.Sprintf("must be from 1 to %d", maxMB))
	}
	switch v, most := l.CPUPercent, float64(100*cores); {
	case v == nil:
	case cores > 0 && !(*v >= 1 && *v <= most):
		r.add("spec.limits.cpu_percent", fmt.Sprintf("must be from 1 to %.0f, 100 for each core", most))
	case !(*v >= 1):
		r.add("spec.limits.cpu_percent", "must be at least 1")
	}
	if v := l.MaxFDs; v != nil && *v < 1 {
		r.add("spec.limits.max_fds", "must be at least 1")
	}
	if v := l.MaxConnections; v != nil && *v < 0 {
		r.add("spec.limits.max_connections", "must be at least 0")
	}
}

func checkEnvironment(r *report, w *Work) {
	const badName = `a variable's name must be valid UTF-8, not empty, without "=" and NUL characters`
	for _, name := range sortedKeys(w.Env) {
		path := child("spec.env", name)
		if !envName(name) {
			r.add(path, badName)
		}
		checkOSText(r, path, w.Env[name])
	}
	for i, name := range w.EnvFrom {
		if !envName(name) {
			r.add(element("spec.env_from", i), badName)
		}
	}
	checkOSText(r, "spec.working_dir", w.WorkingDir)
	checkOSText(r, "spec.weft_context", w.WeftContext)
}

// envName reports whether an operating system takes name for a variable.
func envName(name string) bool {
	return name != "" && !strings.Contains(name, "=") && osText(name)
}

func checkChoices(r *report, w *Work) {
	choice := func(path, got string, known ...string) {
		if got != "" && !slices.Contains(known, got) {
			r.add(path, notOneOf(got, known...))
		}
	}
	policies := []string{string(PolicyKeep), string(PolicyRequeue), string(PolicyClear)}
	choice("spec.reporting_interval", w.ReportingInterval, ReportTransition, ReportPoll)
	choice("spec.reserved_policy_on_error", string(w.ReservedPolicyOnError), policies...)
	choice("spec.reserved_policy_on_stop", string(w.ReservedPolicyOnStop), policies...)
	choice("spec.on_manager_loss", w.OnManagerLoss, LossContinue, LossStop)
}

// notOneOf says that got is none of the known values.
func notOneOf(got string, known ...string) string {
	return fmt.Sprintf(`must be "%s", not %s`, strings.Join(known, `" or "`), quote(got))
}

func checkState(r *report, s *State) {
	if s.Status != "" && !s.Status.Valid() {
		r.add("state.status", "unknown status "+quote(string(s.Status)))
	}
	atLeastZero(r, "state.started_at", &s.StartedAt)
	atLeastZero(r, "state.completed_at", &s.CompletedAt)
	atLeastZero(r, "state.pid", &s.PID)
	atLeastZero(r, "state.attempt", &s.Attempt)
	atLeastZero(r, "state.time", s.Time)
	atLeastZero(r, "state.memory", s.Memory)
	atLeastZero(r, "state.cpu", s.CPU)
	atLeastZero(r, "state.fds", s.FDs)
	atLeastZero(r, "state.net_connections", s.NetConnections)
	atLeastZero(r, "state.peak_memory", s.PeakMemory)
	atLeastZero(r, "state.peak_cpu", s.PeakCPU)
	atLeastZero(r, "state.peak_fds", s.PeakFDs)
	atLeastZero(r, "state.peak_net_connections", s.PeakNetConnections)
}

func atLeastZero[T int | int64 | float64](r *report, path string, v *T) {
	if v != nil && !(*v >= 0) {
		r.add(path, "must be at least 0")
	}
}

func checkMetadata(r *report, m map[string]any) {
	switch tags := m["tags"].(type) {
	case nil, []string:
	case []any:
		for i, tag := range tags {
			if _, ok := tag.(string); !ok {
				r.add(element("metadata.tags", i), "must be a string")
			}
		}
	default:
		r.add("metadata.tags", "must be a list of strings")
	}
	if parent := m["parent_tid"]; parent != nil {
		if tid, ok := parent.(string); !ok || !validTID(tid) {
			r.add("metadata.parent_tid", "must be a tid of 19 digits, as a string")
		}
	}
	checkFreeMap(r, "metadata", m, 2) // in the document's object
}

// sortedKeys returns the keys of m in an order that does not change from run to
// run. An empty map, the usual case, costs nothing.
func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
