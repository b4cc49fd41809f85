package taskspec

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

var statuses = []Status{StatusCreated, StatusSpawning, StatusRunning,
	StatusCompleted, StatusFailed, StatusTimeout, StatusCancelled, StatusKilled}

// The whole table, a row for each status a task can be in and a column for each
// it can go to, in the order of statuses.
func TestTransition(t *testing.T) {
	t.Parallel()
	table := map[Status]string{
		StatusCreated:   ".x.xxxxx",
		StatusSpawning:  "..xxxxxx",
		StatusRunning:   "...xxxxx",
		StatusCompleted: "........",
		StatusFailed:    "........",
		StatusTimeout:   "........",
		StatusCancelled: "........",
		StatusKilled:    "........",
		"":              "........",
		"done":          "........",
	}
	for from, row := range table {
		for i, to := range statuses {
			err := Transition(from, to)
			if allowed := row[i] == 'x'; (err == nil) != allowed {
				t.Errorf("Transition(%q, %q) = %v, want allowed = %v", from, to, err, allowed)
			}
			if e, ok := errors.AsType[*TransitionError](err); err != nil && (!ok || e.From != from || e.To != to) {
				t.Errorf("Transition(%q, %q) returned %#v", from, to, err)
			}
		}
		if Transition(from, "done") == nil {
			t.Errorf("Transition(%q, done) is allowed", from)
		}
	}
}

func TestWaysBackToCreated(t *testing.T) {
	t.Parallel()
	for i, s := range statuses {
		if got, want := Retry(s) == nil, i >= 3; got != want {
			t.Errorf("Retry(%s) allowed = %v, want %v", s, got, want)
		}
		if got, want := Undispatch(s) == nil, s == StatusSpawning; got != want {
			t.Errorf("Undispatch(%s) allowed = %v, want %v", s, got, want)
		}
		if got, want := s.Terminal(), i >= 3; got != want {
			t.Errorf("%s.Terminal() = %v, want %v", s, got, want)
		}
		if !s.Valid() {
			t.Errorf("%s is not valid", s)
		}
	}
	for _, s := range []Status{"", "Created", "done"} {
		if s.Valid() || s.Terminal() || Retry(s) == nil || Undispatch(s) == nil {
			t.Errorf("%q counts as a status", s)
		}
	}
}

func TestTransitionError(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		`change task from "failed" to "running": it has ended`:                   Transition(StatusFailed, StatusRunning),
		`change task from "running" to "spawning": there is no such transition`:  Transition(StatusRunning, StatusSpawning),
		`change task from "spawning" to "created": there is no such transition`:  Retry(StatusSpawning),
		`change task from "completed" to "created": it has ended`:                Undispatch(StatusCompleted),
		"change task from \"a\\nb\" to \"running\": there is no such transition": Transition("a\nb", StatusRunning),
	} {
		if text(err) != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// A task that changes its status as it likes comes to one end, in at most three
// steps, and stays there until somebody retries it.
func TestTerminalStaysTerminal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		status, steps := StatusCreated, 0
		wishes := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(statuses), rapid.Map(rapid.String(), func(s string) Status { return Status(s) })))
		for _, wish := range wishes.Draw(t, "wishes") {
			err := Transition(status, wish)
			if status.Terminal() && err == nil {
				t.Fatalf("%s went on to %q", status, wish)
			}
			if err == nil {
				status, steps = wish, steps+1
			}
			if !status.Valid() || steps > 3 {
				t.Fatalf("%q after %d steps", status, steps)
			}
		}
	})
}
