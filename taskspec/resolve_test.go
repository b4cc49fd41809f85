package taskspec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolveFillsEveryDefault(t *testing.T) {
	t.Parallel()
	got := command().Resolve(testTID, "/p")
	want := &Spec{
		TID: testTID, Version: "1.0", Name: "greet",
		Work: Work{
			Type: KindCommand, ProcessTarget: "echo", Args: []any{}, KeywordArgs: map[string]any{},
			StopGrace: new(5 * time.Second), Env: map[string]string{}, EnvFrom: []string{}, CleanupOnExit: new(true),
			PollingInterval: time.Second, ReportingInterval: "transition", EnableProcessTitle: new(true),
			OutputSizeLimitMB: new(10.0), ReservedPolicyOnError: PolicyKeep, ReservedPolicyOnStop: PolicyKeep,
			OnManagerLoss: "continue", WeftContext: "/p", Isolation: "process",
		},
		IO: IO{
			Inputs:  map[string]string{"inbox": "T" + testTID + ".inbox"},
			Outputs: map[string]string{"outbox": "T" + testTID + ".outbox"},
			Control: map[string]string{"ctrl_in": "T" + testTID + ".ctrl_in", "ctrl_out": "T" + testTID + ".ctrl_out"},
		},
		State:    &State{Status: StatusCreated},
		Metadata: map[string]any{},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resolved spec differs (-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the resolved spec is not valid: %v", err)
	}
	if problems := got.Unsupported(); problems != nil {
		t.Errorf("the defaults are not supported: %v", problems)
	}
	if again := got.Resolve(testTID, "/p"); !cmp.Equal(got, again) {
		t.Errorf("resolving again changes the spec (-once +twice):\n%s", cmp.Diff(got, again))
	}
}

func TestResolveKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	s := decoded(t, allFields)
	got := s.Resolve(otherTID, "/q")
	want := decoded(t, allFields)
	want.TID, want.WeftContext = otherTID, "/q"
	want.IO.Control["ctrl_out"] = "T" + otherTID + ".ctrl_out"
	want.State = &State{Status: StatusCreated}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resolved spec differs (-want +got):\n%s", diff)
	}
}

// Whatever is done to the copy, the template stays as it was.
func TestResolveSharesNothing(t *testing.T) {
	t.Parallel()
	s := decoded(t, allFields)
	r := s.Resolve(testTID, "/p")
	w := &r.Work
	w.Args[0] = "changed"
	w.Args[5].(map[string]any)["k"].([]any)[0] = "changed"
	w.KeywordArgs["n"] = "changed"
	*w.Concurrency.Limit = 99
	w.Retry.On[0], *w.Retry.MaxAttempts = "changed", 99
	*w.Retry.Backoff, *w.Retry.MaxBackoff, *w.Retry.Jitter = -1, -1, -1
	w.Env["A"], w.EnvFrom[0] = "changed", "changed"
	for _, p := range []*float64{w.OutputSizeLimitMB, w.Limits.MemoryMB, w.Limits.CPUPercent} {
		*p = -1
	}
	*w.StopGrace = -1
	*w.Limits.MaxFDs, *w.Limits.MaxConnections, *w.Limits.OutputMB = -1, -1, -1
	*w.CleanupOnExit, *w.EnableProcessTitle = true, true
	r.IO.Inputs["inbox"], r.IO.Outputs["outbox"], r.IO.Control["ctrl_in"] = "x", "x", "x"
	r.Metadata["tags"].([]any)[0] = "changed"
	*r.State = State{}
	if diff := cmp.Diff(decoded(t, allFields), s); diff != "" {
		t.Errorf("the template changed (-before +after):\n%s", diff)
	}
}

// A spec comes back from its own JSON as it was, resolved or not.
func TestEncodedSpecComesBack(t *testing.T) {
	t.Parallel()
	for _, s := range []*Spec{decoded(t, allFields), decoded(t, `{"spec":{"args":[],"env":{},"limits":{}},"state":{}}`), command(), command().Resolve(testTID, "/p")} {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, decoded(t, string(data))); diff != "" {
			t.Errorf("%s comes back different (-before +after):\n%s", data, diff)
		}
	}
}

func decoded(t *testing.T, document string) *Spec {
	t.Helper()
	s, err := Decode([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
