// Package taskspec says what a task is: its format, its rules, its states and
// how it can end. It decides and never acts: nothing in it reads a file, a
// clock, the environment or a queue.
//
// A task begins as JSON written by a person or a program:
//
//	{"name": "greet", "spec": {"type": "command", "process_target": "echo", "args": ["hello"]}}
//
// [Decode] reads that strictly: a field it does not know, a field given twice
// or in another case is an error, never something to skip, because a
// misspelled "timeout" that is ignored is a task without one.
// [Spec.ValidateTemplate] then checks every rule and reports all that is
// broken at once, and [DecodeValid] does both and reports both together. Such
// a spec is a template: it has no id yet. [Spec.Resolve] makes the task of it
// by filling in the id and every default, and from there on the tid, the work
// and the queues do not change.
//
// While the task lives, [Transition] says which change of its [Status] is
// allowed, and [CommandItem] reads what its inbox holds. When it ends, one of
// [Exited], [Signaled], [NotStarted], [TimedOut], [Limited], [Stopped],
// [Killed], [Lost], [Failed] and [Rejected] gives the [Outcome]: status,
// return code, error and event in one value, so that no two places can tell
// the end of a task differently. [Outcome.Policy] says what becomes of the
// message it was working on.
//
// What there is to say about a field besides its name and its form stands in
// one table: [Spec.Validate] checks it, and [Schema] writes it as JSON Schema,
// for editors.
//
// What the format knows and this version cannot do yet is listed by
// [Spec.Unsupported], so that it is refused by name rather than ignored.
//
// Specs are plain values without locks: reading one from several goroutines is
// safe, changing it meanwhile is not. No function here changes its receiver.
package taskspec
