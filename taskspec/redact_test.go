package taskspec

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedacted(t *testing.T) {
	t.Parallel()
	type login struct{ Password string }
	original := func() *Spec {
		return &Spec{
			TID: testTID, Name: "n", Description: "d",
			Work: Work{
				Type: KindFunction, Args: []any{"a", json.Number("1"), map[string]any{"pin": json.Number("1234")}},
				KeywordArgs: map[string]any{"user": "u", "login": login{"p"}, "nested": map[string]any{"token": "t", "port": 1}},
				Timeout:     time.Second, Env: map[string]string{"A": "secret", "B": ""}, EnvFrom: []string{"TOKEN", "KEY"}, TTY: true,
			},
			IO:    IO{Inputs: map[string]string{"inbox": "q"}},
			State: &State{Status: StatusFailed, ReturnCode: new(1), Error: "e"},
			Metadata: map[string]any{"token": "t", "a.b": "dotted", "a": map[string]any{"b": "nested"},
				"labels": map[string]string{"x": "y"}, "codes": map[int]string{1: "c"}, "login": &login{"p"}, "none": nil},
		}
	}
	const hidden = "[redacted]"
	tests := map[string]struct {
		paths []string
		edit  func(*Spec)
	}{
		"env alone":           {nil, func(*Spec) {}},
		"empty paths":         {[]string{"", " "}, func(*Spec) {}},
		"nowhere":             {[]string{"spec.nothing", "metadata.x.y", "name.x", "spec.args.9", "spec.args.x", "metadata.none.x", ".", "spec.timeout.x"}, func(*Spec) {}},
		"text":                {[]string{"description"}, func(s *Spec) { s.Description = hidden }},
		"named text":          {[]string{" spec.type "}, func(s *Spec) { s.Type = hidden }},
		"empty text":          {[]string{"version", "spec.working_dir"}, func(*Spec) {}},
		"number and flag":     {[]string{"spec.timeout", "spec.tty"}, func(s *Spec) { s.Timeout, s.TTY = 0, false }},
		"list":                {[]string{"spec.args"}, func(s *Spec) { s.Args = []any{hidden} }},
		"list of text":        {[]string{"spec.env_from"}, func(s *Spec) { s.EnvFrom = []string{hidden} }},
		"element":             {[]string{"spec.args.1"}, func(s *Spec) { s.Args[1] = hidden }},
		"inside an element":   {[]string{"spec.args.2.pin"}, func(s *Spec) { s.Args[2] = map[string]any{"pin": hidden} }},
		"one variable":        {[]string{"spec.env.A"}, func(*Spec) {}},
		"map":                 {[]string{"spec.keyword_args"}, func(s *Spec) { s.KeywordArgs = map[string]any{"user": hidden, "login": hidden, "nested": hidden} }},
		"deep":                {[]string{"spec.keyword_args.nested.token"}, func(s *Spec) { s.KeywordArgs["nested"] = map[string]any{"token": hidden, "port": 1} }},
		"into a Go struct":    {[]string{"spec.keyword_args.login.Password"}, func(s *Spec) { s.KeywordArgs["login"] = hidden }},
		"into a Go pointer":   {[]string{"metadata.login.Password"}, func(s *Spec) { s.Metadata["login"] = hidden }},
		"into a Go map":       {[]string{"metadata.labels.x"}, func(s *Spec) { s.Metadata["labels"] = map[string]string{"x": hidden} }},
		"into a map of codes": {[]string{"metadata.codes.1"}, func(s *Spec) { s.Metadata["codes"] = hidden }},
		"metadata":            {[]string{"metadata.token"}, func(s *Spec) { s.Metadata["token"] = hidden }},
		"dotted key":          {[]string{"metadata.a.b"}, func(s *Spec) { s.Metadata["a.b"], s.Metadata["a"] = hidden, map[string]any{"b": hidden} }},
		"queue":               {[]string{"io.inputs.inbox"}, func(s *Spec) { s.IO.Inputs = map[string]string{"inbox": hidden} }},
		"record":              {[]string{"io"}, func(s *Spec) { s.IO.Inputs = map[string]string{"inbox": hidden} }},
		"behind a pointer":    {[]string{"state.error"}, func(s *Spec) { s.State.Error = hidden }},
		"pointer":             {[]string{"state"}, func(s *Spec) { s.State = nil }},
		"two paths": {[]string{"metadata.token", "metadata.a.b"}, func(s *Spec) {
			s.Metadata["token"], s.Metadata["a.b"], s.Metadata["a"] = hidden, hidden, map[string]any{"b": hidden}
		}},
		"whole work": {[]string{"spec"}, func(s *Spec) {
			s.Work = Work{Type: hidden, Args: []any{hidden}, KeywordArgs: map[string]any{"user": hidden, "login": hidden, "nested": hidden}, EnvFrom: []string{hidden}}
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, want := original(), original()
			test.edit(want)
			want.Env = map[string]string{"A": hidden, "B": hidden}
			if diff := cmp.Diff(want, s.Redacted(test.paths...)); diff != "" {
				t.Errorf("redacted spec differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(original(), s); diff != "" {
				t.Errorf("the original changed (-before +after):\n%s", diff)
			}
		})
	}
	if got := command().Redacted("spec.env", "state.error", "metadata.a"); !cmp.Equal(got, command()) {
		t.Errorf("nothing to hide, and yet: %s", cmp.Diff(command(), got))
	}
}
