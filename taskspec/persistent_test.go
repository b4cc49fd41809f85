package taskspec

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPersistentProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edit func(*Spec)
		want []string
	}{
		"alone":  {func(s *Spec) {}, nil},
		"later":  {func(s *Spec) { s.Delay, s.Key = time.Second, "k" }, nil},
		"limits": {func(s *Spec) { s.Limits.MemoryMB, s.Timeout = new(10.0), time.Second }, nil},
		"queues": {func(s *Spec) {
			s.Delay = time.Second
			s.IO.Inputs, s.IO.Outputs = map[string]string{"inbox": "raw.data"}, map[string]string{"outbox": "done"}
		}, nil},
		"talks":   {func(s *Spec) { s.Interactive, s.TTY = true, true }, []string{"spec.interactive", "spec.tty"}},
		"streams": {func(s *Spec) { s.StreamOutput = true }, []string{"spec.stream_output"}},
		"again":   {func(s *Spec) { s.Retry = &RetryPolicy{} }, []string{"spec.retry"}},
		"inline": {func(s *Spec) {
			*s = *function()
			s.Persistent, s.Isolation = true, IsolationInline
		}, []string{"spec.isolation"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := command()
			s.Persistent = true
			test.edit(s)
			var got []string
			for _, p := range s.Unsupported() {
				got = append(got, p.Path)
				if !strings.HasPrefix(p.Text, "does not go with persistent: ") {
					t.Errorf("%s says %q", p.Path, p.Text)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if !s.Slotless() {
				t.Error("it holds a slot while it waits")
			}
		})
	}
}

func TestItemRest(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second,
		6: 32 * time.Second, 7: time.Minute, 8: time.Minute, 1 << 40: time.Minute,
	} {
		if got := ItemRest(failures); got != want {
			t.Errorf("after %d failures it rests %v, want %v", failures, got, want)
		}
	}
}

// An item must not change what the next one begins with.
func TestCallWithSharesNothing(t *testing.T) {
	t.Parallel()
	base, err := function().Call(`{"args":[1,2],"kwargs":{"a":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := base.With("{}")
	for _, item := range []string{`{"args":[3],"kwargs":{"a":2}}`, "text"} {
		if _, err := base.With(item); err != nil {
			t.Fatal(err)
		}
	}
	want := Call{Args: []json.RawMessage{json.RawMessage("1"), json.RawMessage("2")}, Kwargs: map[string]json.RawMessage{"a": json.RawMessage("1")}}
	for _, got := range []Call{base, before} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("call (-want +got):\n%s", diff)
		}
	}
}
