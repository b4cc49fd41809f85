package taskspec

import "time"

// persistentProblems lists what cannot be asked for of a task that takes item
// after item.
func (s *Spec) persistentProblems() []Problem {
	w := &s.Work
	if !w.Persistent {
		return nil
	}
	var problems []Problem
	for _, f := range []struct {
		path string
		used bool
		why  string
	}{
		{"spec.interactive", w.Interactive, "its inbox holds items, not lines of one conversation"},
		{"spec.tty", w.TTY, "each item has a process of its own"},
		{"spec.isolation", w.Inline(), "each item has a process of its own"},
		{"spec.stream_output", w.StreamOutput, "its outbox holds one result for each item"},
		{"spec.retry", w.Retry != nil, "what becomes of an item that fails is said by reserved_policy_on_error"},
	} {
		if f.used {
			problems = append(problems, Problem{f.path, "does not go with persistent: " + f.why})
		}
	}
	return problems
}

// The rest of an item that failed and was put back.
const (
	firstRest = time.Second
	MaxRest   = time.Minute
)

// ItemRest is how long a persistent task leaves an item alone that it has failed on
// so many times in a row and that its policy puts back: 1 s, doubling to 60 s. An
// item that cannot be done must not keep the task, and the store, busy.
func ItemRest(failures int) time.Duration {
	return doubled(firstRest, failures-1, MaxRest)
}
