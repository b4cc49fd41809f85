package taskspec

import "strings"

// maxQueueName is the greatest length of a queue's name, in bytes.
const maxQueueName = 512

// views is the prefix of queues that show records and cannot be written to. A
// task with such a queue could never hand off its result.
const views = "weft.state."

// own is the prefix of Weft's own queues, which no task may be wired to.
const own = "weft."

// queuesRule is the rule for one map of [IO].
func queuesRule() members {
	const reserved = "reserved"
	const pattern = `^[A-Za-z0-9_][A-Za-z0-9_.-]*$`
	valid := matches(pattern)
	name := func(queue string) string {
		if len(queue) <= maxQueueName && valid(queue) {
			return ""
		}
		return "queue name " + quote(queue) + ` must be 1 to 512 letters, digits, "_", "." and "-" and begin with none of the last two`
	}
	return members{
		keys: []*textRule{
			{unless(func(name string) bool { return name != "" }, "the name must not be empty"), schema{MinLength: new(1)}},
			{unless(func(name string) bool { return name != reserved }, "the reserved queue cannot be overridden"),
				schema{Not: &schema{Enum: []string{reserved}}}},
			unicodeRule(),
		},
		values: []*textRule{
			{name, schema{Pattern: pattern, MaxLength: new(maxQueueName)}},
			{unless(func(queue string) bool { return !strings.HasPrefix(queue, views) }, views+"* queues are views and cannot be used"),
				schema{Not: &schema{Pattern: `^weft\.state\.`}}},
		},
	}
}

// queueProblems lists what is wrong with the queues that a task is to use
// instead of its own.
func (s *Spec) queueProblems() []Problem {
	w := &s.Work
	var problems []Problem
	add := func(used bool, path, text string) {
		if used {
			problems = append(problems, Problem{path, text})
		}
	}
	each := func(path string, queues map[string]string, check func(path, queue string)) {
		for _, name := range sortedKeys(queues) {
			if s.TID == "" || queues[name] != taskQueue(s.TID, name) {
				check(child(path, name), queues[name])
			}
		}
	}
	refuse := func(path, _ string) { add(true, path, notYet) }
	each("io.inputs", s.IO.Inputs, func(path, queue string) {
		if path != "io.inputs.inbox" {
			refuse(path, queue)
			return
		}
		add(strings.HasPrefix(queue, own), path, own+"* queues are Weft's own")
		add(w.Inline(), path, `does not go with isolation "inline"`)
		add(s.Talks(), path, "does not go with an interactive task")
		add((w.Retry != nil || w.Delay > 0) && !w.Persistent, path, "does not go with retry or delay_seconds: others would take the item meanwhile")
	})
	each("io.outputs", s.IO.Outputs, func(path, queue string) {
		if path != "io.outputs.outbox" {
			refuse(path, queue)
			return
		}
		add(strings.HasPrefix(queue, own), path, own+"* queues are Weft's own")
		add(w.StreamOutput, path, "does not go with stream_output, whose chunks are no results")
		add(s.Talks(), path, "does not go with an interactive task")
	})
	each("io.control", s.IO.Control, func(path, queue string) {
		if path != "io.control.ctrl_in" && path != "io.control.ctrl_out" {
			refuse(path, queue)
			return
		}
		add(strings.HasPrefix(queue, own), path, own+"* queues are Weft's own")
		for _, queues := range []map[string]string{s.IO.Inputs, s.IO.Outputs} {
			for _, other := range queues {
				add(queue == other, path, "is the task's queue for something else as well")
			}
		}
		add(path == "io.control.ctrl_out" && queue == s.IO.Control["ctrl_in"], path, "is ctrl_in as well: the task would obey its own replies")
	})
	return problems
}
