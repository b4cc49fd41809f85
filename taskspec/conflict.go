package taskspec

import (
	"maps"
	"slices"
	"strings"
)

// notYet is the text of a problem with a feature that the format has and this
// version does not carry out.
const notYet = "not supported yet"

// conflict is something that a spec may ask for, with what is wrong with that.
type conflict struct {
	asked bool
	path  string
	text  string
}

// conflicts are the problems of what is asked for.
func conflicts(all ...conflict) (problems []Problem) {
	for _, c := range all {
		if c.asked {
			problems = append(problems, Problem{c.path, c.text})
		}
	}
	return problems
}

// Unsupported lists what the spec asks for and this version does not do yet,
// each as "field.path: not supported yet", and what does not go together. Such a spec is
// valid; whoever submits it must refuse it, because running it without the feature would
// be a task with a limit that does not limit.
func (s *Spec) Unsupported() []Problem {
	const (
		inline     = `does not go with isolation "inline", a function inside its host's process`
		persistent = "does not go with persistent: "
	)
	w := &s.Work
	in, p, function := w.Inline(), w.Persistent, w.Type == KindFunction
	problems := conflicts(
		// A function has no standard input; what it does with its arguments is
		// between it and its host.
		conflict{w.Interactive && function, "spec.interactive", notYet},
		conflict{w.TTY && function, "spec.tty", notYet},

		conflict{in && !function, "spec.type", inline},
		conflict{in && w.Limits != Limits{}, "spec.limits", inline},
		conflict{in && len(w.Env) > 0, "spec.env", inline},
		conflict{in && len(w.EnvFrom) > 0, "spec.env_from", inline},
		conflict{in && s.TID == "" && w.WorkingDir != "", "spec.working_dir", inline},
		conflict{in && w.StreamOutput, "spec.stream_output", inline},

		conflict{p && w.Interactive, "spec.interactive", persistent + "its inbox holds items, not lines of one conversation"},
		conflict{p && w.TTY, "spec.tty", persistent + "each item has a process of its own"},
		conflict{p && in, "spec.isolation", persistent + "each item has a process of its own"},
		conflict{p && w.StreamOutput, "spec.stream_output", persistent + "its outbox holds one result for each item"},
		conflict{p && w.Retry != nil, "spec.retry", persistent + "what becomes of an item that fails is said by reserved_policy_on_error"},

		conflict{s.Talks() && w.Retry != nil, "spec.retry", "does not go with an interactive task: who talks to it sees how it ends"},
	)
	return append(problems, s.queueProblems()...)
}

// StageProblems lists what the spec asks for that a stage of a pipeline cannot
// have.
func (s *Spec) StageProblems() []Problem {
	const stage = "does not go with a stage of a pipeline"
	w := &s.Work
	return conflicts(
		conflict{w.Interactive, "spec.interactive", stage},
		conflict{w.TTY, "spec.tty", stage},
		conflict{w.Persistent, "spec.persistent", stage},
		conflict{w.Key != "", "spec.key", stage},
	)
}

// queueProblems lists what is wrong with the queues that a task is to use
// instead of its own.
func (s *Spec) queueProblems() (problems []Problem) {
	const talks = "does not go with an interactive task"
	w := &s.Work
	for _, use := range []struct {
		path   string
		queues map[string]string
		names  []string
	}{
		{"io.inputs", s.IO.Inputs, []string{"inbox"}},
		{"io.outputs", s.IO.Outputs, []string{"outbox"}},
		{"io.control", s.IO.Control, []string{"ctrl_in", "ctrl_out"}},
	} {
		for _, name := range sortedKeys(use.queues) {
			path, queue := child(use.path, name), use.queues[name]
			switch {
			case s.TID != "" && queue == taskQueue(s.TID, name):
				continue
			case !slices.Contains(use.names, name):
				problems = append(problems, Problem{path, notYet})
				continue
			}
			in, out, control := name == "inbox", name == "outbox", use.path == "io.control"
			problems = append(problems, conflicts(
				conflict{strings.HasPrefix(queue, own), path, own + "* queues are Weft's own"},
				conflict{in && w.Inline(), path, `does not go with isolation "inline"`},
				conflict{out && w.StreamOutput, path, "does not go with stream_output, whose chunks are no results"},
				conflict{!control && s.Talks(), path, talks},
				conflict{in && (w.Retry != nil || w.Delay > 0) && !w.Persistent, path,
					"does not go with retry or delay_seconds: others would take the item meanwhile"},
				conflict{in && w.Concurrency != nil && !w.Persistent, path,
					"does not go with concurrency: a task that waits for its item would keep others with its key from running"},
				conflict{control && s.IO.uses(queue), path, "is the task's queue for something else as well"},
				conflict{name == "ctrl_out" && queue == s.IO.Control["ctrl_in"], path, "is ctrl_in as well: the task would obey its own replies"},
			)...)
		}
	}
	return problems
}

// uses reports whether the queue is one for items or results.
func (io IO) uses(queue string) bool {
	is := func(other string) bool { return other == queue }
	return slices.ContainsFunc(slices.Collect(maps.Values(io.Inputs)), is) || slices.ContainsFunc(slices.Collect(maps.Values(io.Outputs)), is)
}
