package taskspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// allFields sets every field of the format.
const allFields = `{
	"tid": "1763740800000000000", "version": "1.0", "name": "n", "description": "d",
	"spec": {
		"type": "command", "process_target": "/bin/echo", "function_target": "f",
		"args": ["a", 9007199254740993, 1.50, true, null, {"k": [1e2]}],
		"keyword_args": {"n": 12345678901234567890123},
		"timeout": 1.5, "stop_grace": 0,
		"limits": {"memory_mb": 64, "cpu_percent": 50, "max_fds": 20, "max_connections": 0, "output_mb": 8, "output_policy": "kill"},
		"env": {"A": "1", "B": ""}, "env_from": ["TOKEN"], "working_dir": "/tmp",
		"interactive": true, "tty": true, "stream_output": true, "cleanup_on_exit": false,
		"persistent": true, "polling_interval": 0.5, "reporting_interval": "poll",
		"enable_process_title": false, "output_size_limit_mb": 1.5,
		"reserved_policy_on_error": "requeue", "reserved_policy_on_stop": "clear",
		"on_manager_loss": "stop", "weft_context": "/p",
		"retry": {"max_attempts": 3, "backoff_seconds": 1, "max_backoff_seconds": 9, "jitter": 0, "on": ["lost"]}, "delay_seconds": 2, "isolation": "none", "key": "k",
		"concurrency": {"key": "c", "limit": 4}
	},
	"io": {"inputs": {"inbox": "a"}, "outputs": {"outbox": "b"}, "control": {"ctrl_in": "c"}},
	"state": {
		"status": "failed", "return_code": 3, "signal": "SIGHUP", "started_at": 1763740800000000001,
		"completed_at": 1763740800000000002, "pid": 7, "attempt": 2, "error": "e", "time": 0.25,
		"memory": 1, "cpu": 2, "fds": 3, "net_connections": 4,
		"peak_memory": 5, "peak_cpu": 6, "peak_fds": 7, "peak_net_connections": 8
	},
	"metadata": {"tags": ["x"], "big": 18446744073709551617}
}`

