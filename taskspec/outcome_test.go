package taskspec

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every row of the table of ends in the contract, and what becomes of the
// message that was worked on.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	work := Work{ReservedPolicyOnError: PolicyRequeue, ReservedPolicyOnStop: PolicyClear}
	tests := map[string]struct {
		got    Outcome
		want   Outcome
		policy Policy // of work; a completed task clears whatever work says
	}{
		"exit 0":                  {Exited(0, "warning\n"), Outcome{StatusCompleted, new(0), "", "", "", "work_completed", ""}, PolicyClear},
		"exit N":                  {Exited(3, ""), Outcome{StatusFailed, new(3), "", "command exited with 3", "", "work_failed", ""}, PolicyRequeue},
		"exit, stderr":            {Exited(2, "a\nb: no such file\n\n"), Outcome{StatusFailed, new(2), "", "command exited with 2: b: no such file", "", "work_failed", ""}, PolicyRequeue},
		"signal":                  {Signaled(11, "SIGSEGV"), Outcome{StatusFailed, new(139), "SIGSEGV", "command was killed by SIGSEGV", "", "work_failed", ""}, PolicyRequeue},
		"unknown signal":          {Signaled(42, ""), Outcome{StatusFailed, new(170), "signal 42", "command was killed by signal 42", "", "work_failed", ""}, PolicyRequeue},
		"cannot execute":          {NotStarted(false, "a: permission denied"), Outcome{StatusFailed, new(126), "", "a: permission denied", "", "work_failed", ""}, PolicyRequeue},
		"not found":               {NotStarted(true, "a: not found"), Outcome{StatusFailed, new(127), "", "a: not found", "", "work_failed", ""}, PolicyRequeue},
		"function error":          {Failed("no image"), Outcome{StatusFailed, new(1), "", "no image", "", "work_failed", ""}, PolicyRequeue},
		"function error of lines": {Failed("no image\n\tat 3\n"), Outcome{StatusFailed, new(1), "", `no image\n\tat 3`, "", "work_failed", "no image\n\tat 3\n"}, PolicyRequeue},
		"function error, empty":   {Failed(""), Outcome{StatusFailed, new(1), "", "function returned an error without text", "", "work_failed", ""}, PolicyRequeue},
		"function panic":          {Panicked("boom", "goroutine 1"), Outcome{StatusFailed, new(1), "", "panic: boom", "", "work_failed", "goroutine 1"}, PolicyRequeue},
		"function exit":           {FunctionExited(3, "bye\n"), Outcome{StatusFailed, new(3), "", "function exited with 3 without returning: bye", "", "work_failed", ""}, PolicyRequeue},
		"function exit 0":         {FunctionExited(0, ""), Outcome{StatusFailed, new(1), "", "function exited with 0 without returning", "", "work_failed", ""}, PolicyRequeue},
		"function crash": {FunctionExited(2, "hi\npanic: boom\n\ngoroutine 7 [running]:\n"),
			Outcome{StatusFailed, new(2), "", "function exited with 2 without returning: panic: boom", "", "work_failed", "panic: boom\n\ngoroutine 7 [running]:"}, PolicyRequeue},
		"function signal": {FunctionSignaled(11, "SIGSEGV"), Outcome{StatusFailed, new(139), "SIGSEGV", "function was killed by SIGSEGV", "", "work_failed", ""}, PolicyRequeue},
		"timeout":         {TimedOut(30 * time.Second), Outcome{StatusTimeout, new(124), "", "timed out after 30s", "", "work_timeout", ""}, PolicyRequeue},
		"limit":           {Limited("memory 140.2 MB > 100 MB", "cgroup"), Outcome{StatusKilled, new(137), "", "memory 140.2 MB > 100 MB", "cgroup", "work_limit_violation", ""}, PolicyRequeue},
		"STOP":            {Stopped(), Outcome{StatusCancelled, new(143), "", "stopped", "", "work_cancelled", ""}, PolicyClear},
		"KILL":            {Killed(), Outcome{StatusKilled, new(137), "", "killed", "", "work_killed", ""}, PolicyClear},
		"interrupted":     {Interrupted(), Outcome{StatusFailed, nil, "", "interrupted: the program that ran it ended", "", "work_interrupted", ""}, PolicyRequeue},
		"consumer lost":   {Lost(), Outcome{StatusFailed, nil, "", "lost: consumer process died", "", "work_lost", ""}, PolicyRequeue},
		"rejected":        {Rejected("name: required"), Outcome{StatusFailed, nil, "", "name: required", "", "work_failed", ""}, PolicyRequeue},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, test.got); diff != "" {
				t.Errorf("outcome differs (-want +got):\n%s", diff)
			}
			if got := test.got.Policy(work); got != test.policy {
				t.Errorf("Policy = %s, want %s", got, test.policy)
			}
			keep := PolicyKeep
			if test.want.Status == StatusCompleted {
				keep = PolicyClear
			}
			if got := test.got.Policy(Work{}); got != keep {
				t.Errorf("Policy of a spec that says nothing = %s, want %s", got, keep)
			}
			if err := Transition(StatusRunning, test.got.Status); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOutcomeInJSON(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Outcome{
		`{"status":"completed","return_code":0,"event":"work_completed"}`:                                                      Exited(0, ""),
		`{"status":"failed","return_code":null,"error":"lost: consumer process died","event":"work_lost"}`:                     Lost(),
		`{"status":"killed","return_code":137,"error":"killed","event":"work_killed"}`:                                         Killed(),
		`{"status":"failed","return_code":129,"signal":"SIGHUP","error":"command was killed by SIGHUP","event":"work_failed"}`: Signaled(1, "SIGHUP"),
	} {
		got, err := json.Marshal(o)
		if err != nil || string(got) != want {
			t.Errorf("got  %s, %v\nwant %s", got, err, want)
		}
	}
}

