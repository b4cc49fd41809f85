package taskspec

// notYet is the text of a problem with a feature that the format has and this
// version does not carry out.
const notYet = "not supported yet"

// feature is one such feature and whether a spec asks for it.
type feature struct {
	path string
	used bool
}

// Unsupported lists what the spec asks for and this version does not do yet,
// each as "field.path: not supported yet". Such a spec is valid; whoever
// submits it must refuse it, because running it without the feature would be a
// task with a limit that does not limit.
//
// To bring a feature, delete its row.
func (s *Spec) Unsupported() []Problem {
	w := &s.Work
	problems := asked([]feature{
		// A function has no standard input; what it does with its arguments is
		// between it and its host.
		{"spec.interactive", w.Interactive && w.Type == KindFunction},
		{"spec.tty", w.TTY && w.Type == KindFunction},
	})
	problems = append(problems, s.inlineProblems()...)
	problems = append(problems, s.persistentProblems()...)
	if s.Talks() && w.Retry != nil {
		problems = append(problems, Problem{"spec.retry", "does not go with an interactive task: who talks to it sees how it ends"})
	}
	return append(problems, s.queueProblems()...)
}

// inlineProblems lists what cannot be asked for of a function that shares a
// process with others.
func (s *Spec) inlineProblems() []Problem {
	w := &s.Work
	if !w.Inline() {
		return nil
	}
	var problems []Problem
	for _, f := range []feature{
		{"spec.type", w.Type != KindFunction},
		{"spec.limits", w.Limits != Limits{}},
		{"spec.env", len(w.Env) > 0},
		{"spec.env_from", len(w.EnvFrom) > 0},
		{"spec.working_dir", s.TID == "" && w.WorkingDir != ""},
		{"spec.stream_output", w.StreamOutput},
	} {
		if f.used {
			problems = append(problems, Problem{f.path, `does not go with isolation "inline", a function inside its host's process`})
		}
	}
	return problems
}

func asked(features []feature) []Problem {
	var problems []Problem
	for _, f := range features {
		if f.used {
			problems = append(problems, Problem{f.path, notYet})
		}
	}
	return problems
}