func TestDecodeReadsEveryField(t *testing.T) {
	t.Parallel()
	got, err := Decode([]byte(allFields))
	if err != nil {
		t.Fatal(err)
	}
	want := &Spec{
		TID: testTID, Version: "1.0", Name: "n", Description: "d",
		Work: Work{
			Type: KindCommand, ProcessTarget: "/bin/echo", FunctionTarget: "f",
			Args: []any{"a", json.Number("9007199254740993"), json.Number("1.50"), true, nil,
				map[string]any{"k": []any{json.Number("1e2")}}},
			KeywordArgs: map[string]any{"n": json.Number("12345678901234567890123")},
			Timeout:     1500 * time.Millisecond, StopGrace: new(time.Duration(0)),
			Limits: Limits{MemoryMB: new(64.0), CPUPercent: new(50.0), MaxFDs: new(20), MaxConnections: new(0), OutputMB: new(8.0), OutputPolicy: OutputKill},
			Env:    map[string]string{"A": "1", "B": ""}, EnvFrom: []string{"TOKEN"}, WorkingDir: "/tmp",
			Interactive: true, TTY: true, StreamOutput: true, CleanupOnExit: new(false),
			Persistent: true, PollingInterval: 500 * time.Millisecond, ReportingInterval: "poll",
			EnableProcessTitle: new(false), OutputSizeLimitMB: new(1.5),
			ReservedPolicyOnError: PolicyRequeue, ReservedPolicyOnStop: PolicyClear,
			OnManagerLoss: "stop", WeftContext: "/p",
			Retry: &RetryPolicy{new(3), new(time.Second), new(9 * time.Second), new(0.0), []string{"lost"}}, Delay: 2 * time.Second, Isolation: "none", Key: "k",
			Concurrency: &Concurrency{"c", new(4)},
		},
		IO: IO{
			Inputs:  map[string]string{"inbox": "a"},
			Outputs: map[string]string{"outbox": "b"},
			Control: map[string]string{"ctrl_in": "c"},
		},
		State: &State{
			Status: StatusFailed, ReturnCode: new(3), Signal: "SIGHUP", StartedAt: 1763740800000000001,
			CompletedAt: 1763740800000000002, PID: 7, Attempt: 2, Error: "e", Time: new(0.25),
			Memory: new(1.0), CPU: new(2.0), FDs: new(3), NetConnections: new(4),
			PeakMemory: new(5.0), PeakCPU: new(6.0), PeakFDs: new(7), PeakNetConnections: new(8),
		},
		Metadata: map[string]any{"tags": []any{"x"}, "big": json.Number("18446744073709551617")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded spec differs (-want +got):\n%s", diff)
	}
	for _, part := range []any{got.Work, got.IO, *got.State, got.Limits, *got} {
		v := reflect.ValueOf(part)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("allFields leaves %s.%s empty", v.Type(), v.Type().Field(i).Name)
			}
		}
		if v.NumField() > 64 {
			t.Errorf("%s has more fields than decoder.record has bits to mark them as seen", v.Type())
		}
	}
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		document string
		want     *Spec
	}{
		"nothing":            {`{}`, &Spec{}},
		"space around":       {" \t\r\n{ \"name\" : \"a\" } \n", &Spec{Name: "a"}},
		"null is not there":  {`{"name":null,"tid":null,"spec":null,"io":null,"state":null,"metadata":null}`, &Spec{}},
		"null in spec":       {`{"spec":{"timeout":null,"args":null,"env":null,"limits":{"max_fds":null}}}`, &Spec{}},
		"empty is not null":  {`{"spec":{"args":[],"env":{}},"state":{}}`, &Spec{Work: Work{Args: []any{}, Env: map[string]string{}}, State: &State{}}},
		"escaped key":        {`{"n\u0061me":"a"}`, &Spec{Name: "a"}},
		"escaped value":      {`{"name":"\u00e4\ud83d\ude00\n\\u"}`, &Spec{Name: "ä😀\n\\u"}},
		"keys differ by map": {`{"metadata":{"a":1,"A":2,"b":{"a":3}}}`, &Spec{Metadata: map[string]any{"a": json.Number("1"), "A": json.Number("2"), "b": map[string]any{"a": json.Number("3")}}}},
		"whole number":       {`{"state":{"pid":-0}}`, &Spec{State: &State{}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode([]byte(test.document))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Decode differs (-want +got):\n%s", diff)
			}
		})
	}
}

