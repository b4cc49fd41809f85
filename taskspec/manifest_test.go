package taskspec

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// webManifest sets every field of a manifest.
const webManifest = `{
	"name": "web",
	"target": {"type": "task", "name": "serve"},
	"policy": {"mode": "ensure", "max_restarts": 5, "backoff_seconds": 0.5},
	"defaults": {"args": ["--port", 80], "keyword_args": {"a": [1]}, "env": {"A": "1"}, "input": {"stdin": "x"}}
}`

func TestDecodeManifest(t *testing.T) {
	t.Parallel()
	got, err := DecodeManifest([]byte(webManifest))
	want := &Manifest{
		Name:   "web",
		Target: ManifestTarget{TargetTask, "serve"},
		Policy: ServicePolicy{ModeEnsure, new(5), time.Second / 2},
		Defaults: Defaults{
			Args:        []any{"--port", json.Number("80")},
			KeywordArgs: map[string]any{"a": []any{json.Number("1")}},
			Env:         map[string]string{"A": "1"},
			Input:       map[string]any{"stdin": "x"},
		},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(want, mustDecode(t, `{"name":"a","target":{"type":"pipeline","name":"p"},"policy":null}`),
		cmp.FilterPath(func(p cmp.Path) bool { return len(p) > 1 }, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
}

func mustDecode(t *testing.T, text string) *Manifest {
	t.Helper()
	m, err := DecodeManifest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Everything that is wrong is told at once.
func TestManifestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:    "not valid JSON",
		`[]`:   "want an object, got a list",
		`{}`:   "name: required|target.type: required|target.name: required",
		`null`: "want an object, got null",
		`{"name":"a","target":{"type":"task","spec":{"type":"command"}}}`:                                                                 "target.spec: unknown field|target.name: required",
		`{"name":"a","target":{"type":"job","name":"x"}}`:                                                                                 `target.type: must be "task" or "pipeline", not "job"`,
		`{"name":"a\n","target":{"type":"task","name":"x"},"Policy":{}}`:                                                                  `Policy: unknown field (did you mean "policy"?)|name: must not hold control`,
		`{"name":"a","target":{"type":"task","name":"x"},"policy":{"mode":"always","max_restarts":-1,"backoff_seconds":0}}`:               `policy.mode: must be "once" or "ensure"|policy.max_restarts: must be at least 0|policy.backoff_seconds: must be more than 0 and at most 60 seconds`,
		`{"name":"a","target":{"type":"task","name":"x"},"policy":{"backoff_seconds":61,"max_restarts":1.5}}`:                             `policy.max_restarts: want a whole number|policy.backoff_seconds: must be more`,
		`{"name":"a","target":{"type":"task","name":"x"},"defaults":{"args":"x","env":{"A=":"1","B":2},"keyword_args":[]},"name":"b"}`:    "defaults.args: want a list|defaults.env.B: want a string|defaults.keyword_args: want an object|name: given twice|defaults.env[\"A=\"]: a variable's name",
		`{"name":"a","target":{"type":"task","name":"x"},"defaults":{"input":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}}`: "nested more than 64 deep",
	} {
		m, err := DecodeManifest([]byte(text))
		invalid, ok := errors.AsType[*ValidationError](err)
		if !ok || m != nil {
			t.Errorf("%s: got %v and %v", text, m, err)
			continue
		}
		parts := strings.Split(want, "|")
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", text, err, part)
			}
		}
		if len(invalid.Problems) != len(parts) {
			t.Errorf("%s: %d problems, want %d: %v", text, len(invalid.Problems), len(parts), err)
		}
	}
}

func TestServiceBackoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		backoff  time.Duration
		restarts int
		want     time.Duration
	}{
		{0, 0, time.Second},
		{0, 3, 8 * time.Second},
		{0, 6, time.Minute},
		{0, 1 << 30, time.Minute},
		{50 * time.Millisecond, 0, 50 * time.Millisecond},
		{50 * time.Millisecond, 4, 800 * time.Millisecond},
		{time.Minute, 0, time.Minute},
	} {
		if got := (ServicePolicy{Backoff: test.backoff}).RestartDelay(test.restarts); got != test.want {
			t.Errorf("%v after %d restarts: %v, want %v", test.backoff, test.restarts, got, test.want)
		}
	}
	if p := (ServicePolicy{MaxRestarts: new(2)}); p.Spent(1) || !p.Spent(2) || (ServicePolicy{}).Spent(1<<30) {
		t.Error("Spent is wrong")
	}
}

func TestServiceDefaults(t *testing.T) {
	t.Parallel()
	m := mustDecode(t, webManifest)
	s := command()
	s.Args, s.Env = []any{"a"}, map[string]string{"A": "0", "B": "2"}
	want := command()
	want.Args, want.Env = []any{"a", "--port", json.Number("80")}, map[string]string{"A": "1", "B": "2"}
	want.KeywordArgs = map[string]any{"a": []any{json.Number("1")}}
	if diff := cmp.Diff(want, m.Defaults.Over(s)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s, Defaults{}.Over(s)); diff != "" {
		t.Error(diff)
	}
}

// The schema is made of the same table; here it only must say what there is.
func TestManifestSchema(t *testing.T) {
	t.Parallel()
	var s struct {
		Required   []string
		Properties map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(ManifestSchema(), &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name", "target"}, s.Required); diff != "" {
		t.Error(diff)
	}
	if len(s.Properties["policy"].Properties) != 3 || len(s.Properties["defaults"].Properties) != 4 {
		t.Errorf("schema: %s", ManifestSchema())
	}
	for path, e := range manifestFormat() {
		if e.about == "" {
			t.Errorf("%s: no text", path)
		}
	}
}

// FuzzDecodeManifest checks that a manifest that is accepted comes back from its
// own JSON as it was, and that everything here can take it.
func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte(webManifest))
	f.Add([]byte(`{"name":"a","target":{"type":"pipeline","name":"p"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			if _, ok := errors.AsType[*ValidationError](err); !ok || m != nil {
				t.Fatalf("DecodeManifest returned %v and a %T: %v", m, err, err)
			}
			return
		}
		encoded, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		again, err := DecodeManifest(encoded)
		if err != nil {
			t.Fatalf("decode %s: %v", encoded, err)
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v came back from %s as %+v", m, encoded, again)
		}
		m.Defaults.Over(command())
		if wait := m.Policy.RestartDelay(3); wait < 0 || wait > time.Minute {
			t.Fatalf("a backoff of %v", wait)
		}
	})
}
