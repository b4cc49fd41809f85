package taskspec

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Spec){
		"nothing more":          func(*Spec) {},
		"tid":                   func(s *Spec) { s.TID = testTID },
		"greatest tid":          func(s *Spec) { s.TID = "9223372036854775807" },
		"version":               func(s *Spec) { s.Version = "12.03" },
		"200 characters":        func(s *Spec) { s.Name = strings.Repeat("ä", 200) },
		"description":           func(s *Spec) { s.Description = "two\nlines" },
		"empty keyword args":    func(s *Spec) { s.KeywordArgs = map[string]any{} },
		"strings and numbers":   func(s *Spec) { s.Args = []any{"", json.Number("1e3"), 1, uint8(2), 1.5, Kind("k")} },
		"least timeout":         func(s *Spec) { s.Timeout = 1 },
		"greatest timeout":      func(s *Spec) { s.Timeout = 1e9 * time.Second },
		"no grace":              func(s *Spec) { s.StopGrace = new(time.Duration(0)) },
		"polling":               func(s *Spec) { s.PollingInterval = 50 * time.Millisecond },
		"everything spills":     func(s *Spec) { s.OutputSizeLimitMB = new(0.0) },
		"least limits":          func(s *Spec) { s.Limits = Limits{new(1.0), new(1.0), new(1), new(0), new(1.0), OutputTruncate} },
		"cpu of unknown cores":  func(s *Spec) { s.Limits.CPUPercent = new(1e6) },
		"env":                   func(s *Spec) { s.Env = map[string]string{"A": "", "b c": "x=y\n"} },
		"env_from":              func(s *Spec) { s.EnvFrom = []string{"HOME"} },
		"poll":                  func(s *Spec) { s.ReportingInterval = ReportPoll },
		"transition":            func(s *Spec) { s.ReportingInterval = ReportTransition },
		"policies":              func(s *Spec) { s.ReservedPolicyOnError, s.ReservedPolicyOnStop = PolicyRequeue, PolicyClear },
		"keep":                  func(s *Spec) { s.ReservedPolicyOnError, s.ReservedPolicyOnStop = PolicyKeep, PolicyKeep },
		"stop on manager loss":  func(s *Spec) { s.OnManagerLoss = LossStop },
		"go on on manager loss": func(s *Spec) { s.OnManagerLoss = LossContinue },
		"process":               func(s *Spec) { s.Isolation = "process" },
		"delay":                 func(s *Spec) { s.Delay = time.Second / 2 },
		"retry":                 func(s *Spec) { s.Retry = &RetryPolicy{} },
		"least retry": func(s *Spec) {
			s.Retry = &RetryPolicy{new(1), new(time.Duration(0)), new(time.Duration(0)), new(0.0), []string{}}
		},
		"all of retry": func(s *Spec) {
			s.Retry = &RetryPolicy{new(5), new(2500 * time.Millisecond), new(time.Second), new(1.0), retryCauses()}
		},
		"queues":        func(s *Spec) { s.IO.Inputs = map[string]string{"inbox": "_a.B-9", "more": "weft.log.tasks"} },
		"longest queue": func(s *Spec) { s.IO.Control = map[string]string{"ctrl_in": strings.Repeat("q", 512)} },
		"state":         func(s *Spec) { s.State = &State{Status: StatusRunning, StartedAt: 1, PID: 2, CPU: new(0.0)} },
		"empty state":   func(s *Spec) { s.State = &State{} },
		"weft_context":  func(s *Spec) { s.WeftContext = "/p" },
		"metadata": func(s *Spec) {
			s.Metadata = map[string]any{"tags": []any{"a"}, "parent_tid": otherTID, "x": nested(62)}
		},
		"tags of Go":    func(s *Spec) { s.Metadata = map[string]any{"tags": []string{"a"}} },
		"null metadata": func(s *Spec) { s.Metadata = map[string]any{"tags": nil, "parent_tid": nil} },
		"function": func(s *Spec) {
			*s = *function()
			s.Args = []any{nil, true, map[string]any{"a": []any{1}}}
			s.KeywordArgs = map[string]any{"width": 100, "big": json.Number("12345678901234567890")}
		},
	}
	for name, edit := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := command()
			edit(s)
			if err := s.Validate(); err != nil {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	const (
		badVariable = `: a variable's name must be valid UTF-8, not empty, without "=" and NUL characters`
		notOS       = ": must not hold NUL characters"
		badQueue    = ` must be 1 to 512 letters, digits, "_", "." and "-" and begin with none of the last two`
	)
	cycle := map[string]any{}
	cycle["self"] = cycle
	tests := map[string]struct {
		edit func(*Spec)
		want string
	}{
		"short tid":          {func(s *Spec) { s.TID = "176374080000000000" }, "tid: must be 19 digits that fit 63 bits"},
		"signed tid":         {func(s *Spec) { s.TID = "+763740800000000000" }, "tid: must be 19 digits that fit 63 bits"},
		"tid beyond 63 bits": {func(s *Spec) { s.TID = "9223372036854775808" }, "tid: must be 19 digits that fit 63 bits"},
		"version of one":     {func(s *Spec) { s.Version = "1" }, `version: must be two numbers with a dot, as in "1.0"`},
		"version of three":   {func(s *Spec) { s.Version = "1.0.0" }, `version: must be two numbers with a dot, as in "1.0"`},
		"version of none":    {func(s *Spec) { s.Version = ".1" }, `version: must be two numbers with a dot, as in "1.0"`},
		"no name":            {func(s *Spec) { s.Name = "" }, "name: required"},
		"long name":          {func(s *Spec) { s.Name = strings.Repeat("ä", 201) }, "name: has 201 characters, at most 200 are allowed"},
		"control characters": {func(s *Spec) { s.Name = "a\x1b[31m" }, "name: must not hold control characters"},
		"name not UTF-8":     {func(s *Spec) { s.Name = "a\xff" }, "name: must be valid UTF-8"},
		"description":        {func(s *Spec) { s.Description = "a\xff" }, "description: must be valid UTF-8"},

		"no type":                  {func(s *Spec) { s.Type = "" }, `spec.type: required: "command" or "function"`},
		"unknown type":             {func(s *Spec) { s.Type = "Command\n" }, `spec.type: must be "command" or "function", not "Command\n"`},
		"no program":               {func(s *Spec) { s.ProcessTarget = "" }, "spec.process_target: required for a command"},
		"blank program":            {func(s *Spec) { s.ProcessTarget = " \t" }, "spec.process_target: required for a command"},
		"program with NUL":         {func(s *Spec) { s.ProcessTarget = "a\x00b" }, "spec.process_target" + notOS},
		"command with a function":  {func(s *Spec) { s.FunctionTarget = "f" }, "spec.function_target: only for a function"},
		"command with keywords":    {func(s *Spec) { s.KeywordArgs = map[string]any{"a": 1} }, "spec.keyword_args: only for a function"},
		"no function":              {func(s *Spec) { *s = *function(); s.FunctionTarget = "" }, "spec.function_target: required for a function"},
		"function with a program":  {func(s *Spec) { *s = *function(); s.ProcessTarget = "a" }, "spec.process_target: only for a command"},
		"argument of another kind": {func(s *Spec) { s.Args = []any{"a", true, nil, []any{}} }, "spec.args[1]: a command takes only strings and numbers; spec.args[2]: a command takes only strings and numbers; spec.args[3]: a command takes only strings and numbers"},
		"argument with NUL":        {func(s *Spec) { s.Args = []any{"a\x00"} }, "spec.args[0]" + notOS},
		"argument not a number":    {func(s *Spec) { s.Args = []any{math.NaN()} }, "spec.args[0]: a command takes only strings and numbers"},
		"function argument":        {func(s *Spec) { *s = *function(); s.Args = []any{"\xff"} }, "spec.args[0]: must be valid UTF-8"},
		"function number":          {func(s *Spec) { *s = *function(); s.Args = []any{[]any{math.Inf(1)}} }, "spec.args[0][0]: must be a finite number"},
		"function keyword":         {func(s *Spec) { *s = *function(); s.KeywordArgs = map[string]any{"\xff": json.Number("x")} }, `spec.keyword_args["\xff"]: the key must be valid UTF-8; spec.keyword_args["\xff"]: is not a number: "x"`},

		"timeout below 0": {func(s *Spec) { s.Timeout = -1 }, "spec.timeout: must be more than 0 and at most 1000000000 seconds"},
		"timeout absurd":  {func(s *Spec) { s.Timeout = (1e9 + 1) * time.Second }, "spec.timeout: must be more than 0 and at most 1000000000 seconds"},
		"grace below 0":   {func(s *Spec) { s.StopGrace = new(-time.Nanosecond) }, "spec.stop_grace: must be from 0 to 1000000000 seconds"},
		"grace absurd":    {func(s *Spec) { s.StopGrace = new(time.Duration(math.MaxInt64)) }, "spec.stop_grace: must be from 0 to 1000000000 seconds"},
		"polling below 0": {func(s *Spec) { s.PollingInterval = -1 }, "spec.polling_interval: must be more than 0 and at most 1000000000 seconds"},
		"output below 0":  {func(s *Spec) { s.OutputSizeLimitMB = new(-1.0) }, "spec.output_size_limit_mb: must be from 0 to 1073741824"},
		"output absurd":   {func(s *Spec) { s.OutputSizeLimitMB = new(1e20) }, "spec.output_size_limit_mb: must be from 0 to 1073741824"},

		"memory 0":       {func(s *Spec) { s.Limits.MemoryMB = new(0.5) }, "spec.limits.memory_mb: must be from 1 to 1073741824"},
		"memory absurd":  {func(s *Spec) { s.Limits.MemoryMB = new(1e20) }, "spec.limits.memory_mb: must be from 1 to 1073741824"},
		"cpu 0":          {func(s *Spec) { s.Limits.CPUPercent = new(0.0) }, "spec.limits.cpu_percent: must be at least 1"},
		"fds 0":          {func(s *Spec) { s.Limits.MaxFDs = new(0) }, "spec.limits.max_fds: must be at least 1"},
		"connections -1": {func(s *Spec) { s.Limits.MaxConnections = new(-1) }, "spec.limits.max_connections: must be at least 0"},

		"variable without name": {func(s *Spec) { s.Env = map[string]string{"": "a"} }, `spec.env[""]` + badVariable},
		"variable with =":       {func(s *Spec) { s.Env = map[string]string{"A=B": "a"} }, `spec.env["A=B"]` + badVariable},
		"value with NUL":        {func(s *Spec) { s.Env = map[string]string{"A": "a\x00"} }, "spec.env.A" + notOS},
		"env_from":              {func(s *Spec) { s.EnvFrom = []string{"A", "B=1"} }, "spec.env_from[1]" + badVariable},
		"working_dir":           {func(s *Spec) { s.WorkingDir = "\x00" }, "spec.working_dir" + notOS},
		"weft_context":          {func(s *Spec) { s.WeftContext = "\x00" }, "spec.weft_context" + notOS},

		"reporting":    {func(s *Spec) { s.ReportingInterval = "often" }, `spec.reporting_interval: must be "transition" or "poll", not "often"`},
		"error policy": {func(s *Spec) { s.ReservedPolicyOnError = "drop" }, `spec.reserved_policy_on_error: must be "keep" or "requeue" or "clear", not "drop"`},
		"stop policy":  {func(s *Spec) { s.ReservedPolicyOnStop = "Keep" }, `spec.reserved_policy_on_stop: must be "keep" or "requeue" or "clear", not "Keep"`},
		"manager loss": {func(s *Spec) { s.OnManagerLoss = "die" }, `spec.on_manager_loss: must be "continue" or "stop", not "die"`},

		"concurrency": {func(s *Spec) {
			s.Concurrency = &Concurrency{"", new(0)}
		}, "spec.concurrency.key: required; spec.concurrency.limit: must be from 1 to 1000"},
		"long concurrency key": {func(s *Spec) {
			s.Concurrency = &Concurrency{strings.Repeat("k", maxKey+1), new(MaxConcurrency)}
		}, "spec.concurrency.key: has 201 characters, at most 200 are allowed"},
		"retry": {func(s *Spec) {
			s.Retry = &RetryPolicy{new(0), new(-time.Second), new(2e9 * time.Second), new(1.5), []string{"lost", "stop"}}
		},
			"spec.retry.max_attempts: must be from 1 to 1000000; spec.retry.backoff_seconds: must be from 0 to 1000000000 seconds; " +
				"spec.retry.max_backoff_seconds: must be from 0 to 1000000000 seconds; spec.retry.jitter: must be from 0 to 1; " +
				`spec.retry.on[1]: must be "error" or "timeout" or "limit" or "lost", not "stop"`},
		"delay":     {func(s *Spec) { s.Delay = -1 }, "spec.delay_seconds: must be from 0 to 1000000000 seconds"},
		"isolation": {func(s *Spec) { s.Isolation = "container" }, `spec.isolation: must be "process" or "inline", not "container"`},
		"long key":  {func(s *Spec) { s.Key = strings.Repeat("k", 201) }, "spec.key: has 201 characters, at most 200 are allowed"},
		"key":       {func(s *Spec) { s.Key = "a\n" }, "spec.key: must not hold control characters"},

		"queue":             {func(s *Spec) { s.IO.Inputs = map[string]string{"inbox": "a b"} }, `io.inputs.inbox: queue name "a b"` + badQueue},
		"empty queue":       {func(s *Spec) { s.IO.Outputs = map[string]string{"outbox": ""} }, `io.outputs.outbox: queue name ""` + badQueue},
		"dotted queue":      {func(s *Spec) { s.IO.Control = map[string]string{"ctrl_in": ".a"} }, `io.control.ctrl_in: queue name ".a"` + badQueue},
		"dashed queue":      {func(s *Spec) { s.IO.Control = map[string]string{"ctrl_in": "-a"} }, `io.control.ctrl_in: queue name "-a"` + badQueue},
		"long queue":        {func(s *Spec) { s.IO.Inputs = map[string]string{"inbox": strings.Repeat("q", 513)} }, `io.inputs.inbox: queue name "` + strings.Repeat("q", 63) + `…"` + badQueue},
		"queue without use": {func(s *Spec) { s.IO.Inputs = map[string]string{"": "a"} }, `io.inputs[""]: the name must not be empty`},
		"reserved queue":    {func(s *Spec) { s.IO.Inputs = map[string]string{"reserved": "a"} }, `io.inputs.reserved: the reserved queue cannot be overridden`},
		"view":              {func(s *Spec) { s.IO.Outputs = map[string]string{"outbox": "weft.state.workers"} }, `io.outputs.outbox: weft.state.* queues are views and cannot be used`},

		"status":     {func(s *Spec) { s.State = &State{Status: "done"} }, `state.status: must be "created" or "spawning" or "running" or "completed" or "failed" or "timeout" or "cancelled" or "killed", not "done"`},
		"start time": {func(s *Spec) { s.State = &State{StartedAt: -1} }, "state.started_at: must be at least 0"},
		"samples": {func(s *Spec) { s.State = &State{PID: -1, Memory: new(-1.0), CPU: new(math.NaN()), PeakFDs: new(-1)} },
			"state.pid: must be at least 0; state.memory: must be at least 0; state.cpu: must be at least 0; state.peak_fds: must be at least 0"},

		"tags":          {func(s *Spec) { s.Metadata = map[string]any{"tags": "a"} }, "metadata.tags: must be a list of strings"},
		"tag":           {func(s *Spec) { s.Metadata = map[string]any{"tags": []any{"a", json.Number("1")}} }, "metadata.tags[1]: must be a string"},
		"tag not UTF-8": {func(s *Spec) { s.Metadata = map[string]any{"tags": []string{"a", "b\xff"}} }, "metadata.tags[1]: must be valid UTF-8"},
		"parent":        {func(s *Spec) { s.Metadata = map[string]any{"parent_tid": json.Number(testTID)} }, "metadata.parent_tid: must be a tid of 19 digits, as a string"},
		"metadata":      {func(s *Spec) { s.Metadata = map[string]any{"a": map[string]any{"b": "\xff"}} }, "metadata.a.b: must be valid UTF-8"},
		"deep metadata": {func(s *Spec) { s.Metadata = map[string]any{"a": cycle} }, "metadata.a" + strings.Repeat(".self", 62) + ": nested more than 64 deep"},

		"all at once": {func(s *Spec) { *s = Spec{TID: "x", Work: Work{Timeout: -1, Delay: -1}} },
			"tid: must be 19 digits that fit 63 bits; name: required; " + `spec.type: required: "command" or "function"; ` +
				"spec.timeout: must be more than 0 and at most 1000000000 seconds; spec.delay_seconds: must be from 0 to 1000000000 seconds"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := command()
			test.edit(s)
			if err := s.Validate(); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// What Validate accepts in depth, Decode must accept too.
func TestValidateAndDecodeAgreeOnDepth(t *testing.T) {
	t.Parallel()
	for levels := 55; levels < 70; levels++ {
		for field, edit := range map[string]func(*Spec){
			"args":         func(s *Spec) { s.Args = []any{nested(levels)} },
			"keyword_args": func(s *Spec) { s.KeywordArgs = map[string]any{"a": nested(levels)} },
			"metadata":     func(s *Spec) { s.Metadata = map[string]any{"a": nested(levels)} },
		} {
			s := function()
			edit(s)
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			_, decodeErr := Decode(data)
			if validErr := s.Validate(); (validErr == nil) != (decodeErr == nil) {
				t.Errorf("%s, %d levels: Validate says %v, Decode says %v", field, levels, validErr, decodeErr)
			}
		}
	}
}

func TestValidateTemplate(t *testing.T) {
	t.Parallel()
	if err := command().ValidateTemplate(); err != nil {
		t.Errorf("a plain template: %v", err)
	}
	s := command()
	s.IO.Inputs = map[string]string{"inbox": "raw.data"}
	if err := s.ValidateTemplate(); err != nil {
		t.Errorf("a template with io: %v", err)
	}
	s.TID, s.State, s.WeftContext = "x", &State{Status: "done"}, "/p"
	const spawned = ": not allowed in a template: it is set when the task is spawned"
	want := "tid" + spawned + "; spec.weft_context" + spawned + "; state" + spawned
	if err := s.ValidateTemplate(); err == nil || err.Error() != want {
		t.Errorf("a spawned task:\n got %v\nwant %s", err, want)
	}
}

func TestValidateSupported(t *testing.T) {
	t.Parallel()
	s := command()
	s.Timeout, s.IO.Control = -1, map[string]string{"ctrl": "c"}
	want := "spec.timeout: must be more than 0 and at most 1000000000 seconds; io.control.ctrl: not supported yet"
	if got := text(s.ValidateFor(Rules{Supported: true})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.Timeout = 0
	if err := s.ValidateFor(Rules{}); err != nil {
		t.Errorf("a spec for a later version: %v", err)
	}
}

func TestValidateForCores(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		percent float64
		cores   int
		want    string
	}{
		{100, 1, ""},
		{400, 4, ""},
		{400.5, 4, "spec.limits.cpu_percent: must be from 1 to 400, 100 for each core"},
		{0.5, 4, "spec.limits.cpu_percent: must be from 1 to 400, 100 for each core"},
		{math.NaN(), 4, "spec.limits.cpu_percent: must be from 1 to 400, 100 for each core"},
		{math.NaN(), 0, "spec.limits.cpu_percent: must be at least 1"},
	} {
		s := command()
		s.Limits.CPUPercent = &test.percent
		err := s.ValidateFor(Rules{Cores: test.cores})
		if got := text(err); got != test.want {
			t.Errorf("%v%% on %d cores: got %q, want %q", test.percent, test.cores, got, test.want)
		}
	}
}

// text returns the text of an error, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