// nested returns a list in a list, and so on, levels deep.
func nested(levels int) []any {
	inner := []any{}
	for range levels - 1 {
		inner = []any{inner}
	}
	return inner
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ document, want string }{
		"nothing":                {``, "not valid JSON: unexpected end of JSON input (byte 0)"},
		"cut off":                {`{"name":`, "not valid JSON: unexpected end of JSON input (byte 8)"},
		"two documents":          {`{} {}`, "not valid JSON: invalid character '{' after top-level value (byte 4)"},
		"trailing text":          {`{}x`, "not valid JSON: invalid character 'x' after top-level value (byte 3)"},
		"not UTF-8":              {"{\"name\":\"\xff\"}", "not valid UTF-8"},
		"null":                   {`null`, "want an object, got null"},
		"list":                   {`[{"name":"a"}]`, "want an object, got a list"},
		"text":                   {`"a"`, "want an object, got a string"},
		"unknown":                {`{"nam":"a"}`, "nam: unknown field"},
		"unknown in spec":        {`{"spec":{"timeuot":3}}`, "spec.timeuot: unknown field"},
		"unknown in limits":      {`{"spec":{"limits":{"memory":3}}}`, "spec.limits.memory: unknown field"},
		"unknown in io":          {`{"io":{"input":{}}}`, "io.input: unknown field"},
		"unknown in state":       {`{"state":{"code":3}}`, "state.code: unknown field"},
		"case":                   {`{"Name":"a"}`, `Name: unknown field (did you mean "name"?)`},
		"case in limits":         {`{"spec":{"limits":{"MAX_FDS":3}}}`, `spec.limits.MAX_FDS: unknown field (did you mean "max_fds"?)`},
		"case beyond ASCII":      {"{\"\u017fpec\":{}}", `["ſpec"]: unknown field (did you mean "spec"?)`},
		"twice":                  {`{"name":"a","name":"a"}`, "name: given twice"},
		"twice by escape":        {`{"name":"a","n\u0061me":"b"}`, "name: given twice"},
		"twice in spec":          {`{"spec":{"tty":true,"args":[],"tty":false}}`, "spec.tty: given twice"},
		"twice in env":           {`{"spec":{"env":{"A":"1","A":"1"}}}`, "spec.env.A: given twice"},
		"twice in io":            {`{"io":{"inputs":{"inbox":"a","inbox":"b"}}}`, "io.inputs.inbox: given twice"},
		"twice in metadata":      {`{"metadata":{"a":1,"b":2,"a":3}}`, "metadata.a: given twice"},
		"twice deep in args":     {`{"spec":{"args":[0,[{"a":1,"a":1}]]}}`, "spec.args[1][0].a: given twice"},
		"twice in retry":         {`{"spec":{"retry":{"jitter":1,"jitter":1}}}`, "spec.retry.jitter: given twice"},
		"odd key":                {`{"metadata":{"a b":1,"a b":1}}`, `metadata["a b"]: given twice`},
		"terminal escape in key": {`{"\u001b[31m":1}`, `["\x1b[31m"]: unknown field`},
		"number for text":        {`{"name":1}`, "name: want a string, got a number"},
		"flag for text":          {`{"spec":{"type":true}}`, "spec.type: want a string, got true or false"},
		"text for number":        {`{"spec":{"timeout":"30"}}`, "spec.timeout: want a number, got a string"},
		"text for flag":          {`{"spec":{"tty":"yes"}}`, "spec.tty: want true or false, got a string"},
		"object for list":        {`{"spec":{"args":{}}}`, "spec.args: want a list, got an object"},
		"list for object":        {`{"spec":{"env":["A=1"]}}`, "spec.env: want an object, got a list"},
		"fraction":               {`{"spec":{"limits":{"max_fds":1.0}}}`, "spec.limits.max_fds: want a whole number, got 1.0"},
		"timeout of 0":           {`{"spec":{"timeout":0}}`, "spec.timeout: must be more than 0 and at most 1000000000 seconds"},
		"polling of -0":          {`{"spec":{"polling_interval":-0}}`, "spec.polling_interval: must be more than 0 and at most 1000000000 seconds"},
		"number beyond float":    {`{"spec":{"timeout":1e999}}`, "spec.timeout: 1e999 is out of range"},
		"number beyond int":      {`{"state":{"started_at":9223372036854775808}}`, "state.started_at: 9223372036854775808 is out of range"},
		"number in env":          {`{"spec":{"env":{"A":1}}}`, "spec.env.A: want a string, got a number"},
		"null in env":            {`{"spec":{"env":{"A":null}}}`, "spec.env.A: want a string, got null"},
		"null in env_from":       {`{"spec":{"env_from":["A",null]}}`, "spec.env_from[1]: want a string, got null"},
		"null queue":             {`{"io":{"outputs":{"outbox":null}}}`, "io.outputs.outbox: want a string, got null"},
		"half a pair":            {`{"name":"\ud800"}`, "name: holds half of a UTF-16 pair, which is no text"},
		"half a pair, reversed":  {`{"name":"\ude00\ud83d"}`, "name: holds half of a UTF-16 pair, which is no text"},
		"half a pair before \\n": {`{"name":"\\\ud83d\n"}`, "name: holds half of a UTF-16 pair, which is no text"},
		"half a pair after one":  {`{"name":"\ud83d\ude00\ud83d"}`, "name: holds half of a UTF-16 pair, which is no text"},
		"half a pair in args":    {`{"spec":{"args":["a\udcff"]}}`, "spec.args[0]: holds half of a UTF-16 pair, which is no text"},
		"half a pair in a key":   {`{"metadata":{"\ud800":1}}`, "metadata[\"\uFFFD\"]: the key holds half of a UTF-16 pair, which is no text"},
		"all at once": {`{"nmae":"a","spec":{"type":1,"tty":0,"env":{"A":[]}},"tid":{}}`,
			"nmae: unknown field; spec.type: want a string, got a number; " +
				"spec.tty: want true or false, got a number; spec.env.A: want a string, got a list; " +
				"tid: want a string, got an object"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Decode([]byte(test.document))
			if err == nil || err.Error() != test.want {
				t.Errorf("Decode(%s)\n got: %v\nwant: %s", test.document, err, test.want)
			}
			if s != nil {
				t.Error("Decode returned a spec together with an error")
			}
			if _, ok := errors.AsType[*ValidationError](err); !ok {
				t.Errorf("error is a %T, want a *ValidationError", err)
			}
		})
	}
}

