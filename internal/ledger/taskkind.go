package ledger

import "weft/taskspec"

// A TaskKind says what runs a task.
type TaskKind int

// The kinds of tasks.
const (
	OneItem    TaskKind = iota // a consumer works on one item
	Persistent                 // a consumer works on item after item
	Inline                     // a program calls one of its own functions
	Pipeline                   // nothing does: its stages are tasks of their own
)

// traits are what differs between the kinds of tasks.
type traits struct {
	consumer bool // the manager dispatches it to a consumer, and watches that
	slot     bool // it holds a slot of the manager's, unless it is slotless
	items    bool // it takes its items while it runs, and its outbox holds a result of each
	pausable bool
}

var traitsOf = [...]traits{
	OneItem:    {consumer: true, slot: true, pausable: true},
	Persistent: {consumer: true, items: true, pausable: true},
	Inline:     {},
	Pipeline:   {pausable: true}, // its current stage is paused
}

// kindOf returns the kind of a task with this work, unless it is a pipeline.
func kindOf(w *taskspec.Work) TaskKind {
	switch {
	case w.Inline():
		return Inline
	case w.Persistent:
		return Persistent
	}
	return OneItem
}

// Kind returns the kind of the task.
func (t *Task) Kind() TaskKind {
	switch {
	case t.Pipeline:
		return Pipeline
	case t.Inline != "":
		return Inline
	case t.Items != nil:
		return Persistent
	}
	return OneItem
}

// setKind makes it a task of this kind, which is that of its work. A task that has items
// keeps them.
func (t *Task) setKind(w *taskspec.Work) {
	switch kind := kindOf(w); {
	case kind == Inline:
		t.Inline = w.FunctionTarget
	case kind == Persistent && t.Items == nil:
		t.Items = new(Items)
	}
}

func (t *Task) traits() traits { return traitsOf[t.Kind()] }

// holdsSlot reports whether the task holds a slot while it runs.
func (t *Task) holdsSlot() bool { return t.traits().slot && !t.Slotless }

// HasConsumer reports whether a consumer runs the task, which the manager watches.
func (t *Task) HasConsumer() bool { return t.traits().consumer }

// kind returns the kind of the job's task.
func (j *Job) kind() TaskKind {
	if j.plan != nil {
		return Pipeline
	}
	return kindOf(&j.Work)
}