func TestExitedQuotesTheLastLine(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ stderr, want string }{
		"blank":           {" \n\t\r\n", ""},
		"no newline":      {"a\nb", ": b"},
		"blank lines":     {"a\n \n\n", ": a"},
		"windows":         {"a\r\nb\r\n", ": b"},
		"progress bar":    {"10%\r50%\r99%", ": 99%"},
		"terminal escape": {"\x1b[31mred\x1b[0m\n", `: \x1b[31mred\x1b[0m`},
		"tab and NUL":     {"a\tb\x00c\x7f", `: a\tb\x00c\x7f`},
		"C1, direction":   {"a\u0085b\u009b\u202ec", `: a\u0085b\u009b\u202ec`},
		"not UTF-8":       {"caf\xe9", `: caf\xe9`},
		"text":            {`ä "q" \n 😀`, `: ä "q" \n 😀`},
		"200 characters":  {strings.Repeat("ä", 200), ": " + strings.Repeat("ä", 200)},
		"201 characters":  {strings.Repeat("ä", 201), ": " + strings.Repeat("ä", 199) + "…"},
		"64 KiB of NUL":   {strings.Repeat("\x00", 64<<10), ": " + strings.Repeat(`\x00`, 49) + `\x0…`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, want := Exited(1, test.stderr).Error, "command exited with 1"+test.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestTimedOutIsShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		30 * time.Second:                   "30s",
		1500 * time.Millisecond:            "1.5s",
		250 * time.Millisecond:             "250ms",
		2 * time.Minute:                    "2m",
		10 * time.Minute:                   "10m",
		90 * time.Second:                   "1m30s",
		time.Hour:                          "1h",
		10 * time.Hour:                     "10h",
		time.Hour + 10*time.Minute:         "1h10m",
		time.Hour + 30*time.Second:         "1h0m30s",
		time.Minute + 10*time.Second:       "1m10s",
		time.Minute + 500*time.Microsecond: "1m0.0005s",
	} {
		if got := TimedOut(d).Error; got != "timed out after "+want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}