func TestDecodeBounds(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, document, want string) {
		t.Helper()
		if _, err := Decode([]byte(document)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Decode returned %.200v, want an error that ends in %q", err, want)
		}
	}
	t.Run("depth", func(t *testing.T) {
		t.Parallel()
		lists := func(levels int) string {
			return `{"metadata":{"a":` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}}`
		}
		// cmp takes time that doubles with each level of a list.
		s, err := Decode([]byte(lists(maxDepth - 2)))
		if want := map[string]any{"a": nested(maxDepth - 2)}; err != nil || !reflect.DeepEqual(s.Metadata, want) {
			t.Errorf("64 levels: %v, %v", s, err)
		}
		refused(t, lists(maxDepth-1), ": nested more than 64 deep")
		refused(t, lists(5000), ": nested more than 64 deep")
		deep := strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)
		refused(t, `{"metadata":`+deep+`}`, ".a.a: nested more than 64 deep")
	})
	t.Run("size", func(t *testing.T) {
		t.Parallel()
		space := strings.Repeat(" ", MaxDocument-2)
		if _, err := Decode([]byte(`{` + space + `}`)); err != nil {
			t.Errorf("10 MiB: %v", err)
		}
		refused(t, `{ `+space+`}`, "longer than 10485760 bytes")
	})
	t.Run("problems", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&b, `"x%d":0,`, i)
		}
		_, err := Decode([]byte(`{` + b.String() + `"name":"a"}`))
		e, ok := errors.AsType[*ValidationError](err)
		if !ok || len(e.Problems) != maxProblems+1 || e.Problems[maxProblems].Text != "and more" {
			t.Errorf("10,000 problems: got %.300v", err)
		}
	})
}

func TestDecodeValidReportsBothKinds(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ document, want string }{
		"unknown field and broken rule": {`{"name":"","spec":{"type":"comand","args":[],"foo":1}}`,
			`spec.foo: unknown field; name: required; spec.type: must be "command" or "function", not "comand"`},
		"wrong kind is no second problem": {`{"name":5,"spec":{"type":"command","process_target":"a","limits":{"memory_mb":1e999}}}`,
			`name: want a string, got a number; spec.limits.memory_mb: 1e999 is out of range`},
		"nor is what it would have held": {`{"name":"a","spec":"echo"}`,
			`spec: want an object, got a string`},
		"no object": {`[]`, "want an object, got a list"},
		"null":      {`null`, "want an object, got null"},
		"no JSON":   {`x`, "not valid JSON: invalid character 'x' looking for beginning of value (byte 1)"},
		"template":  {`{"tid":"1","name":"a","spec":{"type":"command","process_target":"a"}}`, "tid: not allowed in a template: it is set when the task is spawned"},
		"cores":     {`{"name":"a","spec":{"type":"command","process_target":"a","limits":{"cpu_percent":201}}}`, "spec.limits.cpu_percent: must be from 1 to 200, 100 for each core"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := DecodeValid([]byte(test.document), Rules{Template: true, Cores: 2})
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if s != nil {
				t.Error("a spec came with the error")
			}
		})
	}
	if s, err := DecodeValid([]byte(taskOf300Bytes), Rules{Template: true}); err != nil || s.Name != "resize-images" {
		t.Errorf("DecodeValid of a valid spec = %v, %v", s, err)
	}
}
