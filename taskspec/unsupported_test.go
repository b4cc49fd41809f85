package taskspec

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A function inside its host has neither limits nor surroundings of its own.
func TestInlineProblems(t *testing.T) {
	t.Parallel()
	s := function()
	s.Isolation, s.Limits.MaxFDs, s.Env, s.WorkingDir = IsolationInline, new(3), map[string]string{"A": "1"}, "/"
	var got []string
	for _, p := range s.Unsupported() {
		got = append(got, p.Path)
	}
	if diff := cmp.Diff([]string{"spec.limits", "spec.env", "spec.working_dir"}, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	s = command()
	s.Isolation = IsolationInline
	if problems := s.Unsupported(); len(problems) != 1 || problems[0].Path != "spec.type" {
		t.Errorf("problems of a command: %v", problems)
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit func(*Spec)
		want []string
	}{
		"plain": {func(*Spec) {}, nil},
		"supported": {func(s *Spec) {
			s.EnvFrom, s.OnManagerLoss, s.ReservedPolicyOnError = []string{"A"}, LossStop, PolicyRequeue
			s.Limits, s.ReportingInterval = Limits{new(1.0), new(1.0), new(1), new(0), new(1.0), OutputKill}, ReportPoll
		}, nil},
		"function":      {func(s *Spec) { *s = *function() }, nil},
		"terminal":      {func(s *Spec) { s.Interactive, s.TTY = true, true }, nil},
		"talk":          {func(s *Spec) { *s = *function(); s.Interactive, s.TTY = true, true }, []string{"spec.interactive", "spec.tty"}},
		"streams":       {func(s *Spec) { s.StreamOutput = true }, nil},
		"transition":    {func(s *Spec) { s.ReportingInterval, s.Isolation = ReportTransition, "process" }, nil},
		"inline":        {func(s *Spec) { *s = *function(); s.Isolation = IsolationInline }, nil},
		"one at a time": {func(s *Spec) { s.Concurrency = &Concurrency{Key: "k"} }, nil},
		"later":         {func(s *Spec) { s.Retry, s.Delay = &RetryPolicy{}, time.Second }, nil},
		"queues": {func(s *Spec) {
			s.IO.Inputs = map[string]string{"inbox": "raw.data", "b": "q"}
			s.IO.Outputs = map[string]string{"outbox": "done"}
			s.IO.Control = map[string]string{"ctrl_in": "c", "ctrl_out": "d", "ctrl": "e"}
		}, []string{"io.inputs.b", "io.control.ctrl"}},
		"own queues": {func(s *Spec) { *s = *s.Resolve(testTID, "/p") }, nil},
		"own queues of another": {func(s *Spec) {
			*s = *s.Resolve(testTID, "/p")
			s.TID = otherTID
		}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := command()
			test.edit(s)
			var got []string
			for _, p := range s.Unsupported() {
				got = append(got, p.Path)
				if p.Text != "not supported yet" {
					t.Errorf("%s says %q", p.Path, p.Text)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Unsupported differs (-want +got):\n%s", diff)
			}
		})
	}
}

// What the queues of a task cannot be, and what they do not go with.
func TestQueueProblems(t *testing.T) {
	t.Parallel()
	wired := func(inbox, outbox string, edit func(*Work)) *Spec {
		s := function()
		s.IO = IO{Inputs: map[string]string{"inbox": inbox}, Outputs: map[string]string{"outbox": outbox}}
		if edit(&s.Work); inbox == "" {
			s.IO.Inputs = nil
		}
		return s
	}
	controlled := func(in, out string) *Spec {
		s := wired("a", "b", func(*Work) {})
		s.IO.Control = map[string]string{"ctrl_in": in, "ctrl_out": out}
		return s
	}
	tests := map[string]struct {
		spec *Spec
		want []Problem
	}{
		"longest input": {wired(strings.Repeat("q", 512), strings.Repeat("q", 512), func(*Work) {}), nil},
		"weft's own": {wired("weft.log.tasks", "weft.spawn.requests", func(*Work) {}), []Problem{
			{"io.inputs.inbox", "weft.* queues are Weft's own"}, {"io.outputs.outbox", "weft.* queues are Weft's own"}}},
		"inline": {wired("a", "b", func(w *Work) { w.Isolation = IsolationInline }), []Problem{
			{"io.inputs.inbox", `does not go with isolation "inline"`}}},
		"control": {controlled("c", "d"), nil},
		"control, own": {controlled("weft.log.tasks", "weft.manager.ctrl_in"), []Problem{
			{"io.control.ctrl_in", "weft.* queues are Weft's own"}, {"io.control.ctrl_out", "weft.* queues are Weft's own"}}},
		"control, the same": {controlled("c", "c"), []Problem{
			{"io.control.ctrl_out", "is ctrl_in as well: the task would obey its own replies"}}},
		"control, inbox and outbox": {controlled("a", "b"), []Problem{
			{"io.control.ctrl_in", "is the task's queue for something else as well"}, {"io.control.ctrl_out", "is the task's queue for something else as well"}}},
		"one at a time": {wired("a", "b", func(w *Work) { w.Concurrency = &Concurrency{Key: "k"} }), []Problem{
			{"io.inputs.inbox", "does not go with concurrency: a task that waits for its item would keep others with its key from running"}}},
		"items of a persistent task": {wired("a", "b", func(w *Work) { w.Concurrency, w.Persistent = &Concurrency{Key: "k"}, true }), nil},
		"inline output":              {wired("", "b", func(w *Work) { w.Isolation = IsolationInline }), nil},
		"stream": {wired("a", "b", func(w *Work) { w.StreamOutput = true }), []Problem{
			{"io.outputs.outbox", "does not go with stream_output, whose chunks are no results"}}},
		"interactive": {wired("a", "b", func(w *Work) { w.Interactive = true }), []Problem{
			{"io.inputs.inbox", "does not go with an interactive task"}, {"io.outputs.outbox", "does not go with an interactive task"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.spec.queueProblems()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
